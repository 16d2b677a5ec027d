"""Groups, members and inboxes: changes are idempotent, and pages lead to each other."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.api.conftest import Bearer
from tests.support.rest import join, walk
from tidings_workers.store.ids import milliseconds


@pytest.fixture
def all_scopes(bearer: Bearer) -> dict[str, str]:
    return bearer("send read groups")


async def next_millisecond() -> None:
    """Wait until the clock shows another millisecond: notifications of one have no order between logs."""
    sent = milliseconds()
    while milliseconds() == sent:  # noqa: ASYNC110  the clock has no event
        await asyncio.sleep(0)


async def test_adding_and_removing_members_is_idempotent(
    api: httpx.AsyncClient, all_scopes: dict[str, str]
) -> None:
    """PUT and DELETE of a member answer 204 each time, and the group counts each user once."""
    path = "/v1/groups/team-7"
    assert (await api.get(path, headers=all_scopes)).status_code == 404
    assert (await api.get(f"{path}/members", headers=all_scopes)).json()["items"] == []
    for _ in range(2):
        assert (await api.put(f"{path}/members/ana", headers=all_scopes)).status_code == 204
    assert (await api.put(f"{path}/members/bob", headers=all_scopes)).status_code == 204
    group = (await api.get(path, headers=all_scopes)).json()
    assert (group["id"], group["members"], set(group)) == ("team-7", 2, {"id", "members", "created_at"})
    for _ in range(2):
        assert (await api.delete(f"{path}/members/ana", headers=all_scopes)).status_code == 204
    members = (await api.get(f"{path}/members", headers=all_scopes)).json()["items"]
    assert [member["user"] for member in members] == ["bob"]
    for _ in range(2):
        assert (await api.delete(path, headers=all_scopes)).status_code == 204
    assert (await api.get(path, headers=all_scopes)).status_code == 404


async def test_a_change_of_many_members_counts_the_changes(
    api: httpx.AsyncClient, all_scopes: dict[str, str]
) -> None:
    """10,000 users are added by one request, the answer counts only real changes, and one more is refused."""
    users = [f"user-{number}" for number in range(10_000)]
    path = "/v1/groups/big/members"
    added = await api.post(path, json={"add": users}, headers=all_scopes)
    assert added.json() == {"added": 10_000, "removed": 0}
    again = await api.post(
        path, json={"add": users[:5], "remove": [*users[5:8], "nobody"]}, headers=all_scopes
    )
    assert again.json() == {"added": 0, "removed": 3}
    over = await api.post(path, json={"add": users, "remove": ["x"]}, headers=all_scopes)
    assert (over.status_code, over.json()["code"]) == (422, "invalid_request")


async def test_lists_are_walked_both_ways(api: httpx.AsyncClient, all_scopes: dict[str, str]) -> None:
    """Groups, groups of a user and members are listed completely and once, forwards and backwards."""
    names = [f"g{number}" for number in range(7)]
    for name in names:
        await api.post(f"/v1/groups/{name}/members", json={"add": ["ana"]}, headers=all_scopes)
    await api.post("/v1/groups/g0/members", json={"add": ["u1", "u2", "u3"]}, headers=all_scopes)
    for path in ("/v1/groups", "/v1/users/ana/groups"):
        pages = await walk(api, path, all_scopes, 3)
        assert [item["id"] for page in pages for item in page] == names
    pages = await walk(api, "/v1/groups/g0/members", all_scopes, 2)
    assert [item["user"] for page in pages for item in page] == ["ana", "u1", "u2", "u3"]


async def test_an_inbox_is_newest_first(api: httpx.AsyncClient, all_scopes: dict[str, str]) -> None:
    """An inbox merges user, group and all logs, pages both ways, and filters by category."""
    await join(api, all_scopes, "team", "ana")
    targets: list[Any] = [{"users": ["ana"]}, {"groups": ["team"]}, {"all": True}] * 3
    for number, to in enumerate(targets):
        body = {"to": to, "title": str(number), "category": "even" if number % 2 == 0 else "odd"}
        assert (await api.post("/v1/notifications", json=body, headers=all_scopes)).status_code == 202
        await next_millisecond()
    path = "/v1/users/ana/notifications"
    pages = await walk(api, path, all_scopes, 4)
    titles = [item["notification"]["title"] for page in pages for item in page]
    assert titles == [str(number) for number in reversed(range(9))]
    page = (await api.get(path, headers=all_scopes)).json()
    assert page["counts"] == {"unseen": 9, "unread": 9, "version": page["counts"]["version"]}
    assert page["positions"] == {"user": 3, "all": 3, "group:team": 3}
    assert page["items"][0] | {"notification": None} == {
        "log": "all", "position": 3, "state": "unseen", "seen_at": None, "read_at": None, "archived_at": None,
        "snoozed_until": None, "action": None,
        "notification": None,
    }  # fmt: skip
    odd = (await api.get(path, params={"category": "odd"}, headers=all_scopes)).json()
    assert [item["notification"]["title"] for item in odd["items"]] == ["7", "5", "3", "1"]


async def test_a_cursor_is_valid_only_for_its_list(
    api: httpx.AsyncClient, bearer: Bearer, all_scopes: dict[str, str]
) -> None:
    """A cursor of another list, user, filter or tenant, or with a changed byte, is refused."""
    for user in ("ana", "bob"):
        for _ in range(2):
            body = {"to": {"users": [user]}, "title": "x"}
            await api.post("/v1/notifications", json=body, headers=all_scopes)
    path = "/v1/users/ana/notifications"
    cursor = (await api.get(path, params={"limit": 1}, headers=all_scopes)).json()["next"]
    changed = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    attempts = [
        (path, changed, {}, all_scopes),
        (path, cursor, {"category": "c"}, all_scopes),
        (path, cursor, {"state": "unseen"}, all_scopes),
        (path, cursor, {"log": "user"}, all_scopes),
        (path, cursor, {"after": "2026-01-01T00:00:00Z"}, all_scopes),
        (path, cursor, {"before": "2126-01-01T00:00:00Z"}, all_scopes),
        ("/v1/notifications", cursor, {}, all_scopes),
        ("/v1/users/bob/notifications", cursor, {}, all_scopes),
        ("/v1/groups", cursor, {}, all_scopes),
        (path, cursor, {}, bearer("read", tenant="other")),
    ]
    for where, token, query, headers in attempts:
        answer = await api.get(where, params={"cursor": token, **query}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor"), where
    assert (await api.get(path, params={"cursor": cursor}, headers=all_scopes)).status_code == 200
