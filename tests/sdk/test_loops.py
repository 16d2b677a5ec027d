"""One async client on several event loops, and with thousands of calls at once."""

import asyncio
import gc
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.sdk.answering import answering
from tests.sdk.gateway import KEY
from tidings import AsyncTidings, ClientClosedError, ConfigurationError, Tidings


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with answering() as url:
        yield url


def send(client: AsyncTidings, title: str) -> str:
    """Send once, on a new event loop."""

    async def main() -> str:
        return (await client.send(to_users="ana", title=title)).id

    return asyncio.run(main())


def test_one_client_serves_one_loop_after_another(url: str) -> None:
    """Repeated calls of `asyncio.run` can use one client, and leave no connection open."""
    client = AsyncTidings(url, key=KEY)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert [send(client, f"n{number}") for number in range(5)] == [f"n{number}" for number in range(5)]
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    assert client._pools._pools == {}


def test_one_client_serves_loops_in_several_threads(url: str) -> None:
    """Loops in several threads can use one client at the same time, and each gets its own answers."""
    client = AsyncTidings(url, key=KEY)
    together = threading.Barrier(4)

    async def sends(name: int) -> list[str]:
        titles = [f"{name}-{number}" for number in range(30)]
        together.wait()
        answers = await asyncio.gather(*(client.send(to_users="ana", title=title) for title in titles))
        assert [sent.id for sent in answers] == titles
        return titles

    with ThreadPoolExecutor(4) as threads:
        assert len(list(threads.map(lambda name: asyncio.run(sends(name)), range(4)))) == 4
    assert client._pools._pools == {}


def test_one_client_serves_a_loop_that_stops_and_resumes(url: str) -> None:
    """A client keeps its connection while its loop is stopped between calls, as in a notebook."""
    client = AsyncTidings(url, key=KEY)
    with asyncio.Runner() as loop:
        for title in ("a", "b"):
            assert loop.run(client.send(to_users="ana", title=title)).id == title
        (pool,) = client._pools._pools.values()
        assert pool is not None
        assert len(pool._free) == 1


def test_a_closed_loop_is_dropped(url: str) -> None:
    """The client drops the pool of a loop that was closed without closing its generators."""
    client = AsyncTidings(url, key=KEY)
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(client.send(to_users="ana", title="a")).id == "a"
    loop.run_until_complete(client.aclose())
    loop.close()
    assert send(client, "b") == "b"
    assert client._pools._pools == {}


async def test_a_closed_client_says_so_until_it_is_entered_again(url: str) -> None:
    """A call after `close` raises ClientClosedError, and `with` opens the client again."""
    client = AsyncTidings(url, key=KEY)
    for _ in range(2):
        async with client:
            assert (await client.send(to_users="ana", title="a")).id == "a"
        with pytest.raises(ClientClosedError, match="The client is closed"):
            await client.send(to_users="ana", title="a")
    blocking = Tidings(url, key=KEY)
    for _ in range(2):
        with blocking:
            assert blocking.send(to_users="ana", title="a").id == "a"
        with pytest.raises(ClientClosedError, match="The client is closed"):
            blocking.send(to_users="ana", title="a")


async def test_closing_lets_calls_finish() -> None:
    """A call that runs during `close` gets its answer, then its connection is closed."""
    asked, answer, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await answer.wait()
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert await reader.read() == b""
        closed.set()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        client = AsyncTidings(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", key=KEY, retries=0)
        call = asyncio.create_task(client.recall("n1"))
        await asked.wait()
        await client.aclose()
        answer.set()
        await call
        await closed.wait()


async def test_thousands_of_calls_at_once_cost_as_much_as_one_by_one(url: str) -> None:
    """2,000 gathered sends get their own ids, for at most twice the processor time of sends in turn."""
    number = 2_000
    async with AsyncTidings(url, key=KEY, retries=0) as client:
        for title in range(50):
            await client.send(to_users="ana", title=str(title))
        begun = time.process_time()
        for title in range(number // 10):
            await client.send(to_users="ana", title=str(title))
        each = (time.process_time() - begun) / (number // 10)
        begun = time.process_time()
        answers = await asyncio.gather(
            *(client.send(to_users="ana", title=str(title)) for title in range(number))
        )
        together = (time.process_time() - begun) / number
        (pool,) = client._pools._pools.values()
        assert pool is not None
        assert len(pool._free) <= 16
    assert [sent.id for sent in answers] == [str(title) for title in range(number)]
    assert together < 2 * each


def test_a_hundred_threads_cost_as_much_as_one(url: str) -> None:
    """100 threads get their own answers over 16 connections, for at most twice the time of one thread."""
    with Tidings(url, key=KEY, retries=0) as client:

        def sends(thread: int) -> list[str]:
            titles = [f"{thread}-{number}" for number in range(10)]
            answers = [client.send(to_users="ana", title=title).id for title in titles]
            assert answers == titles
            return answers

        sends(0)
        # Other programs on the machine make only some of the measurements dearer.
        ratios = []
        for _ in range(3):
            begun = time.process_time()
            for thread in range(10):
                sends(thread)
            each = (time.process_time() - begun) / 100
            begun = time.process_time()
            with ThreadPoolExecutor(100) as threads:
                assert len(list(threads.map(sends, range(100)))) == 100
            ratios.append((time.process_time() - begun) / 1000 / each)
            assert len(client._pools.current()._free) <= 16
    assert min(ratios) < 2


async def test_waiting_for_a_connection_is_no_timeout() -> None:
    """The timeout of a call begins when it has a connection, so many slow calls over one are answered."""
    requests = 0

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        while await reader.readuntil(b"\r\n\r\n"):
            requests += 1
            await asyncio.sleep(0.1)
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await slow(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    async with await asyncio.start_server(ended, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with AsyncTidings(url, key=KEY, timeout=1, retries=0, max_connections=1) as client:
            await asyncio.gather(*(client.recall(f"n{number}") for number in range(15)))
    assert requests == 15


@pytest.mark.parametrize("kind", [Tidings, AsyncTidings])
def test_a_client_needs_a_connection(kind: type[Tidings] | type[AsyncTidings]) -> None:
    """`max_connections` below 1 raises."""
    with pytest.raises(ConfigurationError, match="max_connections"):
        kind("http://api", key=KEY, max_connections=0)
