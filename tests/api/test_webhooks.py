"""Webhooks by REST: made, read, changed, deleted, tested, and their deliveries."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.api.conftest import Bearer
from tests.support.receivers import receiving, status
from tidings_workers import standard_webhooks
from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.store import Store

PATH = "/v1/webhooks"
URL = "https://shop.example/hooks"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Requests may reach receivers on loopback."""
    return Settings(
        redis_url=settings.redis_url, port=settings.port, drain_seconds=3, egress_networks="127.0.0.0/8"
    )


async def test_an_endpoint(api: httpx.AsyncClient, bearer: Bearer, registry: Registry) -> None:
    """The secret is in the answers that made it alone; changes, rotation and deletion take effect."""
    headers = bearer("webhooks")
    assert (await api.get(PATH, headers=headers)).json() == {"items": [], "next": None, "previous": None}
    answer = await api.post(PATH, json={"url": URL, "events": ["user.*"]}, headers=headers)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    secret = made.pop("secret")
    assert standard_webhooks.is_secret(secret)
    assert answer.headers["location"] == f"{PATH}/{made['id']}"
    assert made | {"id": "", "created_at": ""} == {
        "id": "",
        "url": URL,
        "events": ["user.*"],
        "description": "",
        "enabled": True,
        "created_at": "",
        "disabled": None,
    }
    own = f"{PATH}/{made['id']}"
    assert (await api.get(own, headers=headers)).json() == made
    assert (await api.get(PATH, headers=headers)).json()["items"] == [made]
    changed = await api.patch(own, json={"description": "mine", "enabled": False}, headers=headers)
    assert changed.json() == made | {"description": "mine", "enabled": False}
    rotated = await api.post(f"{own}/rotate", headers=headers)
    assert rotated.status_code == 200, rotated.text
    assert rotated.json()["secret"] != secret
    other = bearer("webhooks", tenant="other")
    for answer in (await api.get(own, headers=other), await api.patch(own, json={}, headers=other)):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await api.delete(own, headers=other)).status_code == 204
    assert (await api.get(own, headers=headers)).status_code == 200
    for _ in range(2):
        assert (await api.delete(own, headers=headers)).status_code == 204
    assert (await api.get(own, headers=headers)).status_code == 404
    assert secret not in repr(await registry.tenant("demo"))


INVALID: list[tuple[Any, str]] = [
    ({"events": ["*"]}, "#/url"),
    ({"url": URL}, "#/events"),
    ({"url": URL, "events": []}, "#/events"),
    ({"url": URL, "events": ["notification.eaten"]}, "#/events/0"),
    ({"url": URL, "events": ["*", "user*"]}, "#/events/1"),
    ({"url": URL, "events": ["*"] * 51}, "#/events"),
    ({"url": "http://10.0.0.1/", "events": ["*"]}, "#/url"),
    ({"url": "http://169.254.169.254/latest", "events": ["*"]}, "#/url"),
    ({"url": "ftp://shop.example/", "events": ["*"]}, "#/url"),
    ({"url": URL, "events": ["*"], "secret": "x"}, "#/secret"),
    ({"url": URL, "events": ["*"], "enabled": 1}, "#/enabled"),
]


@pytest.mark.parametrize(("body", "pointer"), INVALID)
async def test_invalid(api: httpx.AsyncClient, bearer: Bearer, body: Any, pointer: str) -> None:
    """A body that cannot be used is a 422 that names its fault."""
    answer = await api.post(PATH, json=body, headers=bearer("webhooks"))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


async def test_deliveries(api: httpx.AsyncClient, bearer: Bearer, store: Store) -> None:
    """A delivery that failed is listed with its attempt, and retried on request; a replay repeats it."""
    headers = bearer("webhooks")
    async with receiving() as receiver:
        receiver.answer = status("500 Internal Server Error")
        body = {"url": receiver.url, "events": ["message.received"]}
        made = (await api.post(PATH, json=body, headers=headers)).json()
        own = f"{PATH}/{made['id']}"
        test = await api.post(f"{own}/test", headers=headers)
        assert (test.status_code, test.json()["succeeded"], test.json()["status"]) == (200, False, 500)
        assert receiver.received[0].event["type"] == "webhook.test"
        await store.events.append("demo", "ana", "message.received", b'{"user":"ana"}')

        async def listed(kind: str) -> list[Any]:
            async with asyncio.timeout(30):
                while True:
                    answer = await api.get(f"{own}/deliveries", params={"status": kind}, headers=headers)
                    assert answer.status_code == 200, answer.text
                    found: list[Any] = answer.json()["items"]
                    if found:
                        return found
                    await asyncio.sleep(0.05)

        [delivery] = await listed("pending")
        assert delivery["type"] == "message.received"
        assert delivery["attempts"][0]["status"] == 500
        receiver.answer = status("200 OK")
        assert (
            await api.post(f"{own}/deliveries/{delivery['id']}/retry", headers=headers)
        ).status_code == 204
        succeeded = await listed("succeeded")
        assert [each["status"] for each in succeeded[0]["attempts"]] == [500, 200]
        assert succeeded[0]["next_try_at"] is None
        again = await api.post(f"{own}/deliveries/{delivery['id']}/retry", headers=headers)
        assert again.status_code == 422
        assert (await api.post(f"{own}/deliveries/evt_1/retry", headers=headers)).status_code == 404
        number = len(receiver.received)
        since = {"since": "2026-01-01T00:00:00Z"}
        assert (await api.post(f"{own}/replay", json=since, headers=headers)).status_code == 202
        await receiver.count(number + 1)
        assert receiver.ids[-1] == delivery["id"]
        late = {"since": "2999-01-01T00:00:00Z"}
        assert (await api.post(f"{own}/replay", json=late, headers=headers)).status_code == 422
