"""STOMP on a connection, whatever its transport: carries out the effects of the STOMP session."""

import asyncio
from collections.abc import Sequence
from typing import Final

from tidings.protocol import closing
from tidings.protocol.closing import CloseCode, Verdict
from tidings.protocol.frames import Positions, ServerFrame, Welcome
from tidings.protocol.names import log_of_topic
from tidings_workers.gateway.actions import Acknowledge
from tidings_workers.gateway.connection import Connection, clock
from tidings_workers.gateway.stomp.destinations import Inbox, TopicName
from tidings_workers.gateway.stomp.effects import Ask, Effect, Finish, Forget, Refuse, Rewire, Write
from tidings_workers.gateway.stomp.frames import HEARTBEAT, StompError
from tidings_workers.gateway.stomp.parser import Parser
from tidings_workers.gateway.stomp.session import StompSession
from tidings_workers.gateway.stomp.slow import Refusals
from tidings_workers.gateway.stomp.wire import Wires

_EVERYTHING: Final = 2**53 - 1
# The agreed time between two heartbeats is the longest one, also on a busy machine.
_SHARE: Final = 0.9
_REFUSED: Final = frozenset({Verdict.STAY_AWAY, Verdict.REFRESH})


class StompConnection(Connection):
    """One client that speaks STOMP. The transport gives the messages of the client to `receive`."""

    # Its attributes are in a dict: with slots it could not be a base beside another one with slots.

    def start_stomp(self, wires: Wires, refusals: Refusals) -> None:
        """Set the attributes; called once by the constructor of a subclass."""
        self._wires = wires
        self._parser = Parser()
        self._stomp = StompSession()
        self.wire = wires.get(self._stomp.version, ())
        self._refusals = refusals
        # Whether the answer to a refused client waits.
        self._is_refused = False
        # The ERROR frame of a refusal.
        self._error = b""
        # Whether the server acknowledges what reached the client.
        self._confirms = False
        self._beat: asyncio.TimerHandle | None = None

    def sent_positions(self) -> Positions:
        """The positions that the server acknowledges once the client has read the sent messages.

        They are those of subscriptions with `auto`. Those of topics end at the last one sent by then; no
        device continues after them.
        """
        subscriber, positions = self.subscriber, dict[str, int]()
        subscriptions = self._stomp.subscriptions.values()
        automatic = [each.source for each in subscriptions if each.ack == "auto"]
        if subscriber is not None and any(isinstance(source, Inbox) for source in automatic):
            positions = {name: subscriber.cursor(name) for name in subscriber.acknowledged}
        by_hand = {each.source for each in subscriptions if each.ack != "auto"}
        for source in automatic:
            if isinstance(source, TopicName) and source not in by_hand:
                positions[log_of_topic(source.topic)] = _EVERYTHING
        return positions

    def confirm(self, positions: Positions) -> None:
        """The client has read everything up to these positions of `sent_positions`."""
        waiting = self._stomp.unacknowledged
        moved = positions if waiting is None else waiting.reach(positions)
        if moved:
            self._perform(Acknowledge(moved))

    @property
    def guest_host(self) -> str | None:
        """See Connection."""
        return self._stomp.guest_host

    def write_unconfirmed(self, data: bytes) -> None:
        """Write a heartbeat, which needs no confirmation."""
        self.write(data)

    def check_unacknowledged(self) -> None:
        """Close a client that left too many messages unacknowledged; called after each write."""
        waiting = self._stomp.unacknowledged
        if waiting is not None and waiting.is_full:
            self.close(closing.SLOW_CONSUMER, "too many messages are not acknowledged")

    def write_end(self, code: CloseCode, reason: str) -> None:
        """Send the close of the transport; see `Connection.write_close`."""
        raise NotImplementedError

    def write_last(self, data: bytes) -> None:
        """Write bytes although the connection is closing: the close follows."""
        raise NotImplementedError

    def receive(self, data: bytes) -> None:
        """See Connection. A message may have a part of a frame, or several frames."""
        if self._ignores():
            # The parser would keep these bytes, and nothing would read them.
            return
        self._parser.feed(data)
        frames = 0
        while not self._ignores():
            try:
                frame = self._parser.next_frame()
            except StompError as error:
                self._carry_out(self._stomp.refuse(error.code, error.detail))
                return
            if frame is None:
                return
            frames += 1
            # The first one was counted as a message.
            if frames > 1 and not self.admit_frame():
                return
            self._carry_out(self._stomp.receive(frame))
            self._parser.version = self._stomp.version

    def _ignores(self) -> bool:
        """Whether the frames of the client have no effect any more."""
        return self.closed or self._is_refused

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Write(frame):
                    self._say(frame)
                case Ask(frame):
                    super().receive(frame)
                case Forget():
                    self.identity = None
                case Rewire():
                    self._rewire()
                case Refuse(frame, code):
                    self._error = frame
                    self.close(code)
                case Finish():
                    self.close(closing.NORMAL)
            if self.closed:
                return

    def _rewire(self) -> None:
        subscriptions = tuple(self._stomp.subscriptions.values())
        waiting = self._stomp.unacknowledged
        record = waiting.add if waiting is not None else None
        self.wire = self._wires.get(self._stomp.version, subscriptions, record)
        self._confirms = any(each.ack == "auto" for each in subscriptions)
        if self.wire.carries_inbox and self.subscriber is not None:
            self._gateway.start_inbox(self.subscriber)

    # Sending

    def send(self, *messages: ServerFrame) -> None:
        """See Connection."""
        for message in messages:
            self._carry_out(self._stomp.answer(message))
            if isinstance(message, Welcome) and not self.closed:
                self._schedule_beat(asyncio.get_running_loop().time())

    def _say(self, frame: bytes) -> None:
        data = self._wires.enclose(frame)
        if self._queue:
            self._queue.append(data)
        else:
            self.write(data)

    def _schedule_beat(self, previous: float) -> None:
        """Send the next heartbeat an interval after the time at which the previous one was due."""
        interval = self._stomp.heartbeats.ours / 1000 * _SHARE
        if interval:
            loop = asyncio.get_running_loop()
            due = max(previous + interval, loop.time())
            self._beat = loop.call_at(due, self._send_beat, due)

    def _send_beat(self, due: float) -> None:
        self.write_unconfirmed(self._wires.enclose(HEARTBEAT))
        if not self.closed:
            self._schedule_beat(due)

    # Closing

    def close(self, code: CloseCode, reason: str = "") -> None:
        """See `outlet.Outlet`. A client that was refused several times waits for the answer."""
        if self.closed or (self._is_refused and code != closing.RESTART):
            return
        verdict = code.verdict
        if code == closing.TOO_MANY_CONNECTIONS and self.guest_host is not None:
            # A page without a token reconnects every few seconds, for ever.
            verdict = Verdict.STAY_AWAY
        refused = verdict in _REFUSED and not self._stomp.was_welcomed and code != closing.NORMAL
        wait = self._refusals.wait(self.address, clock()) if refused else 0
        if wait:
            self._is_refused = True
            # Further bytes of the client stay in the kernel.
            self.pause_reading()
            asyncio.get_running_loop().call_later(wait, super().close, code, reason)
        else:
            super().close(code, reason)

    def write_close(self, code: CloseCode, reason: str) -> None:
        """See Connection."""
        frame = self._error or self._stomp.closing(code, reason)
        if frame:
            self.write_last(self._wires.enclose(frame))
        self.write_end(code, reason)

    def start_closing(self, code: int | None) -> None:
        """See Connection."""
        super().start_closing(code)
        if self._beat is not None:
            self._beat.cancel()
            self._beat = None
