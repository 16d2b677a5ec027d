"""Iterating over events: positions, consumers that share, a killed reader, a restart, the command."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from itertools import islice
from typing import Any

import pytest

from tests.api.conftest import serving
from tests.sdk import shell
from tests.support.ports import free_port
from tidings import AsyncTidings, Event, InvalidArgumentError, Tidings
from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.store import Store

TYPE = "notification.stored"
READER = """
import sys
from tidings import Tidings

tidings = Tidings(sys.argv[1], key=sys.argv[2])
for event in tidings.events(types=["notification.stored"], consumer="w", batch=5):
    print(event.data["notification"], flush=True)
    if sys.argv[3] == "hang":
        sys.stdin.read()
"""


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return Settings(redis_url=redis_url, port=free_port(), drain_seconds=3)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    store = await Store.open(settings, name="test")
    yield store
    await store.close()


@pytest.fixture
async def key(store: Store) -> str:
    """The key of the tenant demo."""
    registry = Registry(store.redis)
    await registry.create_tenant("demo")
    return await registry.create_key("demo")


async def take(stream: Any, count: int) -> list[Event]:
    """The next events of a stream."""
    return [await anext(stream) for _ in range(count)]


async def hand_out_again(store: Store) -> None:
    """Let the time of every event that is held be over."""
    async for name in store.redis.scan_iter("*/held/w"):
        for number in await store.redis.zrange(name, 0, -1):
            await store.redis.zadd(name, {number: 1})  # type: ignore[type-var]


async def test_a_position_goes_on(settings: Settings, key: str) -> None:
    """Both clients iterate in parts, also across a restart of the API, and go on from a position."""
    url = f"http://127.0.0.1:{settings.port}"
    async with AsyncTidings(url, key=key) as tidings:
        stream = tidings.events(types=TYPE, batch=2, wait=1)
        async with serving(settings):
            first = asyncio.ensure_future(take(stream, 5))
            await asyncio.sleep(0)
            while not first.done():
                await tidings.send(to_users=["ana"], title="x")
                await asyncio.wait([first], timeout=0.2)
            assert {event.type for event in await first} == {TYPE}
        async with serving(settings):
            sent = [await tidings.send(to_users=["ana"], title="x") for _ in range(3)]
            found = [event.data["notification"] for event in await take(stream, 3)]
            while found[-1] != sent[-1].id:
                found.append((await anext(stream)).data["notification"])
            assert found[-3:] == [each.id for each in sent]
            with Tidings(url, key=key) as blocking:
                again = await asyncio.to_thread(
                    lambda: list(islice(blocking.events(types=[TYPE], after=None, wait=0), 8))
                )
            assert again[0].timestamp.tzinfo is not None
            assert again[0].to_dict()["type"] == TYPE


async def test_a_killed_reader_loses_nothing(settings: Settings, store: Store, key: str) -> None:
    """After SIGKILL of a reader the other one of its consumer gets all that was not acknowledged."""
    url = f"http://127.0.0.1:{settings.port}"

    async def start(mode: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        words = (sys.executable, "-c", READER, url, key, mode)
        return await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe)

    async with serving(settings), AsyncTidings(url, key=key) as tidings:
        await store.events.want("demo", "consumer/w", [TYPE], 600)
        sent = {(await tidings.send(to_users=[f"u{n}"], title="x")).id for n in range(12)}
        processes = [await start("hang")]
        try:
            (hanging,) = processes
            assert hanging.stdout is not None
            taken = (await asyncio.wait_for(hanging.stdout.readline(), 60)).decode().strip()
            assert taken in sent
            # The other one starts when the first holds events: alone it may get all of them.
            processes.append(await start("read"))
            reading = processes[1]
            assert reading.stdout is not None
            found = {(await asyncio.wait_for(reading.stdout.readline(), 60)).decode().strip()}
            hanging.send_signal(signal.SIGKILL)
            await hanging.wait()
            await hand_out_again(store)
            while found != sent:
                found.add((await asyncio.wait_for(reading.stdout.readline(), 60)).decode().strip())
        finally:
            for process in processes:
                if process.returncode is None:
                    process.kill()
                    await process.wait()


async def printed(url: str, key: str, *words: str, count: int, number: signal.Signals) -> tuple[str, str]:
    """Output and errors of `tidings events`, which a signal stops after so many lines; it exits with 0."""
    process = await shell.tidings("events", "--type", TYPE, *words, url=url, key=key)
    assert process.stdout is not None
    lines = [(await asyncio.wait_for(process.stdout.readline(), 60)).decode() for _ in range(count)]
    process.send_signal(number)
    out, err = await process.communicate()
    assert process.returncode == 0, err
    return "".join(lines) + out.decode(), err.decode()


async def test_the_command_prints_events(settings: Settings, store: Store, key: str) -> None:
    """`tidings events` prints lines or JSON until a signal, and goes on from a position or as a consumer."""
    url = f"http://127.0.0.1:{settings.port}"
    await store.events.want("demo", "test", [TYPE])
    async with serving(settings), AsyncTidings(url, key=key) as tidings:
        sent = [(await tidings.send(to_users=["ana"], title="x")).id for _ in range(3)]
        out, err = await printed(url, key, count=3, number=signal.SIGINT)
        shown = [line.split("  ") for line in out.splitlines()]
        assert [line[1] for line in shown] == [TYPE] * 3
        assert [set(line[2:]) for line in shown] == [
            {f"notification={each}", "user=ana", "recipients=1"} for each in sent
        ]
        assert err.startswith("continue with --after ")
        last = await tidings.send(to_users=["ana"], title="x")
        after = err.split()[-1]
        out, _ = await printed(url, key, "--after", after, "--json", count=1, number=signal.SIGTERM)
        (event,) = map(json.loads, out.splitlines())
        assert event["data"]["notification"] == last.id
        words = ("--consumer", "w", "--json")
        out, err = await printed(url, key, *words, count=4, number=signal.SIGINT)
        assert [json.loads(line)["data"]["notification"] for line in out.splitlines()] == [*sent, last.id]
        assert err == ""


@pytest.mark.parametrize(
    "options",
    [
        {"types": ["user.lost"]},
        {"consumer": "a/b"},
        {"consumer": "w", "after": "x"},
        {"batch": 0},
        {"wait": 61},
    ],
)
def test_wrong_arguments_are_refused(options: dict[str, Any]) -> None:
    """A wrong argument is an error before any request."""
    with Tidings("http://127.0.0.1:1", key="demo.k1.secret") as tidings, pytest.raises(InvalidArgumentError):
        next(tidings.events(**options))
