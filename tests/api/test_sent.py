"""The list of sent notifications: newest first, all of the tenant's and none of others."""

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


async def test_sent_notifications_are_listed_newest_first(
    api: httpx.AsyncClient, scopes: dict[str, str]
) -> None:
    """Sends of every kind, single and in batches, are listed completely and once, both ways."""
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

    # Both directions list the same only when no notification is stored in between.
    await eventually(statuses, expected={"stored"})
    pages = await walk(api, PATH, scopes, 3)
    assert [item["id"] for page in pages for item in page] == ids[::-1]
    assert [len(page) for page in pages] == [3, 3, 3, 1]
    body = {"notifications": [{"to": {"users": ["ana"]}, "title": "x"}] * 3}
    results = (await api.post(f"{PATH}/batch", json=body, headers=scopes)).json()["results"]
    newest = (await api.get(PATH, params={"limit": 3}, headers=scopes)).json()["items"]
    assert {item["id"] for item in newest} == {result["id"] for result in results}


async def test_a_listed_notification_equals_its_single_form(
    api: httpx.AsyncClient, scopes: dict[str, str]
) -> None:
    """A list has the same content, status and receipts as GET of the notification, also after a recall."""
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


async def test_sent_notifications_are_filtered_by_category(
    api: httpx.AsyncClient, scopes: dict[str, str]
) -> None:
    """A filter is a category or a prefix with a dot at its end, and its cursors are valid only for it."""
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
    """A tenant lists only its own notifications, and its cursor is invalid for another tenant."""
    theirs = bearer("send read", tenant="other")
    for _ in range(2):
        await send(api, theirs, {"users": ["ana"]}, title="theirs")
    assert (await api.get(PATH, headers=scopes)).json()["items"] == []
    cursor = (await api.get(PATH, params={"limit": 1}, headers=theirs)).json()["next"]
    answer = await api.get(PATH, params={"cursor": cursor}, headers=scopes)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
