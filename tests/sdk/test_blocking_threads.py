"""A blocking live inbox among threads and processes: closing, timeouts, marking, fork."""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.sdk.gateway import SOON, Gateway, Peer
from tests.sdk.test_blocking import in_thread, take
from tidings import BlockingInbox, Changed, ListenError


async def quiet(peer: Peer) -> None:
    """A connection that sends one delivery and nothing more."""
    await peer.welcome()
    await peer.deliver(1)


async def test_another_thread_ends_the_iteration() -> None:
    """`close` in another thread ends a waiting `for` without an error, and may be called again."""

    def work(inbox: BlockingInbox) -> list[int]:
        taken = []
        closer = threading.Thread(target=inbox.close)
        for delivery in inbox:
            taken.append(delivery.position)
            closer.start()
        closer.join()
        inbox.close()
        with pytest.raises(ListenError, match="The inbox is closed"):
            inbox.next()
        with pytest.raises(ListenError, match="The inbox is closed"):
            iter(inbox)
        with pytest.raises(ListenError, match="The inbox is closed"):
            inbox.mark_read(all=True)
        return taken

    async with Gateway.playing(quiet) as gateway:
        assert await in_thread(gateway, work) == [1]
        await gateway.peers[0].socket.wait_closed()
        assert gateway.peers[0].socket.close_code == 1000


async def test_many_threads_may_close_at_once() -> None:
    """Each call of `close` returns when the inbox is closed."""

    def work(inbox: BlockingInbox) -> None:
        with ThreadPoolExecutor(8) as threads:
            for done in [threads.submit(inbox.close) for _ in range(8)]:
                done.result()

    async with Gateway.playing(quiet) as gateway:
        await in_thread(gateway, work)


async def test_waiting_ends_after_the_timeout_and_loses_nothing() -> None:
    """After a timeout `next` raises and iterators end, and the next call gets the later deliveries."""
    go_on = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.deliver(1)
        await go_on.wait()
        await peer.deliver(2)

    def work(inbox: BlockingInbox) -> list[int]:
        assert inbox.next(timeout=30).position == 1
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            inbox.next(timeout=0.05)
        assert list(inbox.deliveries(timeout=0.05)) == []
        assert list(inbox.events(timeout=0.05)) == []
        assert time.monotonic() - begun >= 0.15
        loop.call_soon_threadsafe(go_on.set)
        return [delivery.position for delivery in inbox.deliveries(timeout=1)]

    async with Gateway.playing(script) as gateway:
        assert await in_thread(gateway, work) == [2]


async def test_events_without_deliveries_do_not_lengthen_the_wait() -> None:
    """The timeout counts from the last delivery, also if other events arrive."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        for version in range(1, 1000):
            await peer.state(version)
            await asyncio.sleep(0.02)

    def work(inbox: BlockingInbox) -> None:
        with pytest.raises(TimeoutError):
            inbox.next(timeout=0.3)

    async with Gateway.playing(script) as gateway:
        await asyncio.wait_for(in_thread(gateway, work), 10)


async def test_any_thread_may_mark_while_one_iterates() -> None:
    """Marks from many threads get their own answers while another thread takes deliveries."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        for position in range(1, 41):
            await peer.deliver(position)
            mark = await peer.recv("mark")
            await peer.state(position, ref=mark["ref"])

    def work(inbox: BlockingInbox) -> tuple[list[int], list[int]]:
        with ThreadPoolExecutor(8) as threads:
            marks = [threads.submit(inbox.mark_read, f"n{number}") for number in range(40)]
            taken = take(inbox, 40)
            changed: list[Changed] = [mark.result() for mark in marks]
        return taken, sorted(change.state_version for change in changed)

    async with Gateway.playing(script) as gateway:
        taken, versions = await in_thread(gateway, work)
    assert taken == versions == list(range(1, 41))


def in_child(work: Callable[[], Any]) -> str:
    """Run `work` in a child process; the error that it raised, or an empty text."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            work()
            outcome = ""
        except BaseException as error:  # noqa: BLE001 - the parent gets every error
            outcome = repr(error)
        os.write(writing, outcome.encode())
        os._exit(0)
    os.close(writing)
    os.wait()
    with os.fdopen(reading) as pipe:
        return pipe.read()


async def test_a_child_process_leaves_a_blocking_inbox_to_its_parent() -> None:
    """After `fork` the inbox raises in the child, and leaving `with` there keeps the parent's inbox open."""

    def work(inbox: BlockingInbox) -> list[int]:
        assert "opened in another process" in in_child(lambda: inbox.next(timeout=1))
        assert "opened in another process" in in_child(lambda: inbox.mark_read(all=True))
        assert in_child(inbox.close) == ""
        assert in_child(lambda: inbox.__exit__(None, None, None)) == ""
        return take(inbox, 1)

    async with Gateway.playing(quiet) as gateway:
        assert await in_thread(gateway, work) == [1]


async def test_a_child_process_leaves_a_live_inbox_to_its_parent() -> None:
    """After `fork` an async inbox raises in the child, and closing it there sends nothing."""
    async with (
        Gateway.playing(quiet) as gateway,
        gateway.client() as client,
        client.listen(user="ana", reconnect=SOON) as inbox,
    ):

        async def take_one() -> None:
            await anext(inbox)

        assert "opened in another process" in in_child(lambda: asyncio.run(take_one()))
        assert in_child(lambda: asyncio.run(inbox.aclose())) == ""
        assert (await anext(inbox)).position == 1


async def test_a_wait_of_the_async_inbox_may_time_out() -> None:
    """`asyncio.timeout` around taking an event loses no event."""
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await go_on.wait()
        await peer.deliver(1)

    async with Gateway.playing(script) as gateway, gateway.inbox() as inbox:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(inbox)
        go_on.set()
        assert (await anext(inbox)).position == 1
