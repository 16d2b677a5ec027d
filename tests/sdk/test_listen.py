"""A live inbox against a real WebSocket server that drops, closes, repeats and skips."""

import asyncio
import logging
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError as ConnectionClosedWithError
from websockets.frames import Close

from tests.sdk.gateway import KEY, SOON, Gateway, Peer, counts
from tidings import (
    APIError,
    AsyncTidings,
    CaughtUp,
    ConfigurationError,
    Connected,
    ConnectionClosedError,
    ConnectionFailedError,
    Delivery,
    Disconnected,
    FrameRefusedError,
    Gap,
    InboxEvent,
    ListenError,
    LiveInbox,
    Recalled,
    Resume,
)
from tidings._listen.link import broken_off


async def take(inbox: LiveInbox, number: int) -> list[int]:
    """The positions of the next deliveries."""
    positions = []
    async for delivery in inbox:
        positions.append(delivery.position)
        if len(positions) == number:
            break
    return positions


async def test_delivers_in_order_and_acknowledges_when_the_next_is_taken() -> None:
    """A delivery is acknowledged when the next one is taken, and not before."""
    acked: list[dict[str, Any]] = []

    async def script(peer: Peer) -> None:
        await peer.welcome(user=4)
        for position in (5, 6, 7):
            await peer.deliver(position)
        acked.append(await peer.recv("ack"))

    async with Gateway.playing(script) as gateway:
        async with gateway.inbox(device="laptop") as inbox:
            assert await take(inbox, 3) == [5, 6, 7]
        assert gateway.peers[0].connect["device"] == "laptop"
        assert gateway.peers[0].token == "token-1"
    assert acked == [{"type": "ack", "positions": {"user": 6}}]


async def test_an_explicit_ack_is_sent_before_the_close() -> None:
    """A delivery that the application acknowledged is acknowledged to the server before the close."""
    acked: list[dict[str, Any]] = []

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.deliver(1)
        acked.append(await peer.recv("ack"))

    async with Gateway.playing(script) as gateway:
        async with gateway.inbox() as inbox:
            async for delivery in inbox:
                delivery.ack()
                break
        await gateway.peers[0].socket.wait_closed()
        assert gateway.peers[0].socket.close_code == 1000
    assert acked == [{"type": "ack", "positions": {"user": 1}}]


@pytest.mark.parametrize("code", [None, 1012, 4100, 4201, 4999])
async def test_resumes_after_every_reconnect(code: int | None) -> None:
    """After a drop or a close that is not final, the inbox resumes and gives each position exactly once."""

    async def first(peer: Peer) -> None:
        await peer.welcome(user=0)
        await peer.deliver(1)
        await peer.deliver(2)
        if code is None:
            peer.drop()
        else:
            await peer.close(code)

    async def second(peer: Peer) -> None:
        await peer.welcome(resume="complete", user=2)
        await peer.deliver(2, replayed=True)
        await peer.deliver(3, replayed=True)
        await peer.send("caught_up", positions={"user": 3})
        await peer.deliver(4)

    async with Gateway.playing(first, second) as gateway:
        async with gateway.inbox() as inbox:
            assert await take(inbox, 4) == [1, 2, 3, 4]
        assert gateway.peers[1].connect["resume"]["epoch"] == "e1"
        resumed = gateway.peers[1].connect["resume"]["positions"]["user"]
        # A reset may arrive before data that were sent earlier; a close handshake does not.
        assert resumed <= 2 if code is None else resumed == 2
        assert gateway.peers[1].token == "token-1"


async def test_out_of_order_and_repeated_positions_are_shown_once() -> None:
    """A position at or below the last one of its log is dropped, and logs are independent."""

    async def script(peer: Peer) -> None:
        await peer.welcome(user=0, all=0)
        for position in (1, 3, 2, 3, 4):
            await peer.deliver(position)
        await peer.deliver(1, log="all")

    async with Gateway.playing(script) as gateway, gateway.inbox() as inbox:
        assert await take(inbox, 4) == [1, 3, 4, 1]


async def test_a_gap_is_given_in_order() -> None:
    """Events are given in order with deliveries, and a gap names the lost positions."""

    async def script(peer: Peer) -> None:
        await peer.welcome(resume="gap", user=0)
        await peer.send("gap", log="user", **{"from": 1, "to": 4}, missed=4, reason="trimmed")
        await peer.deliver(5, replayed=True)
        await peer.send("caught_up", positions={"user": 5})
        await peer.deliver(6)

    seen: list[InboxEvent] = []
    async with Gateway.playing(script) as gateway, gateway.inbox(resume=Resume("e1", {"user": 0})) as inbox:
        async for event in inbox.events():
            seen.append(event)
            if isinstance(event, Delivery) and event.position == 6:
                break
    assert [type(event) for event in seen] == [Connected, Gap, Delivery, CaughtUp, Delivery]
    assert seen[1] == Gap(log="user", from_=1, to=4, missed=4, reason="trimmed")


async def test_without_a_hook_a_gap_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Without a hook a gap is a warning in the log."""

    async def script(peer: Peer) -> None:
        await peer.welcome(user=0)
        await peer.send("gap", log="user", **{"from": 1, "to": 4}, missed=4, reason="expired")
        await peer.send("gap", log="all", **{"from": 0, "to": 0}, missed=None, reason="epoch")
        await peer.deliver(5)

    caplog.set_level(logging.WARNING, logger="tidings")
    async with Gateway.playing(script) as gateway, gateway.inbox() as inbox:
        assert await take(inbox, 1) == [5]
    assert caplog.messages == [
        "missed in user: positions 1 to 4 (expired)",
        (
            "missed in all: notifications that the store lost, or all if it is another store (epoch). "
            "Read the inbox again"
        ),
    ]


async def test_the_hook_gets_every_event_but_deliveries() -> None:
    """The hook gets every event but deliveries, in order, and is awaited if it is async."""
    seen: list[InboxEvent] = []

    async def hook(event: InboxEvent) -> None:
        await asyncio.sleep(0)
        seen.append(event)

    async def first(peer: Peer) -> None:
        await peer.welcome()
        await peer.deliver(1)
        await peer.close(1012, "restart")

    async def second(peer: Peer) -> None:
        await peer.welcome(resume="complete", user=1)
        await peer.send("joined", log="group:team", position=3)
        await peer.deliver(4, log="group:team")

    async with Gateway.playing(first, second) as gateway, gateway.inbox(on_event=hook) as inbox:
        assert await take(inbox, 2) == [1, 4]
    assert [type(event).__name__ for event in seen] == ["Connected", "Disconnected", "Connected", "Joined"]
    assert seen[1] == Disconnected(1012, "restart", 0.0)


async def test_4200_renews_the_token_and_reconnects() -> None:
    """After 4200 the inbox reconnects with a new token."""

    async def first(peer: Peer) -> None:
        await peer.welcome()
        await peer.deliver(1)
        await peer.close(4200)

    async def second(peer: Peer) -> None:
        await peer.welcome(resume="complete", user=1)
        await peer.deliver(2)

    async with Gateway.playing(first, second) as gateway:
        async with gateway.inbox() as inbox:
            assert await take(inbox, 2) == [1, 2]
        assert [peer.token for peer in gateway.peers] == ["token-1", "token-2"]


async def test_expiring_sends_a_new_token_on_the_same_connection() -> None:
    """`expiring` makes the inbox send a new token on the same connection."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.send("expiring", **{"in": 30})
        assert (await peer.recv("refresh"))["token"] == "token-2"
        await peer.send("refreshed", expires_at="2030-01-01T00:00:00Z")
        await peer.deliver(1)

    async with Gateway.playing(script) as gateway, gateway.inbox() as inbox:
        assert await take(inbox, 1) == [1]


@pytest.mark.parametrize("code", [4000, 4002, 4003, 4005, 4007, 4042, 1009])
async def test_a_close_that_says_stay_away_ends_the_iteration(code: int) -> None:
    """The iteration gives the events that arrived, then raises the close code, and does not reconnect."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.deliver(1)
        await peer.close(code)

    async with Gateway.playing(script) as gateway:
        async with gateway.inbox() as inbox:
            assert await take(inbox, 1) == [1]
            with pytest.raises(ConnectionClosedError) as raised:
                await take(inbox, 1)
        assert len(gateway.peers) == 1
    assert raised.value.code == code


async def test_4001_is_tried_once_more_with_another_token() -> None:
    """After 4001 the inbox tries one new token, and only its refusal is final."""

    async def first(peer: Peer) -> None:
        await peer.welcome()
        await peer.deliver(1)
        await peer.close(1012)

    async def second(peer: Peer) -> None:
        await peer.close(4001)

    async with Gateway.playing(first, second, second) as gateway:
        async with gateway.inbox() as inbox:
            assert await take(inbox, 1) == [1]
            with pytest.raises(ConnectionClosedError) as raised:
                await take(inbox, 1)
        assert [peer.token for peer in gateway.peers] == ["token-1", "token-1", "token-2"]
    assert raised.value.code == 4001


async def test_the_same_token_again_is_not_another_one() -> None:
    """If the callable returns the refused token again, the iteration raises the error."""

    async def first(peer: Peer) -> None:
        await peer.welcome()
        await peer.close(1012)

    async def second(peer: Peer) -> None:
        await peer.close(4002)

    async with Gateway.playing(first, second, second) as gateway:
        client = AsyncTidings("http://api", token=lambda: "mine")
        async with client, client.listen(realtime_url=gateway.url, reconnect=SOON) as inbox:
            with pytest.raises(ConnectionClosedError) as raised:
                await take(inbox, 1)
        assert [peer.token for peer in gateway.peers] == ["mine"] * 3
    assert raised.value.code == 4002


async def test_a_fixed_token_that_has_expired_is_an_error() -> None:
    """With a fixed token 4200 ends the iteration, and the error says what to give."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.close(4200)

    async with Gateway.playing(script) as gateway, AsyncTidings("http://api", token="mine") as client:
        async with client.listen(realtime_url=gateway.url) as inbox:
            with pytest.raises(ConnectionClosedError, match="callable"):
                await take(inbox, 1)
        assert gateway.peers[0].token == "mine"


@pytest.mark.parametrize(("status", "kind"), [(403, "PermissionDeniedError"), (404, "NotFoundError")])
async def test_a_refused_handshake_is_raised_on_entering(status: int, kind: str) -> None:
    """If the server refuses the handshake with a final error, entering raises it at once."""
    async with Gateway.playing(status) as gateway, gateway.client() as client:
        with pytest.raises(APIError) as raised:
            async with gateway.listen(client):
                pass
    assert type(raised.value).__name__ == kind


async def test_an_overloaded_handshake_is_retried() -> None:
    """After 503 on the handshake the inbox connects again."""

    async def first(peer: Peer) -> None:
        await peer.welcome()
        await peer.deliver(1)
        await peer.close(1012)

    async def second(peer: Peer) -> None:
        await peer.welcome(resume="complete", user=1)
        await peer.deliver(2)

    async with Gateway.playing(first, 503, 503, second) as gateway, gateway.inbox() as inbox:
        assert await take(inbox, 2) == [1, 2]


async def test_entering_raises_when_no_server_answers() -> None:
    """Entering raises if the first connection fails."""
    async with AsyncTidings("http://api", token="mine", retries=0) as client:
        with pytest.raises(ConnectionFailedError):
            async with client.listen(realtime_url="ws://127.0.0.1:9/v1/realtime"):
                pass


async def test_a_slow_application_pauses_reading() -> None:
    """The inbox reads no more than the buffer ahead of the application, and loses nothing."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        for position in range(1, 501):
            await peer.deliver(position)

    taken = []
    async with Gateway.playing(script) as gateway, gateway.inbox(buffer=4) as inbox:
        async for delivery in inbox:
            taken.append(delivery.position)
            await asyncio.sleep(0)
            assert len(inbox._queue._buffer._items) <= 4
            if len(taken) == 500:
                break
    assert taken == list(range(1, 501))


async def test_leaving_with_a_full_buffer_is_clean() -> None:
    """The close handshake completes while the buffer is full."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        for position in range(1, 100_000):
            await peer.deliver(position)

    async with Gateway.playing(script) as gateway:
        async with gateway.inbox(buffer=4):
            sending = gateway.peers[0].socket.transport
            while not sending.get_write_buffer_size():  # noqa: ASYNC110 - a buffer that fills has no event
                await asyncio.sleep(0.001)
        await gateway.peers[0].socket.wait_closed()
        assert gateway.peers[0].socket.close_code == 1000


async def test_a_mark_returns_with_its_answer() -> None:
    """A mark sends the notification's id, and returns the server's `state`."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.deliver(1)
        mark = await peer.recv("mark")
        assert (mark["state"], mark["ids"]) == ("read", ["n1"])
        await peer.state(2, ref=mark["ref"])

    async with Gateway.playing(script) as gateway, gateway.inbox() as inbox:
        async for delivery in inbox:
            await delivery.mark_read()
            break


async def test_a_refused_mark_raises() -> None:
    """An `error` frame with the ref of a mark raises in the call of that mark."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.deliver(1)
        mark = await peer.recv("mark")
        await peer.send("error", code="unknown_type", detail="No such frame", ref=mark["ref"])

    async with Gateway.playing(script) as gateway, gateway.inbox() as inbox:
        async for delivery in inbox:
            with pytest.raises(FrameRefusedError, match="unknown_type"):
                await delivery.mark_seen()
            break


async def test_a_mark_survives_a_drop_and_a_full_buffer() -> None:
    """A mark is sent again on the next connection, and its answer is read while the buffer is full."""

    async def first(peer: Peer) -> None:
        await peer.welcome()
        await peer.deliver(1)
        await peer.recv("mark")
        peer.drop()

    async def second(peer: Peer) -> None:
        await peer.welcome(resume="complete", user=1)
        mark = await peer.recv("mark")
        for position in range(2, 12):
            await peer.deliver(position)
        await peer.state(2, ref=mark["ref"])

    async with Gateway.playing(first, second) as gateway, gateway.inbox(buffer=2) as inbox:
        async for delivery in inbox:
            await delivery.mark_read()
            break
        assert await take(inbox, 10) == list(range(2, 12))


async def test_a_recalled_notification_is_not_shown_any_more() -> None:
    """A notification that is recalled before the application takes it is dropped."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.deliver(1)
        mark = await peer.recv("mark")
        await peer.deliver(2)
        await peer.deliver(3)
        await peer.send("recalled", id="n2", log="user", position=2, counts=counts(2))
        await peer.state(2, ref=mark["ref"])

    shown: list[object] = []
    async with Gateway.playing(script) as gateway, gateway.inbox() as inbox:
        async for event in inbox.events():
            if isinstance(event, Delivery):
                shown.append(event.position)
                if event.position == 1:
                    await event.mark_seen()
            elif isinstance(event, Recalled):
                shown.append(event.id)
                break
    assert shown == [1, 3, "n2"]


async def test_a_frame_that_breaks_the_protocol_costs_only_the_connection() -> None:
    """After a malformed frame the inbox closes the connection, and resumes on another one."""

    async def first(peer: Peer) -> None:
        await peer.welcome()
        await peer.socket.send('{"type": "notification", "position": "one"}')

    async def second(peer: Peer) -> None:
        await peer.welcome(resume="complete", user=0)
        await peer.deliver(1)

    async with Gateway.playing(first, second) as gateway:
        async with gateway.inbox() as inbox:
            assert await take(inbox, 1) == [1]
        assert gateway.peers[0].socket.close_code == 1002


async def test_errors_of_the_application_pass_through_unchanged() -> None:
    """An exception in the body of `async with` is raised unchanged, and the connection is closed."""

    async def script(peer: Peer) -> None:
        await peer.welcome()

    async with Gateway.playing(script) as gateway, gateway.client() as client:
        with pytest.raises(KeyError, match="mine"):
            async with gateway.listen(client):
                raise KeyError("mine")
        await gateway.peers[0].socket.wait_closed()


async def test_listening_says_what_is_missing() -> None:
    """`listen` refuses a key without a user and a token without a URL, and says what to give."""
    async with AsyncTidings("http://api", key="demo.k1.secret") as client:
        with pytest.raises(ConfigurationError, match="user="):
            client.listen()
    async with AsyncTidings("http://api", token="mine") as client:
        with pytest.raises(ConfigurationError, match="realtime_url="):
            client.listen()


async def test_an_inbox_that_was_not_entered_cannot_be_iterated() -> None:
    """`async for` without `async with` raises at once, and the error says what to do."""
    async with AsyncTidings("http://api", key=KEY) as client:
        live = client.listen(user="ana")
        for open_it in (lambda: aiter(live), live.events, live.changes):
            with pytest.raises(ListenError, match="Enter it with `async with`"):
                open_it()
        with pytest.raises(ListenError, match="Enter it with `async with`"):
            await anext(live)


async def test_a_closed_inbox_cannot_be_iterated() -> None:
    """After `async with` a new iteration raises that the inbox is closed, and a running one ends."""

    async def script(peer: Peer) -> None:
        await peer.welcome(user=0)
        await peer.deliver(1)

    async with Gateway.playing(script) as gateway:
        async with gateway.inbox() as inbox:
            under_way = aiter(inbox)
            assert (await anext(under_way)).position == 1
        with pytest.raises(StopAsyncIteration):
            await anext(under_way)
        for open_it in (lambda: aiter(inbox), inbox.events, inbox.changes):
            with pytest.raises(ListenError, match=r"closed\. Call listen\(\) again"):
                open_it()
        with pytest.raises(ListenError, match=r"closed\. Call listen\(\) again"):
            await inbox.mark_read(all=True)


async def test_each_reconnect_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The logger `tidings` logs at INFO why a connection ended and when the inbox reconnects."""
    caplog.set_level(logging.INFO, logger="tidings")

    async def first(peer: Peer) -> None:
        await peer.welcome()
        await peer.close(1012, "restart")

    async def broken(peer: Peer) -> None:
        await peer.welcome(resume="complete", user=0)
        peer.drop()

    async def second(peer: Peer) -> None:
        await peer.welcome(resume="complete", user=0)
        await peer.deliver(1)

    async with Gateway.playing(first, broken, second) as gateway, gateway.inbox() as inbox:
        assert await take(inbox, 1) == [1]
    restart, lost = [record for record in caplog.records if record.name == "tidings"]
    assert restart.levelno == lost.levelno == logging.INFO
    assert restart.message == "restart [1012]; the inbox reconnects in 0.0 s"
    assert lost.message == "The connection broke off; the inbox reconnects in 0.0 s"
    assert "None" not in str(ConnectionClosedError(None, ""))


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (None, "The connection broke off"),
        (Close(1011, "keepalive ping timeout"), "The server did not answer in time"),
        (Close(1000, ""), "The connection broke off"),
    ],
)
def test_an_end_without_a_code_is_explained(sent: Close | None, says: str) -> None:
    """Without a close frame the reason is a text of the SDK, not of the library."""
    assert broken_off(ConnectionClosedWithError(None, sent, None)) == says
