"""The API as a process: it starts before its store, survives outages, and stops gracefully."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from msgspec.structs import replace

from tests.api.conftest import Bearer, serving
from tests.support.no_tls import NO_TLS
from tests.support.ports import free_port
from tests.support.valkey import Valkey
from tidings_api.edge import Edge
from tidings_api.server import run
from tidings_workers import dispatcher
from tidings_workers.config import Settings
from tidings_workers.registry import Registry

HELLO = {"to": {"users": ["ana"]}, "title": "x"}


@pytest.fixture
def redis_url(valkey: Valkey) -> str:
    """A store for this test only, which may be paused and killed."""
    return valkey.url


async def status(api: httpx.AsyncClient, path: str) -> int:
    return (await api.get(path)).status_code


async def until(api: httpx.AsyncClient, path: str, wanted: int) -> None:
    """Call repeatedly, for up to ten seconds."""
    async with asyncio.timeout(10):
        while await answered(api, path) != wanted:  # noqa: ASYNC110  the event is in another process
            await asyncio.sleep(0.02)


async def answered(api: httpx.AsyncClient, path: str) -> int:
    """The status of the answer, or 0 while no server listens."""
    with contextlib.suppress(httpx.TransportError):
        return await status(api, path)
    return 0


async def test_sends_get_a_503_during_an_outage_and_work_after_it(
    api: httpx.AsyncClient, bearer: Bearer, valkey: Valkey
) -> None:
    """During an outage sends get a fast 503 with Retry-After, and afterwards everything works."""
    headers = bearer("send read")
    valkey.kill()
    answer = await api.post("/v1/notifications", json=HELLO, headers=headers)
    began = time.monotonic()
    answer = await api.post("/v1/notifications", json=HELLO, headers=headers)
    assert time.monotonic() - began < 1
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert answer.headers["retry-after"] == "1"
    await until(api, "/health/ready", 503)
    assert await status(api, "/health/live") == 200
    valkey.start()
    await until(api, "/health/ready", 200)
    assert (await api.post("/v1/notifications", json=HELLO, headers=headers)).status_code == 202


async def test_a_store_that_hangs_is_a_503_too(
    api: httpx.AsyncClient, bearer: Bearer, valkey: Valkey
) -> None:
    """A store that accepts connections and does not answer gives a 503 after the timeout."""
    valkey.pause()
    try:
        answer = await api.post("/v1/notifications", json=HELLO, headers=bearer("send"))
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    finally:
        valkey.unpause()


async def test_it_starts_before_its_store(valkey: Valkey) -> None:
    """The API starts before its store and answers 503, and becomes ready when the store answers."""
    valkey.kill()
    settings = Settings(redis_url=valkey.url, port=free_port(), drain_seconds=3)
    stop, ready = asyncio.Event(), asyncio.Event()
    async with (
        asyncio.TaskGroup() as tasks,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.port}", verify=NO_TLS) as client,
    ):
        tasks.create_task(dispatcher.run(settings, stop, lambda: None))
        tasks.create_task(run(settings, stop, ready.set))
        await until(client, "/health/live", 200)
        assert not ready.is_set()
        answer = await client.get("/v1/groups", headers={"authorization": "Bearer x"})
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
        valkey.start()
        async with asyncio.timeout(10):
            await ready.wait()
        await until(client, "/health/ready", 200)
        stop.set()


async def test_it_can_be_stopped_before_its_store_answers(valkey: Valkey) -> None:
    """A process that waits for its store can be stopped."""
    valkey.kill()
    settings = Settings(redis_url=valkey.url, port=free_port(), drain_seconds=3)
    stop = asyncio.Event()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(run(settings, stop, stop.set))
        await asyncio.sleep(0)
        stop.set()


async def test_the_port_is_not_shared(api: httpx.AsyncClient, settings: Settings) -> None:
    """A second server on the port fails with an error instead of sharing the port."""
    assert await status(api, "/health/live") == 200
    with pytest.raises(OSError, match="in use"):
        await run(settings, asyncio.Event(), lambda: None)


async def test_a_stop_finishes_running_requests(
    settings: Settings, bearer: Bearer, registry: Registry
) -> None:
    """After a stop a running request gets its answer, idle connections close, and the port is free."""
    assert len(await registry.list_tenants()) == 2
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow_body() -> AsyncIterator[bytes]:
        yield b'{"to":{"users":["ana"]},'
        entered.set()
        await release.wait()
        yield b'"title":"x"}'

    headers = bearer("send") | {"content-type": "application/json"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.port}", verify=NO_TLS) as outside:
        async with serving(settings):
            assert await status(outside, "/health/live") == 200  # leaves an idle connection open
            idle, writer = await asyncio.open_connection("127.0.0.1", settings.port)
            sending = asyncio.ensure_future(
                outside.post("/v1/notifications", content=slow_body(), headers=headers)
            )
            await entered.wait()
            asyncio.get_running_loop().call_later(0.3, release.set)
            began = time.monotonic()
        assert time.monotonic() - began < settings.drain_seconds
        assert (await sending).status_code == 202
    assert await idle.read() == b""
    writer.close()
    with pytest.raises(OSError, match="refused"):
        await asyncio.open_connection("127.0.0.1", settings.port)


async def test_an_unfinished_body_does_not_delay_the_stop(
    settings: Settings, bearer: Bearer, registry: Registry
) -> None:
    """The process stops within the drain time, also while a client sends an endless body."""
    assert len(await registry.list_tenants()) == 2
    token = bearer("send")["authorization"]
    async with serving(replace(settings, drain_seconds=0.5)):
        _, writer = await asyncio.open_connection("127.0.0.1", settings.port)
        writer.write(
            b"POST /v1/notifications HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: 100\r\nauthorization: " + token.encode() + b"\r\n\r\n{"
        )
        await writer.drain()
        began = time.monotonic()
    assert time.monotonic() - began < 3
    writer.close()


async def test_too_many_waiting_requests_are_refused() -> None:
    """Above the limit of waiting requests a request gets 503 overloaded, and health still answers."""
    release, entered = asyncio.Event(), asyncio.Event()

    async def app(scope: object, receive: object, send: object) -> None:
        entered.set()
        await release.wait()

    edge = Edge(app, admits=lambda _origin, _caller: False, waiting=1)
    transport = httpx.ASGITransport(app=cast("Any", edge))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        waiting = asyncio.ensure_future(client.get("/v1/groups"))
        await entered.wait()
        refused = await client.get("/v1/groups")
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        release.set()
        with contextlib.suppress(AssertionError):  # the stand-in answers nothing
            await waiting


async def test_unfinished_bodies_do_not_count_as_load(
    settings: Settings, bearer: Bearer, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests whose bodies do not arrive do not make the API answer others with `overloaded`."""
    assert len(await registry.list_tenants()) == 2
    monkeypatch.setattr(Edge.__init__, "__kwdefaults__", {"waiting": 5})
    headers = bearer("send")
    head = (
        b"POST /v1/notifications HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"content-length: 100\r\nauthorization: " + headers["authorization"].encode() + b"\r\n\r\n{"
    )
    async with serving(replace(settings, drain_seconds=0.5)) as api:
        writers = [(await asyncio.open_connection("127.0.0.1", settings.port))[1] for _ in range(20)]
        for writer in writers:
            writer.write(head)
            await writer.drain()
        answers = await asyncio.gather(
            *(api.post("/v1/notifications", json=HELLO, headers=headers) for _ in range(5))
        )
        assert [answer.status_code for answer in answers] == [202] * 5
        for writer in writers:
            writer.close()
