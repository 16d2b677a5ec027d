"""Reading events by REST: positions, consumers, long polls, and requests that are wrong."""

import asyncio
import time
from typing import Any

import httpx
import msgspec
import pytest

from tests.api.conftest import Bearer, serving
from tests.support.no_tls import NO_TLS
from tests.support.ports import free_port
from tidings_workers.config import Settings
from tidings_workers.store import Store

EVENTS = "/v1/events"


async def read(api: httpx.AsyncClient, headers: dict[str, str], **query: Any) -> dict[str, Any]:
    """An answer of events; without a wait unless told otherwise."""
    answer = await api.get(EVENTS, params={"wait": 0, **query}, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def send(api: httpx.AsyncClient, headers: dict[str, str], user: str = "ana") -> str:
    body = {"to": {"users": [user]}, "title": "x"}
    answer = await api.post("/v1/notifications", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def test_events_are_read_once_by_position(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """A reader gets what happened after its first request, in parts, each once, and another tenant none."""
    headers = bearer("send read users events")
    start = await read(api, headers)
    assert start["events"] == []
    assert (await read(api, bearer("events", tenant="other")))["events"] == []
    ids = [await send(api, headers, f"u{number % 3}") for number in range(20)]
    await api.post("/v1/users/u0/notifications/mark", json={"all": True, "state": "read"}, headers=headers)
    found, after = [], start["next"]
    while part := await read(api, headers, after=after, limit=6):
        assert len(part["events"]) <= 6
        found += part["events"]
        after = part["next"]
        if not part["events"]:
            break
    assert sorted(
        each["data"]["notification"] for each in found if each["type"].endswith("stored")
    ) == sorted(ids)
    kinds = {kind: sum(each["type"] == f"notification.{kind}" for each in found) for kind in ("seen", "read")}
    assert kinds == {"seen": 7, "read": 7}
    assert len({each["id"] for each in found}) == len(found)
    assert all(each["timestamp"].endswith("Z") and len(each["timestamp"]) == 24 for each in found)
    only = await read(api, headers, after=start["next"], types="notification.read,notification.recalled")
    assert {each["type"] for each in only["events"]} == {"notification.read"}
    assert (await read(api, bearer("events", tenant="other")))["events"] == []


async def test_a_request_waits_for_an_event(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """A long poll is answered by the event that it waits for, and without one after its time."""
    headers = bearer("send events")
    start = await read(api, headers)
    waiting = asyncio.ensure_future(read(api, headers, after=start["next"], wait=60))
    began = time.monotonic()
    assert (await read(api, headers, after=start["next"], wait=1))["events"] == []
    assert time.monotonic() - began >= 1
    assert not waiting.done()
    identity = await send(api, headers)
    assert (await waiting)["events"][0]["data"]["notification"] == identity


async def test_now_leaves_earlier_events_out(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """With `after=now` a reader gets no earlier event, and each later one, as with any position."""
    headers = bearer("send events")
    assert (await read(api, headers, after="now"))["events"] == []
    earlier = await send(api, headers)
    start = await read(api, headers, after="now")
    assert start["events"] == []
    waiting = asyncio.ensure_future(read(api, headers, after="now", wait=60))
    later = await send(api, headers)
    found = await read(api, headers, after=start["next"])
    assert [each["data"]["notification"] for each in found["events"]] == [later]
    assert (await read(api, headers))["events"][0]["data"]["notification"] == earlier
    # The other request may have begun after that send.
    last = await send(api, headers)
    assert (await waiting)["events"][0]["data"]["notification"] in {later, last}
    wrong = await api.get(EVENTS, params={"after": "NOW"}, headers=headers)
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_cursor")


async def test_readers_of_a_consumer_share(api: httpx.AsyncClient, bearer: Bearer, store: Store) -> None:
    """Each event goes to one reader; unless it is acknowledged, it is handed out again after its time."""
    headers = bearer("send events")
    types = "notification.stored"
    assert await read(api, headers, consumer="worker", types=types) == {"events": [], "next": None}
    ids = [await send(api, headers, f"u{number}") for number in range(10)]
    parts = await asyncio.gather(
        *(read(api, headers, consumer="worker", types=types, limit=4, wait=1) for _ in range(4))
    )
    events = [event for part in parts for event in part["events"]]
    assert sorted(event["data"]["notification"] for event in events) == sorted(ids)
    done = [event["id"] for event in events[:7]]
    for expected in (7, 0):
        answer = await api.post(f"{EVENTS}/ack", json={"consumer": "worker", "ids": done}, headers=headers)
        assert (answer.status_code, answer.json()) == (200, {"acknowledged": expected})
    assert (await read(api, headers, consumer="worker", types=types))["events"] == []
    async for key in store.redis.scan_iter("*/held/worker"):
        for number in await store.redis.zrange(key, 0, -1):
            await store.redis.zadd(key, {number: 1})  # type: ignore[type-var]
    again = await read(api, headers, consumer="worker", types=types, wait=20)
    assert sorted(event["id"] for event in again["events"]) == sorted(event["id"] for event in events[7:])


@pytest.mark.parametrize(
    ("query", "status", "code", "words"),
    [
        ({"types": "notification.lost"}, 422, "invalid_request", "notification.stored"),
        ({"types": "user.online,"}, 422, "invalid_request", "user.online"),
        ({"types": ""}, 422, "invalid_request", "types"),
        ({"wait": 61}, 422, "invalid_request", "wait"),
        ({"wait": -1}, 422, "invalid_request", "wait"),
        ({"wait": "soon"}, 422, "invalid_request", "wait"),
        ({"limit": 0}, 422, "invalid_request", "limit"),
        ({"limit": 1001}, 422, "invalid_request", "limit"),
        ({"after": "nonsense"}, 400, "invalid_cursor", "`now`"),
        ({"consumer": "a/b"}, 422, "invalid_request", "consumer"),
        ({"consumer": "x" * 65}, 422, "invalid_request", "consumer"),
        ({"since": 1}, 422, "invalid_request", "since"),
    ],
)
async def test_a_wrong_query_is_refused(
    api: httpx.AsyncClient, bearer: Bearer, query: dict[str, Any], status: int, code: str, words: str
) -> None:
    """Each wrong parameter gets a stable code and a text that names it."""
    answer = await api.get(EVENTS, params={"wait": 0, **query}, headers=bearer("events"))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert words in answer.text


async def test_other_wrong_requests_are_refused(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """A cursor of another tenant or list, two positions, a missing scope and wrong bodies are refused."""
    headers = bearer("send read events")
    start = await read(api, headers)
    theirs = await api.get(EVENTS, params={"after": start["next"]}, headers=bearer("events", tenant="other"))
    assert (theirs.status_code, theirs.json()["code"]) == (400, "invalid_cursor")
    both = await api.get(EVENTS, params={"after": start["next"], "consumer": "w"}, headers=headers)
    assert (both.status_code, both.json()["code"]) == (422, "invalid_request")
    denied = await api.get(EVENTS, headers=bearer("send read users"))
    assert (denied.status_code, denied.json()["code"]) == (403, "insufficient_scope")
    bodies: list[Any] = [
        {"consumer": "w"},
        {"ids": []},
        {"consumer": "", "ids": []},
        {"consumer": "w", "ids": ["x"] * 1001},
        {"consumer": "w", "ids": [1]},
        {"consumer": "w", "ids": [], "more": 1},
    ]
    for body in bodies:
        answer = await api.post(f"{EVENTS}/ack", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), body
    for number in range(100):
        await read(api, headers, consumer=f"c{number}")
    refused = await api.get(EVENTS, params={"consumer": "more", "wait": 0}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")


async def test_a_stop_answers_the_requests_that_wait(settings: Settings, bearer: Bearer) -> None:
    """The API stops while requests wait: they are answered at once, with a position to go on from."""
    own = msgspec.structs.replace(settings, port=free_port(), drain_seconds=30)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{own.port}", timeout=60, verify=NO_TLS
    ) as client:
        async with serving(own):
            start = await read(client, bearer("events"))
            waiting = asyncio.ensure_future(read(client, bearer("events"), after=start["next"], wait=60))
            assert (await read(client, bearer("events"), after=start["next"], wait=1))["events"] == []
            began = time.monotonic()
        assert time.monotonic() - began < own.drain_seconds
        assert await waiting == {"events": [], "next": start["next"]}
