"""An inbox by REST: filters, cursors, counts, and conditional requests."""

import asyncio
import itertools
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from tests.api.conftest import Bearer
from tests.support.rest import join, send, walk
from tidings_api.cursors import Cursors
from tidings_api.problems import ProblemError
from tidings_workers.store import Store

PATH = "/v1/users/ana/notifications"


@pytest.fixture
def scopes(bearer: Bearer) -> dict[str, str]:
    return bearer("send read groups users")


async def mark(api: httpx.AsyncClient, headers: dict[str, str], state: str, *ids: str) -> None:
    answer = await api.post(f"{PATH}/mark", json={"state": state, "ids": ids}, headers=headers)
    assert answer.status_code == 200, answer.text


async def found(api: httpx.AsyncClient, headers: dict[str, str], **query: str) -> list[str]:
    """The titles of the items that a query lists."""
    answer = await api.get(PATH, params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return [item["notification"]["title"] for item in answer.json()["items"]]


async def test_archived_items_are_only_in_their_own_list(
    api: httpx.AsyncClient, scopes: dict[str, str]
) -> None:
    """Each state filter lists its items, and archived items are only in the archived list."""
    ids = {
        title: await send(api, scopes, {"users": ["ana"]}, title=title)
        for title in ("new", "seen", "read", "kept", "gone")
    }
    await mark(api, scopes, "seen", ids["seen"])
    await mark(api, scopes, "read", ids["read"], ids["gone"])
    await mark(api, scopes, "archived", ids["kept"], ids["gone"])
    expected = {
        "unseen": ["new"],
        "seen": ["read", "seen"],
        "unread": ["seen", "new"],
        "read": ["read"],
        "archived": ["gone", "kept"],
    }
    assert {state: await found(api, scopes, state=state) for state in expected} == expected
    assert await found(api, scopes) == ["read", "seen", "new"]


async def test_an_item_has_its_state_and_the_time_of_each_state(
    api: httpx.AsyncClient, scopes: dict[str, str]
) -> None:
    """Read sets seen at the same time, and archived has a time of its own."""
    first, second = [await send(api, scopes, {"users": ["ana"]}, title=title) for title in "ab"]
    await mark(api, scopes, "read", first)
    await mark(api, scopes, "archived", first)
    (archived,) = (await api.get(PATH, params={"state": "archived"}, headers=scopes)).json()["items"]
    assert archived["state"] == "archived"
    assert archived["seen_at"] == archived["read_at"]
    assert archived["read_at"] < archived["archived_at"]
    await mark(api, scopes, "seen", second)
    (seen,) = (await api.get(PATH, headers=scopes)).json()["items"]
    assert (seen["state"], seen["read_at"], seen["archived_at"]) == ("seen", None, None)
    assert seen["seen_at"] is not None


async def test_a_category_is_exact_or_a_prefix_that_ends_in_a_dot(
    api: httpx.AsyncClient, scopes: dict[str, str]
) -> None:
    """`orders.` lists every category that begins with it in every log, and `orders` only itself."""
    await join(api, scopes, "team", "ana")
    for category, to in (
        ("orders", {"users": ["ana"]}),
        ("orders.new", {"users": ["ana"]}),
        ("orders.paid", {"groups": ["team"]}),
        ("orders2", {"all": True}),
        ("chat", {"users": ["ana"]}),
    ):
        await send(api, scopes, to, title=category, category=category)
    await send(api, scopes, {"users": ["ana"]}, title="none")
    assert await found(api, scopes, category="orders") == ["orders"]
    assert await found(api, scopes, category="orders.") == ["orders.paid", "orders.new"]
    assert await found(api, scopes, category="orders.new") == ["orders.new"]
    assert await found(api, scopes, category="ord") == []
    pages = await walk(api, PATH, scopes, 1, {"category": "orders."})
    assert [len(page) for page in pages] == [1, 1]


async def test_a_log_filter_lists_one_log(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """`log` lists one log, and nothing for a group that the user never joined."""
    await join(api, scopes, "team", "ana")
    for title, to in (("own", {"users": ["ana"]}), ("team", {"groups": ["team"]}), ("all", {"all": True})):
        await send(api, scopes, to, title=title)
    await send(api, scopes, {"groups": ["others"]}, title="not hers")
    assert await found(api, scopes, log="user") == ["own"]
    assert await found(api, scopes, log="group:team") == ["team"]
    assert await found(api, scopes, log="all") == ["all"]
    assert await found(api, scopes, log="group:others") == []


async def test_a_time_range_excludes_its_ends(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """`after` and `before` exclude their own time, in any zone and to the microsecond."""
    for number in range(5):
        await send(api, scopes, {"users": ["ana"]}, title=str(number))
    items = (await api.get(PATH, headers=scopes)).json()["items"]
    times = {item["notification"]["title"]: item["notification"]["created_at"] for item in items}
    middle = times["2"]
    later = [title for title in "43210" if times[title] > middle]
    earlier = [title for title in "43210" if times[title] < middle]
    same = [title for title in "43210" if times[title] == middle]
    assert await found(api, scopes, after=middle) == later
    assert await found(api, scopes, before=middle) == earlier
    elsewhere = datetime.fromisoformat(middle).astimezone(timezone(timedelta(hours=2)))
    assert await found(api, scopes, after=elsewhere.isoformat()) == later
    just_before, just_after = ((elsewhere + timedelta(microseconds=shift)).isoformat() for shift in (-1, 1))
    assert await found(api, scopes, after=just_before, before=just_after) == same
    assert await found(api, scopes, before="1960-01-01T00:00:00Z") == []
    assert len(await found(api, scopes, after="0001-01-01T00:00:00Z", before="9999-12-31T23:59:59Z")) == 5


async def test_new_items_do_not_move_later_pages(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """Notifications after the first page was read do not change the pages after it."""
    for number in range(6):
        await send(api, scopes, {"users": ["ana"]} if number % 2 else {"all": True}, title=str(number))
    first = (await api.get(PATH, params={"limit": 3, "state": "unread"}, headers=scopes)).json()
    await send(api, scopes, {"all": True}, title="late")
    rest = await found(api, scopes, limit="3", state="unread", cursor=first["next"])
    assert [item["notification"]["title"] for item in first["items"]] + rest == list("543210")


async def test_counts_by_category_have_the_unread_categories(
    api: httpx.AsyncClient, scopes: dict[str, str]
) -> None:
    """counts=category lists the categories with an unseen or unread item; no category is an empty name."""
    ids = [
        await send(api, scopes, to, **({"category": category} if category else {}))
        for category, to in (
            ("orders", {"users": ["ana"]}),
            ("orders", {"all": True}),
            ("chat", {"users": ["ana"]}),
            ("done", {"users": ["ana"]}),
            ("", {"users": ["ana"]}),
        )
    ]
    await mark(api, scopes, "seen", ids[0])
    await mark(api, scopes, "read", ids[3])
    page = (await api.get(PATH, params={"counts": "category", "category": "chat"}, headers=scopes)).json()
    assert page["counts"] | {"version": 0} == {
        "unseen": 3,
        "unread": 4,
        "version": 0,
        "categories": {
            "": {"unseen": 1, "unread": 1},
            "chat": {"unseen": 1, "unread": 1},
            "orders": {"unseen": 1, "unread": 2},
        },
    }
    assert "categories" not in (await api.get(PATH, headers=scopes)).json()["counts"]


async def test_a_user_reads_the_own_inbox_in_the_same_way(
    api: httpx.AsyncClient, bearer: Bearer, scopes: dict[str, str]
) -> None:
    """/v1/me/notifications takes the same filters and answers the same items."""
    for category in ("a.1", "a.2", "b"):
        await send(api, scopes, {"users": ["ana"]}, title=category, category=category)
    query = {"category": "a.", "state": "unread", "log": "user", "counts": "category"}
    own = await api.get("/v1/me/notifications", params=query, headers=bearer("inbox", subject="ana"))
    theirs = await api.get(PATH, params=query, headers=scopes)
    assert own.json() == theirs.json()
    assert len(own.json()["items"]) == 2


async def test_an_unchanged_page_is_a_304(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """A page with its ETag gets an empty 304 until something changes, and another page has another ETag."""
    identity = await send(api, scopes, {"users": ["ana"]})
    page = await api.get(PATH, headers=scopes)
    tag = page.headers["etag"]
    assert tag.startswith('W/"')
    known = scopes | {"if-none-match": tag}
    again = await api.get(PATH, headers=known)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert again.headers["cache-control"] == "private, no-cache"
    for query in ({"limit": "2"}, {"state": "unread"}, {"counts": "category"}, {"log": "user"}):
        other = await api.get(PATH, params=query, headers=known)
        assert (other.status_code, other.headers["etag"] == tag) == (200, False)
    assert (await api.get("/v1/users/bob/notifications", headers=known)).status_code == 200
    await mark(api, scopes, "read", identity)
    marked = await api.get(PATH, headers=known)
    assert (marked.status_code, marked.json()["counts"]["unread"]) == (200, 0)
    known = scopes | {"if-none-match": marked.headers["etag"]}
    await send(api, scopes, {"all": True}, title="y")
    assert len((await api.get(PATH, headers=known)).json()["items"]) == 2


async def test_each_kind_of_condition(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """If-None-Match may be a list, several lines, a strong form, or a star (RFC 9110, section 13.1.2)."""
    await send(api, scopes, {"users": ["ana"]})
    tag = (await api.get(PATH, headers=scopes)).headers["etag"]
    strong = tag.removeprefix("W/")
    lines = [
        *scopes.items(),
        ("if-none-match", '"other, one"'),
        ("if-none-match", f'W/"another", {tag}'),
    ]
    assert (await api.get(PATH, headers=lines)).status_code == 304
    for value, status in {
        strong: 304,
        f'"a", W/"b" ,{tag}': 304,
        "*": 304,
        '"a"': 200,
        tag[:-1]: 200,
        strong.strip('"'): 200,
        "": 200,
        f'"{strong[1:-1]} "': 200,
    }.items():
        answer = await api.get(PATH, headers=scopes | {"if-none-match": value})
        assert (answer.status_code, answer.headers["etag"]) == (status, tag), value
    assert (await api.head(PATH, headers=scopes | {"if-none-match": tag})).status_code == 304


async def test_a_condition_does_not_hide_an_error(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """A condition does not replace an error by a 304."""
    asked = scopes | {"if-none-match": "*"}
    assert (await api.get(PATH, params={"cursor": "AAAA"}, headers=asked)).status_code == 400
    assert (await api.get(PATH, params={"after": "x"}, headers=asked)).status_code == 422


async def test_a_cursor_is_void_after_a_loss_of_data(store: Store) -> None:
    """A cursor from before a loss of data is an invalid_cursor."""
    cursor = Cursors(store, "demo", "inbox", "ana", None).write(b"where")
    assert Cursors(store, "demo", "inbox", "ana", None).read(cursor) == b"where"
    await store.start_new_epoch()
    with pytest.raises(ProblemError) as refused:
        Cursors(store, "demo", "inbox", "ana", None).read(cursor)
    assert refused.value.code == "invalid_cursor"


async def test_a_tag_names_one_content(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """Pages that are read during marks and have the same tag have the same states and counts."""
    ids = [await send(api, scopes, {"users": ["ana"]}) for _ in range(30)]

    async def read_on() -> list[httpx.Response]:
        return [await api.get(PATH, headers=scopes) for _ in ids]

    async def mark_on(part: list[str]) -> None:
        for identity in part:
            await mark(api, scopes, "read", identity)

    *pages, _, _ = await asyncio.gather(
        read_on(), read_on(), read_on(), mark_on(ids[::2]), mark_on(ids[1::2])
    )
    contents: dict[str, Any] = {}
    for page in itertools.chain(*pages):
        assert page.json() == contents.setdefault(page.headers["etag"], page.json())
    assert len(contents) > 1
