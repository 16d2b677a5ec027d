"""Marking by REST: the ways to name entries, the changes, and the answers."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.api.conftest import Bearer
from tests.support.rest import join, send

PATH = "/v1/users/ana/notifications"


@pytest.fixture
def scopes(bearer: Bearer) -> dict[str, str]:
    return bearer("send read groups users")


async def mark(api: httpx.AsyncClient, headers: dict[str, str], **body: Any) -> dict[str, Any]:
    answer = await api.post(f"{PATH}/mark", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def items(api: httpx.AsyncClient, headers: dict[str, str], **query: str) -> dict[str, dict[str, Any]]:
    """The items of the inbox, by their notification's id."""
    page = (await api.get(PATH, params=query, headers=headers)).json()
    return {item["notification"]["id"]: item for item in page["items"]}


def without_version(counts: dict[str, Any]) -> dict[str, Any]:
    return {name: count for name, count in counts.items() if name != "version"}


async def test_ids_are_marked_once(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """A mark answers the number of changes and the new counts, and changes nothing the second time."""
    ids = [await send(api, scopes, {"users": ["ana"]}) for _ in range(3)]
    first = await mark(api, scopes, state="read", ids=[ids[0], ids[1], ids[1]])
    assert (first["changed"], without_version(first["counts"])) == (2, {"unseen": 1, "unread": 1})
    assert "unknown" not in first
    before = await items(api, scopes)
    again = await mark(api, scopes, state="read", ids=ids[:2])
    assert again == {"changed": 0, "counts": first["counts"]}
    assert await items(api, scopes) == before
    page = (await api.get(PATH, headers=scopes)).json()
    assert page["counts"] == first["counts"]


async def test_up_to_marks_each_log_to_its_position(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """`up_to` marks each log to its position, and one past the end does not mark later entries."""
    await join(api, scopes, "team", "ana")
    for to in ({"users": ["ana"]}, {"groups": ["team"]}, {"all": True}) * 3:
        await send(api, scopes, to)
    marked = await mark(api, scopes, state="seen", up_to={"user": 2, "group:team": 10**15, "all": 0})
    assert (marked["changed"], without_version(marked["counts"])) == (5, {"unseen": 4, "unread": 9})
    late = await send(api, scopes, {"groups": ["team"]})
    assert (await items(api, scopes))[late]["state"] == "unseen"


async def test_all_may_be_narrowed_to_a_category(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """`all` with a category marks that category in every log, and without one everything."""
    for to in ({"users": ["ana"]}, {"all": True}):
        for category in ("orders", "chat"):
            await send(api, scopes, to, category=category)
    orders = await mark(api, scopes, state="read", all=True, category="orders")
    assert (orders["changed"], orders["counts"]["unread"]) == (2, 2)
    assert {
        item["notification"]["category"] for item in (await items(api, scopes, state="read")).values()
    } == {"orders"}
    everything = await mark(api, scopes, state="read", all=True)
    assert (everything["changed"], everything["counts"]["unread"]) == (2, 0)


async def test_all_and_up_to_skip_archived_items(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """`all` and `up_to` skip archived items, ids do not, and `unarchived` restores all of them."""
    listed, archived = [await send(api, scopes, {"users": ["ana"]}) for _ in range(2)]
    await mark(api, scopes, state="archived", ids=[archived])
    before = (await items(api, scopes, state="archived"))[archived]

    for state in ("seen", "read", "unread", "unseen", "read"):
        for what in ({"all": True}, {"up_to": {"user": 2}}):
            marked = await mark(api, scopes, state=state, **what)
            assert marked["changed"] == ("all" in what), (state, what)
    assert (await items(api, scopes, state="archived"))[archived] == before
    for identity, count in ((listed, 1), (archived, 0)):
        sent = (await api.get(f"/v1/notifications/{identity}", headers=scopes)).json()
        assert (sent["receipts"]["seen"], sent["receipts"]["read"]) == (count, count)

    assert (await mark(api, scopes, state="seen", ids=[archived]))["changed"] == 1
    assert (await mark(api, scopes, state="archived", all=True))["changed"] == 1
    back = await mark(api, scopes, state="unarchived", up_to={"user": 2})
    assert (back["changed"], without_version(back["counts"])) == (2, {"unseen": 0, "unread": 1})


async def test_each_undo_reverts_its_own_state(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """Unread reverts read only, unseen reverts both, and archived items are not in the counts."""
    identity = await send(api, scopes, {"users": ["ana"]})
    steps = [
        ("read", "read", 0, 0),
        ("unread", "seen", 0, 1),
        ("read", "read", 0, 0),
        ("unseen", "unseen", 1, 1),
    ]
    for state, item_state, unseen, unread in steps:
        marked = await mark(api, scopes, state=state, ids=[identity])
        assert (marked["changed"], without_version(marked["counts"])) == (
            1,
            {"unseen": unseen, "unread": unread},
        )
        assert (await items(api, scopes))[identity]["state"] == item_state
    archived = await mark(api, scopes, state="archived", ids=[identity])
    assert without_version(archived["counts"]) == {"unseen": 0, "unread": 0}
    assert await items(api, scopes) == {}
    back = await mark(api, scopes, state="unarchived", all=True)
    assert (back["changed"], without_version(back["counts"])) == (1, {"unseen": 1, "unread": 1})


async def test_the_first_time_wins(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """A later mark of the same state does not change the time of the first one."""
    first, second = [await send(api, scopes, {"users": ["ana"]}) for _ in range(2)]
    await mark(api, scopes, state="seen", ids=[first])
    seen_at = (await items(api, scopes))[first]["seen_at"]
    await mark(api, scopes, state="read", all=True)
    found = await items(api, scopes)
    assert found[first]["seen_at"] == seen_at
    assert found[first]["read_at"] == found[second]["seen_at"] > seen_at


async def test_ids_outside_the_inbox_are_unknown(
    api: httpx.AsyncClient, bearer: Bearer, scopes: dict[str, str]
) -> None:
    """Ids and logs of other users are listed in `unknown` and not marked; the rest is marked."""
    foreign = await send(api, bearer("send", tenant="other"), {"users": ["ana"]})
    bobs = await send(api, scopes, {"users": ["bob"]})
    excluded = await send(api, scopes, {"all": True, "exclude": ["ana"]})
    missed = await send(api, scopes, {"groups": ["team"]})
    await join(api, scopes, "team", "ana")
    recalled, mine = [await send(api, scopes, {"users": ["ana"]}) for _ in range(2)]
    await api.delete(f"/v1/notifications/{recalled}", headers=scopes)
    nobody = "0198c5f0-0000-7000-8000-000000000000"
    strange = [foreign, bobs, excluded, missed, recalled, nobody, "nope", "", "\u0000", "user/1", "x" * 500]
    marked = await mark(api, scopes, state="read", ids=[strange[0], mine, *strange[1:]])
    assert (marked["changed"], sorted(marked["unknown"])) == (1, sorted(strange))
    marked = await mark(api, scopes, state="read", up_to={"user": 9, "group:others": 1})
    assert (marked["changed"], marked["unknown"]) == (0, ["group:others"])
    bob = (await api.get("/v1/users/bob/notifications?state=read", headers=scopes)).json()
    assert bob["items"] == []
    other = await api.get(PATH, headers=bearer("read", tenant="other"))
    assert other.json()["counts"]["unread"] == 1


async def test_a_user_marks_the_own_inbox_alone(
    api: httpx.AsyncClient, bearer: Bearer, scopes: dict[str, str]
) -> None:
    """A user's token marks a broadcast in the own inbox and in no other."""
    await send(api, scopes, {"all": True})
    own = await api.post(
        "/v1/me/notifications/mark",
        json={"state": "read", "all": True},
        headers=bearer("inbox", subject="ana"),
    )
    assert (own.json()["changed"], own.json()["counts"]["unread"]) == (1, 0)
    bob = (await api.get("/v1/users/bob/notifications", headers=scopes)).json()
    assert bob["counts"]["unread"] == 1


async def test_concurrent_marks_change_each_item_once(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """Of concurrent overlapping marks exactly one changes each item, and the counts are right."""
    ids = [await send(api, scopes, {"users": ["ana"]}) for _ in range(12)]
    answers = await asyncio.gather(
        *(mark(api, scopes, state="read", ids=ids[start : start + 6]) for start in range(8)),
        mark(api, scopes, state="read", up_to={"user": 7}),
    )
    assert sum(answer["changed"] for answer in answers) == 12
    page = (await api.get(PATH, headers=scopes)).json()
    assert without_version(page["counts"]) == {"unseen": 0, "unread": 0}


async def test_a_thousand_ids_are_marked_at_once(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """One request marks 1,000 ids, the most that a mark may name."""
    body = {"notifications": [{"to": {"users": ["ana"]}, "title": "x"}] * 1000}
    sent = await api.post("/v1/notifications/batch", json=body, headers=scopes)
    ids = [result["id"] for result in sent.json()["results"]]
    assert (await mark(api, scopes, state="read", ids=ids))["changed"] == 1000
