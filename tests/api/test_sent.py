"""The list of what was sent: newest first, all of the tenant's, nothing of others."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import Bearer
from tests.support.rest import send, walk
from tests.support.sending import eventually

PATH = "/v1/notifications"


@pytest.fixture
def scopes(bearer: Bearer) -> dict[str, str]:
    return bearer("send read")


async def test_what_was_sent_is_listed_newest_first(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """Sends of every kind, one by one and in batches, come whole and once, forwards and back."""
    targets: list[dict[str, Any]] = [
        {"users": ["ana"]},
        {"groups": ["team"]},
        {"all": True},
        {"users": ["ana", "bob"], "groups": ["team"]},
        {"users": ["ana"], "exclude": ["ana"]},
    ]
    ids = [await send(api, scopes, to, title=str(number)) for number, to in enumerate(targets * 2)]

    async def statuses() -> set[str]:
        return {item["status"] for item in (await api.get(PATH, headers=scopes)).json()["items"]}

    # Forwards and back are the same only when nothing is stored in between.
    await eventually(statuses, expected={"stored"})
    pages = await walk(api, PATH, scopes, 3)
    assert [item["id"] for page in pages for item in page] == ids[::-1]
    assert [len(page) for page in pages] == [3, 3, 3, 1]
    body = {"notifications": [{"to": {"users": ["ana"]}, "title": "x"}] * 3}
    results = (await api.post(f"{PATH}/batch", json=body, headers=scopes)).json()["results"]
    newest = (await api.get(PATH, params={"limit": 3}, headers=scopes)).json()["items"]
    assert {item["id"] for item in newest} == {result["id"] for result in results}


async def test_a_listed_notification_is_what_its_own_address_gives(
    api: httpx.AsyncClient, scopes: dict[str, str]
) -> None:
    """Content, status and receipts stand in the list as in GET of the one, also after a recall."""
    fields = {"body": "b", "data": {"n": 1}, "actions": [{"id": "a", "label": "A"}], "expires_in": 60}
    identity = await send(api, scopes, {"users": ["ana"]}, category="orders", **fields)
    one = (await api.get(f"{PATH}/{identity}", headers=scopes)).json()
    assert (await api.get(PATH, headers=scopes)).json() == {"items": [one], "next": None, "previous": None}
    assert {name: one[name] for name in ("body", "data", "actions")} == {
        name: fields[name] for name in ("body", "data", "actions")
    }
    await api.delete(f"{PATH}/{identity}", headers=scopes)
    (listed,) = (await api.get(PATH, headers=scopes)).json()["items"]
    assert listed["status"] == "recalled"


async def test_what_was_sent_is_narrowed_by_category(api: httpx.AsyncClient, scopes: dict[str, str]) -> None:
    """An exact category, or a prefix that ends in a dot; its cursors are good for it alone."""
    for number in range(2):
        for category in ("orders.new", "orders.paid", "orders", "chat"):
            await send(api, scopes, {"users": [f"u{number}"]}, title=category, category=category)
    await send(api, scopes, {"users": ["ana"]}, title="none")
    pages = await walk(api, PATH, scopes, 3, {"category": "orders."})
    assert [item["title"] for page in pages for item in page] == ["orders.paid", "orders.new"] * 2
    exact = (await api.get(PATH, params={"category": "orders", "limit": 1}, headers=scopes)).json()
    assert [item["title"] for item in exact["items"]] == ["orders"]
    for query in ({}, {"category": "chat"}):
        answer = await api.get(PATH, params={"cursor": exact["next"], **query}, headers=scopes)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


async def test_a_tenant_lists_only_its_own(
    api: httpx.AsyncClient, bearer: Bearer, scopes: dict[str, str]
) -> None:
    """Another tenant's notifications are not in the list, nor is its cursor good for it."""
    theirs = bearer("send read", tenant="other")
    for _ in range(2):
        await send(api, theirs, {"users": ["ana"]}, title="theirs")
    assert (await api.get(PATH, headers=scopes)).json()["items"] == []
    cursor = (await api.get(PATH, params={"limit": 1}, headers=theirs)).json()["next"]
    answer = await api.get(PATH, params={"cursor": cursor}, headers=scopes)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
