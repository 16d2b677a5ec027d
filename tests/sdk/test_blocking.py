"""A live inbox for blocking code, against a real WebSocket server."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.sdk.gateway import KEY, SOON, Gateway, Peer
from tidings import (
    BlockingDelivery,
    BlockingEvent,
    BlockingInbox,
    CaughtUp,
    Connected,
    ConnectionClosedError,
    ConnectionFailedError,
    ListenError,
    Tidings,
)


async def in_thread(gateway: Gateway, work: Callable[[BlockingInbox], Any], **options: Any) -> Any:
    def run() -> Any:
        with (
            gateway.blocking_client() as client,
            client.listen(user="ana", reconnect=SOON, **options) as inbox,
        ):
            return work(inbox)

    return await asyncio.to_thread(run)


def take(inbox: BlockingInbox, number: int) -> list[int]:
    positions = []
    for delivery in inbox:
        positions.append(delivery.position)
        if len(positions) == number:
            break
    return positions


async def test_a_blocking_inbox_has_the_same_guarantees() -> None:
    """It reconnects, resumes and gives each position once, and calls the hook in the iterating thread."""
    events: list[tuple[type, bool]] = []

    async def first(peer: Peer) -> None:
        await peer.welcome()
        await peer.deliver(1)
        await peer.close(1012)

    async def second(peer: Peer) -> None:
        await peer.welcome(resume="complete", user=1)
        await peer.deliver(1, replayed=True)
        await peer.deliver(2, replayed=True)
        await peer.send("caught_up", positions={"user": 2})
        await peer.deliver(3)

    def work(inbox: BlockingInbox) -> list[int]:
        caller = threading.current_thread()

        def hook(event: BlockingEvent) -> None:
            events.append((type(event), threading.current_thread() is caller))

        inbox._on_event = hook
        return take(inbox, 3)

    async with Gateway.playing(first, second) as gateway:
        assert await in_thread(gateway, work) == [1, 2, 3]
    assert (Connected, True) in events
    assert events[-1] == (CaughtUp, True)


async def test_a_blocking_mark_and_ack() -> None:
    """A mark returns with its answer, and an acknowledgement is sent before the close."""
    acked: list[dict[str, Any]] = []

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.deliver(1)
        mark = await peer.recv("mark")
        await peer.state(2, ref=mark["ref"])
        acked.append(await peer.recv("ack"))

    def work(inbox: BlockingInbox) -> None:
        for event in inbox.events():
            if isinstance(event, BlockingDelivery):
                event.mark_read()
                event.ack()
                return

    async with Gateway.playing(script) as gateway:
        await in_thread(gateway, work)
        await gateway.peers[0].socket.wait_closed()
    assert acked == [{"type": "ack", "positions": {"user": 1}}]


async def test_a_final_close_is_raised_from_a_blocking_inbox() -> None:
    """The loop gives the events that arrived before a final close, then raises its error."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.deliver(1)
        await peer.close(4002)

    def work(inbox: BlockingInbox) -> None:
        assert take(inbox, 1) == [1]
        with pytest.raises(ConnectionClosedError):
            take(inbox, 1)

    async with Gateway.playing(script) as gateway:
        await in_thread(gateway, work)


def test_a_blocking_inbox_that_cannot_open_says_so() -> None:
    """Entering raises if no server answers, and an inbox that was not entered cannot be iterated."""
    with Tidings("http://api", token="mine", retries=0) as client:
        inbox = client.listen(realtime_url="ws://127.0.0.1:9/v1/realtime")
        with pytest.raises(ConnectionFailedError), inbox:
            pass
        with pytest.raises(ListenError):
            next(iter(inbox))


def test_an_inbox_that_was_not_entered_names_with() -> None:
    """`for` without `with` raises at once, and the error names `with`, not `async with`."""
    with Tidings("http://api", key=KEY) as client:
        live = client.listen(user="ana")
        for open_it in (lambda: iter(live), live.events, live.changes):
            with pytest.raises(ListenError, match="Enter it with `with`"):
                open_it()


async def test_a_closed_inbox_says_that_it_is_closed() -> None:
    """An iteration after `with` raises an error, and does not end silently."""

    async def script(peer: Peer) -> None:
        await peer.welcome(user=0)

    async with Gateway.playing(script) as gateway:
        inbox = await in_thread(gateway, lambda opened: opened)
        with pytest.raises(ListenError, match=r"closed\. Call listen\(\) again"):
            iter(inbox)
