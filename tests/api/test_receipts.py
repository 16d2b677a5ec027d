"""Receipts by REST: counts for every target, and lists by user for direct and compound notifications."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import Bearer
from tests.support.rest import join, walk
from tests.support.sending import eventually


@pytest.fixture
def scopes(bearer: Bearer) -> dict[str, str]:
    return bearer("send read groups users")


async def stored(api: httpx.AsyncClient, headers: dict[str, str], to: dict[str, Any]) -> str:
    """Send, wait until it is stored for every recipient, and return the notification's address."""
    answer = await api.post("/v1/notifications", json={"to": to, "title": "x"}, headers=headers)
    path: str = answer.headers["location"]

    async def status() -> Any:
        return (await api.get(path, headers=headers)).json()["status"]

    await eventually(status, "stored")
    return path


async def mark(api: httpx.AsyncClient, headers: dict[str, str], user: str, state: str) -> None:
    path = f"/v1/users/{user}/notifications/mark"
    answer = await api.post(path, json={"state": state, "all": True}, headers=headers)
    assert answer.status_code == 200, answer.text


async def by_user(api: httpx.AsyncClient, headers: dict[str, str], path: str) -> dict[str, tuple[bool, ...]]:
    """The progress of each user: delivered, seen, read."""
    items = (await api.get(f"{path}/receipts", headers=headers)).json()["items"]
    return {item["user"]: (item["delivered"], item["seen"], item["read"]) for item in items}


@pytest.mark.parametrize(
    ("to", "recipients"),
    [
        ({"users": ["ana"]}, 1),
        ({"users": ["ana", "bob"]}, 2),
        ({"groups": ["team"]}, 2),
        ({"groups": ["team"], "users": ["eve"]}, 3),
        ({"all": True}, None),
    ],
)
async def test_each_user_counts_once_and_counts_never_fall(
    api: httpx.AsyncClient, scopes: dict[str, str], to: dict[str, Any], recipients: int | None
) -> None:
    """Read counts as seen and delivered, once per user, and an undo lowers no count, for every target."""
    await join(api, scopes, "team", "ana", "bob")
    path = await stored(api, scopes, to)

    async def receipts() -> Any:
        return (await api.get(path, headers=scopes)).json()["receipts"]

    assert await receipts() == {"recipients": recipients, "delivered": 0, "seen": 0, "read": 0, "actions": {}}
    await mark(api, scopes, "ana", "seen")
    await eventually(
        receipts, {"recipients": recipients, "delivered": 1, "seen": 1, "read": 0, "actions": {}}
    )
    for state in ("read", "unseen", "read", "unread"):
        await mark(api, scopes, "ana", state)
    await eventually(
        receipts, {"recipients": recipients, "delivered": 1, "seen": 1, "read": 1, "actions": {}}
    )


@pytest.mark.parametrize("to", [{"users": ["ana", "bob"]}, {"users": ["ana"], "groups": ["team"]}])
async def test_receipts_are_listed_by_user(
    api: httpx.AsyncClient, scopes: dict[str, str], to: dict[str, Any]
) -> None:
    """Each user of a compound notification has the progress that was reached, and the current times."""
    await join(api, scopes, "team", "bob")
    path = await stored(api, scopes, to)
    nothing, everything = (False, False, False), (True, True, True)
    assert await by_user(api, scopes, path) == {"ana": nothing, "bob": nothing}
    await mark(api, scopes, "ana", "read")
    assert await by_user(api, scopes, path) == {"ana": everything, "bob": nothing}
    items = (await api.get(f"{path}/receipts", headers=scopes)).json()["items"]
    inbox = (await api.get("/v1/users/ana/notifications", headers=scopes)).json()["items"]
    (ana,) = [item for item in items if item["user"] == "ana"]
    assert (ana["seen_at"], ana["read_at"]) == (inbox[0]["seen_at"], inbox[0]["read_at"])
    await mark(api, scopes, "ana", "unseen")
    items = (await api.get(f"{path}/receipts", headers=scopes)).json()["items"]
    assert [item for item in items if item["user"] == "ana"] == [ana | {"seen_at": None, "read_at": None}]


async def test_receipts_by_user_are_paged(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """Receipts are listed completely and once, both ways, and a cursor is valid only for its notification."""
    users = [f"u{number}" for number in range(7)]
    path = await stored(api, scopes, {"users": [*users, "out"], "exclude": ["out"]})
    other = await stored(api, scopes, {"users": users})
    pages = await walk(api, f"{path}/receipts", scopes, 3)
    assert sorted(item["user"] for page in pages for item in page) == users
    assert [len(page) for page in pages] == [3, 3, 1]
    cursor = (await api.get(f"{path}/receipts", params={"limit": 3}, headers=scopes)).json()["next"]
    answer = await api.get(f"{other}/receipts", params={"cursor": cursor}, headers=scopes)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


async def test_one_user_has_one_receipt(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """A direct notification has one receipt, and one that excludes its only user has none."""
    direct = await stored(api, scopes, {"users": ["ana"]})
    assert await by_user(api, scopes, direct) == {"ana": (False, False, False)}
    nobody = await stored(api, scopes, {"users": ["ana"], "exclude": ["ana"]})
    assert await by_user(api, scopes, nobody) == {}


@pytest.mark.parametrize("to", [{"groups": ["team"]}, {"all": True}])
async def test_group_and_all_notifications_have_only_counts(
    api: httpx.AsyncClient, scopes: dict[str, str], to: dict[str, Any]
) -> None:
    """A list of receipts for one group or all gets a 422 that names the route of the counts."""
    path = await stored(api, scopes, to)
    answer = await api.get(f"{path}/receipts", headers=scopes)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "only counts" in answer.json()["detail"]


async def test_receipts_of_another_tenant_are_not_found(
    api: httpx.AsyncClient, bearer: Bearer, scopes: dict[str, str]
) -> None:
    """Receipts of another tenant's notification are a 404, for every target."""
    for to in ({"users": ["ana"]}, {"all": True}):
        path = await stored(api, scopes, to)
        answer = await api.get(f"{path}/receipts", headers=bearer("read", tenant="other"))
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
