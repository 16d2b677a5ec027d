"""Server-sent events: the frames of a connection over HTTP, with an exact resume by Last-Event-ID."""

import asyncio
import json
from typing import Any

import httpx
import msgspec
import pytest

from tests.gateway.conftest import TokenMaker
from tests.support.events import PATH, EventClient
from tests.support.no_tls import NO_TLS
from tests.support.realtime import PATIENCE_SECONDS, Realtime, Wire, running_gateway
from tests.support.sending import eventually, notification
from tidings_workers.config import Settings
from tidings_workers.gateway.connection import CLOSING_SECONDS
from tidings_workers.gateway.wheel import SLOT_SECONDS
from tidings_workers.registry import Registry
from tidings_workers.store import Store


async def send(store: Store, *titles: str, **target: Any) -> None:
    """Send notifications, one after the other; to ana unless told otherwise."""
    target = target or {"users": ["ana"]}
    await store.sends.send("demo", [notification(title, **target) for title in titles])


def url(realtime: Realtime, query: str = "") -> str:
    return f"http://127.0.0.1:{realtime.port}{PATH}{query}"


def get(token: str, version: str = "1.1") -> bytes:
    """The bytes of a request."""
    return f"GET {PATH} HTTP/{version}\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


async def test_a_stream(store: Store, realtime: Realtime) -> None:
    """A stream begins with its retry time and the welcome, then each notification as an event with an id."""
    async with EventClient.to(realtime.port, realtime.token("ana")) as ana:
        headers = ana.response.headers
        assert ana.response.status_code == 200
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert headers["cache-control"] == "no-store, no-transform"
        assert headers["x-accel-buffering"] == "no"
        welcome = await ana.expect("welcome")
        assert (welcome["user"], welcome["resume"]) == ("ana", "none")
        assert ana.parser.retry == 3000
        await send(store, "one", "two\n\u2028\x85")
        await send(store, "three", to_all=True)
        assert await ana.titles(3) == ["one", "two\n\u2028\x85", "three"]
        ids = [event.id for event in ana.events]
        assert len(set(ids)) == 4


async def test_resume_after_any_event(store: Store, realtime: Realtime, working: None) -> None:
    """A reconnect with the id of any event gets exactly what followed that event, over all logs."""
    token = realtime.token("ana")
    async with EventClient.to(realtime.port, token) as ana:
        await ana.expect("welcome")
        await store.groups.change("demo", "team", ["ana"], [])
        await ana.expect("joined")
        targets: list[dict[str, Any]] = [{"users": ["ana"]}, {"groups": ["team"]}, {"to_all": True}]
        for number in range(6):
            await send(store, str(number), **targets[number % 3])
            assert await ana.titles(1) == [str(number)]
        ids = [event.id for event in ana.events[1:]]
    assert len(set(ids)) == len(ids)
    for missed, last_id in enumerate(ids):
        async with EventClient.to(realtime.port, token, last_id=last_id) as again:
            assert (await again.expect("welcome"))["resume"] == "complete"
            frames = await again.until("caught_up")
            found = {frame["notification"]["title"] for frame in frames[:-1]}
            assert found == {str(number) for number in range(missed, 6)}
            assert len(frames) - 1 == len(found)


async def test_topics(store: Store, realtime: Realtime) -> None:
    """`topics` subscribes, a cursor resumes the topics of the query, and `rewind` counts without a cursor."""
    token = realtime.token("ana", topics=["news/**"])
    await send(store, "old", topics=["news/a"])
    query = {"topics": ["news/a,news/b", "private"], "rewind": "1"}
    async with EventClient.to(realtime.port, token, params=query) as ana:
        found = await ana.until("error")
        assert found[-1]["code"] == "forbidden_topic"
        assert [each["topic"] for each in found if each["type"] == "subscribed"] == ["news/a", "news/b"]
        titles = [each["notification"]["title"] for each in found if each["type"] == "notification"]
        assert titles == ["old"]
        last_id = ana.last_id
    await send(store, "a", topics=["news/a"])
    await send(store, "b", topics=["news/b"])
    only = query | {"topics": "news/a"}
    async with EventClient.to(realtime.port, token, params=only, last_id=last_id) as ana:
        found = await ana.until("notification")
        assert found[-1]["notification"]["title"] == "a"
        await send(store, "c", topics=["news/b"])
        await send(store, "d", topics=["news/a"])
        assert [each["topic"] for each in found if each["type"] == "subscribed"] == ["news/a"]
        assert (await ana.until("notification"))[-1]["notification"]["title"] == "d"


async def test_progress_of_another_connection(store: Store, realtime: Realtime) -> None:
    """A client of the WebSocket continues on a stream with its `resume`, and rewinds only a new topic."""
    token = realtime.token("ana", topics=["news/**"])
    for number in range(3):
        await send(store, f"user {number}")
        for topic in ("news/a", "news/b"):
            await send(store, f"{topic} {number}", topics=[topic])
    resume = json.dumps(
        {"epoch": store.epoch, "positions": {"user": 2, "topic:news/a": 1}, "state_version": 0}
    )
    query = {"topics": "news/a,news/b,private", "rewind": "1"}
    async with EventClient.to(realtime.port, token, params=query, last_id=resume) as ana:
        assert (await ana.expect("welcome"))["resume"] == "complete"
        titles: dict[str, list[str]] = {"user": [], "topic:news/a": [], "topic:news/b": []}
        errors: list[tuple[str, str]] = []

        async def read(count: int) -> None:
            while sum(map(len, titles.values())) < count or not errors:
                frame = (await ana.next()).frame
                if frame["type"] == "notification":
                    titles[frame["log"]].append(frame["notification"]["title"])
                elif frame["type"] == "error":
                    errors.append((frame["code"], frame["ref"]))

        await read(4)
        await send(store, "end")
        for topic in ("news/a", "news/b"):
            await send(store, "end", topics=[topic])
        await read(7)
        assert errors == [("forbidden_topic", "topic:private")]
        assert titles == {
            "user": ["user 2", "end"],
            "topic:news/a": ["news/a 1", "news/a 2", "end"],
            "topic:news/b": ["news/b 2", "end"],
        }
    for wrong in (
        "{",
        "{}",
        '{"epoch": 1}',
        '{"epoch": "f00d", "positions": {"user": -1}}',
        "{" + "[" * 5_000,
    ):
        async with EventClient.to(realtime.port, token, last_id=wrong) as refused:
            assert refused.response.status_code == 400
            assert json.loads(await refused.response.aread())["code"] == "invalid_cursor"


async def test_a_ticket_is_used_once(store: Store, realtime: Realtime) -> None:
    """A ticket opens one stream with the rights of its token, also when many use it at the same time."""
    ticket = await store.tickets.make("demo", "ana", realtime.token("ana", topics=["news"]))
    query = {"ticket": ticket, "topics": "news"}
    async with EventClient.to(realtime.port, params=query) as ana:
        assert (await ana.expect("welcome"))["user"] == "ana"
        assert (await ana.until("subscribed"))[-1]["topic"] == "news"
    for wrong in (ticket, "x", "fff-" + "a" * 32, ticket[:-1] + "\u00e9"):
        async with EventClient.to(realtime.port, params={"ticket": wrong}) as refused:
            assert refused.response.status_code == 401
            assert json.loads(await refused.response.aread())["code"] == "invalid_token"
    ticket = await store.tickets.make("demo", "ana", realtime.token("ana"))

    async def status() -> int:
        async with EventClient.to(realtime.port, params={"ticket": ticket}) as stream:
            return stream.response.status_code

    assert sorted(await asyncio.gather(*(status() for _ in range(20)))) == [200] + [401] * 19


async def test_a_user_has_a_limited_number_of_tickets(store: Store, realtime: Realtime) -> None:
    """A user's 51st unused ticket replaces the first."""
    tickets = [await store.tickets.make("demo", "ana", realtime.token("ana")) for _ in range(51)]
    assert await store.tickets.redeem(tickets[0]) is None
    assert None not in [await store.tickets.redeem(each) for each in tickets[1:]]


@pytest.mark.parametrize(
    ("query", "headers", "status", "code"),
    [
        ("", {"authorization": ""}, 401, "invalid_token"),
        ("?token=abc", {}, 401, "invalid_token"),
        ("?device=a/b", {}, 422, "invalid_request"),
        ("?rewind=x", {}, 422, "invalid_request"),
        ("?rewind=201", {}, 422, "invalid_request"),
        ("?rewind=1&rewind=2", {}, 422, "invalid_request"),
        ("?topics=a,,b", {}, 422, "invalid_request"),
        ("?topics=" + ",".join(map(str, range(101))), {}, 422, "invalid_request"),
        ("?unknown=1", {}, 422, "invalid_request"),
        ("?device=%ff", {}, 422, "invalid_request"),
        ("?" + "&".join(["topics=a"] * 200), {}, 422, "invalid_request"),
        ("?ticket=x", {}, 422, "invalid_request"),
        ("?last_event_id=x", {}, 400, "invalid_cursor"),
        ("", {"last-event-id": "1,00000000,ab,1,u=1"}, 400, "invalid_cursor"),
        ("", {"last-event-id": "1,00000000,ab,1,u=" + "9" * 5000}, 400, "invalid_cursor"),
        ("", {"last-event-id": "1,00000000,ab,1" + ",g==1" * 1000}, 400, "invalid_cursor"),
    ],
)
async def test_bad_requests(
    realtime: Realtime, query: str, headers: dict[str, str], status: int, code: str
) -> None:
    """A request that breaks a rule gets the status and the problem document of the rule."""
    bearer = {"authorization": f"Bearer {realtime.token('ana')}"} | headers
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, verify=NO_TLS) as client:
        answer = await client.get(url(realtime, query), headers=bearer)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_refusals_by_token(realtime: Realtime, token: TokenMaker) -> None:
    """No token, an expired one, and one without `inbox` are refused before the stream."""
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, verify=NO_TLS) as client:

        async def code(*token: str) -> tuple[int, str]:
            headers = [("authorization", f"Bearer {each}") for each in token]
            answer = await client.get(url(realtime), headers=headers)
            assert "www-authenticate" in answer.headers
            return answer.status_code, answer.json()["code"]

        assert await code() == (401, "missing_token")
        assert await code(token("ana", seconds=10, age=60)) == (401, "expired_token")
        assert await code(token("ana", scope="send")) == (403, "insufficient_scope")


async def test_a_refusal_leaves_nothing_behind(realtime: Realtime) -> None:
    """A refused stream is forgotten: others connect after the time in which a closing one is dropped."""
    async with EventClient.to(realtime.port, params={"ticket": "x"}) as refused:
        assert refused.response.status_code == 401
    await asyncio.sleep(CLOSING_SECONDS + 2 * SLOT_SECONDS)
    async with EventClient.to(realtime.port, realtime.token("ana")) as ana:
        assert (await ana.expect("welcome"))["user"] == "ana"


async def test_methods(realtime: Realtime) -> None:
    """Other methods than GET get 405 with the allowed ones."""
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, verify=NO_TLS) as client:
        for method in ("HEAD", "POST", "PUT", "DELETE"):
            answer = await client.request(method, url(realtime))
            assert (answer.status_code, answer.headers["allow"]) == (405, "GET, OPTIONS")


async def test_http_1_0(store: Store, realtime: Realtime) -> None:
    """A client of HTTP/1.0 reads the stream as it is, without chunks."""
    async with Wire.to(realtime.port) as wire:
        wire.write(get(realtime.token("ana"), "1.0"))
        status, headers = await wire.response()
        assert (status, headers["connection"]) == (200, "close")
        assert "transfer-encoding" not in headers
        assert await wire.reader.readuntil(b"\n\n") == b"retry: 3000\n\n"
        assert b"event: welcome\n" in await wire.reader.readuntil(b"\n\n")


async def test_a_client_that_leaves(store: Store, realtime: Realtime) -> None:
    """A client that disconnects is not registered any more."""
    async with EventClient.to(realtime.port, realtime.token("ana")) as ana:
        await ana.expect("welcome")

    async def connections() -> int:
        return len((await store.connections.presence("demo", "ana")).connections)

    await eventually(connections, 0)


async def test_pages_of_other_origins(realtime: Realtime, token: TokenMaker) -> None:
    """A preflight allows the headers of a resume; a page reads a stream when its tenant lists the origin."""
    page = {"Origin": "https://app.example"}
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, verify=NO_TLS) as client:
        asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
        answer = await client.options(url(realtime), headers=page | asked)
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "Last-Event-ID" in answer.headers["access-control-allow-headers"]
        assert "Authorization" in answer.headers["access-control-allow-headers"]
        refused = await client.get(url(realtime), headers=page)
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, page["Origin"])
        bearer = {"Authorization": f"Bearer {token('ana', tenant='listed')}"}
        other = await client.get(url(realtime), headers=bearer | {"Origin": "https://other.example"})
        assert (other.status_code, other.json()["code"]) == (403, "origin_refused")
    async with EventClient.to(realtime.port, token("ana", tenant="listed"), headers=page) as ana:
        assert ana.response.headers["access-control-allow-origin"] == page["Origin"]
        assert (await ana.expect("welcome"))["user"] == "ana"


async def test_a_stream_ends_with_its_token(realtime: Realtime, token: TokenMaker) -> None:
    """When the token expires, the last event is `close` with 4200; a ticket's stream ends with its token."""
    async with EventClient.to(realtime.port, token("ana", seconds=2, age=5)) as ana:
        await ana.expect("welcome")
        assert await ana.closed() == {"code": 4200, "reason": "token expired"}
        assert ana.parser.retry == 3000


async def test_a_revoked_key(realtime: Realtime, registry: Registry, store: Store) -> None:
    """When the key is revoked, streams end with 4002, also one by ticket, and an unused ticket is void."""
    made = [await store.tickets.make("demo", "ana", realtime.token("ana")) for _ in range(2)]
    async with (
        EventClient.to(realtime.port, realtime.token("ana")) as one,
        EventClient.to(realtime.port, params={"ticket": made[0]}) as two,
    ):
        await one.expect("welcome")
        await two.expect("welcome")
        [key] = await registry.list_keys("demo")
        await registry.revoke_key("demo", key.kid)
        for each in (one, two):
            assert (await each.closed())["code"] == 4002
            assert each.parser.retry == 86_400_000
    async with EventClient.to(realtime.port, params={"ticket": made[1]}) as late:
        assert late.response.status_code == 401


async def test_a_stop_of_the_gateway(settings: Settings, token: TokenMaker, store: Store) -> None:
    """A gateway that stops ends its streams with 1012, and the next one continues them exactly."""
    async with (
        running_gateway(settings) as stop,
        EventClient.to(settings.realtime_port, token("ana")) as ana,
    ):
        await ana.expect("welcome")
        await send(store, "before")
        assert await ana.titles(1) == ["before"]
        stop.set()
        assert (await ana.closed())["code"] == 1012
        assert 2_000 <= (ana.parser.retry or 0) <= 10_000
        last_id = ana.last_id
    await send(store, "away")
    async with (
        running_gateway(settings),
        EventClient.to(settings.realtime_port, token("ana"), last_id=last_id) as again,
    ):
        assert [frame["type"] for frame in await again.until("caught_up")] == [
            "welcome",
            "notification",
            "caught_up",
        ]


async def test_limits_of_connections(settings: Settings, token: TokenMaker) -> None:
    """One stream too many is 503 with Retry-After; EventSource would give up, and gets a stream that ends."""
    limited = msgspec.structs.replace(settings, connections_per_user=1)
    async with running_gateway(limited), EventClient.to(settings.realtime_port, token("ana")) as ana:
        await ana.expect("welcome")
        async with EventClient.to(settings.realtime_port, token("ana")) as second:
            assert second.response.status_code == 503
            assert int(second.response.headers["retry-after"]) > 0
            assert json.loads(await second.response.aread())["code"] == "overloaded"
        accept = {"Accept": "text/event-stream"}
        async with EventClient.to(settings.realtime_port, token("ana"), headers=accept) as third:
            assert third.response.status_code == 200
            assert await third.closed() == {"code": 4103, "reason": "too many connections"}
            assert 2_000 <= (third.parser.retry or 0) <= 10_000
        async with EventClient.to(settings.realtime_port, "wrong", headers=accept) as fourth:
            assert fourth.response.status_code == 401


async def test_a_slow_consumer_delays_nobody(settings: Settings, token: TokenMaker, store: Store) -> None:
    """A stream that is not read ends with 4100 after a bounded outbox, and others get everything."""
    small = msgspec.structs.replace(settings, outbox_bytes=64 * 1024)
    async with (
        running_gateway(small),
        EventClient.to(settings.realtime_port, token("ana")) as ana,
        Wire.slow(settings.realtime_port) as slow,
    ):
        await ana.expect("welcome")
        slow.write(get(token("ana")))
        await slow.reader.readuntil(b"event: welcome\n")
        registered, sent = 2, 0
        while registered == 2:
            assert sent < 1_000
            await store.sends.send(
                "demo",
                [notification(str(sent + each), users=["ana"], body="x" * 20_000) for each in range(10)],
            )
            assert await ana.titles(10) == [str(sent + each) for each in range(10)]
            sent += 10
            registered = len((await store.connections.presence("demo", "ana")).connections)
        assert b'event: close\ndata: {"code":4100,' in (await slow.end())[-100:]


async def test_bytes_on_a_stream(realtime: Realtime, store: Store) -> None:
    """A byte that a client sends on its stream does no harm; a flood of them ends the stream."""
    async with Wire.to(realtime.port) as wire:
        wire.write(get(realtime.token("ana")))
        await wire.reader.readuntil(b"event: welcome\n")
        wire.write(b"x")
        await send(store, "still here")
        await wire.reader.readuntil(b"event: notification\n")
        ended = asyncio.create_task(wire.end())
        while not (ended.done() or wire.writer.is_closing()):
            wire.write(b"x")
            await asyncio.sleep(0)
        await ended

    async def connections() -> int:
        return len((await store.connections.presence("demo", "ana")).connections)

    await eventually(connections, 0)
