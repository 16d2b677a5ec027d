"""One client: its socket, its session, and its place among the topics.

The session says what to do with what the peer sends and with the time; the hub sends through here.
The wheel is a connection's only clock.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from websockets.http11 import Request

from tidings.protocol import frames
from tidings_workers import metrics
from tidings_workers.gateway import handshake, wire
from tidings_workers.gateway.head import Refusal
from tidings_workers.gateway.session import (
    Acknowledge,
    Action,
    ChangeState,
    Close,
    Open,
    Probe,
    RefreshToken,
    Send,
    Session,
    Vanish,
)
from tidings_workers.gateway.socket import Socket, clock
from tidings_workers.identity import STORE_HEADER
from tidings_workers.tokens import Identity

if TYPE_CHECKING:
    from tidings_workers.gateway.catchup import CatchUp
    from tidings_workers.gateway.gateway import Gateway
    from tidings_workers.gateway.topics import Topic
    from tidings_workers.gateway.users import User


class Connection(Socket):
    """One client. The gateway opens its session and the hub sends to it."""

    __slots__ = (
        "_gateway",
        "_queue",
        "acknowledged",
        "catching_up",
        "counted",
        "device",
        "id",
        "identity",
        "origin",
        "session",
        "user",
    )

    user: "User"

    def __init__(self, gateway: "Gateway") -> None:
        super().__init__(gateway.settings.outbox_bytes)
        self._gateway = gateway
        self._queue: list[bytes] = []
        self.session = Session(clock(), gateway.settings.heartbeat_seconds)
        # The logs that the client was told of, and up to where it acknowledged each, or started in it.
        self.acknowledged: dict[str, int] = {}
        self.catching_up: CatchUp | None = None
        self.counted = False
        self.device: str | None = None
        self.id = ""
        self.identity: Identity | None = None
        self.origin: str | None = None

    # What the socket says

    def on_arrival(self) -> None:
        """See Socket."""
        self._gateway.arrived(self)

    def on_bytes(self) -> None:
        """See Socket."""
        self.session.heard()

    def on_request(self, request: Request) -> None:
        """See Socket."""
        verdict = handshake.check(request, self._gateway.verifier, self._gateway.view)
        if isinstance(verdict, Refusal) and verdict.unknown_key:
            self._gateway.background.spawn(self._check_again(request))
        else:
            self._admit(request, verdict)

    def refusal_headers(self) -> tuple[tuple[str, str], ...]:
        """See Socket."""
        return ((STORE_HEADER, self._gateway.store.identity),)

    async def _check_again(self, request: Request) -> None:
        """The key may be newer than our view of the registry."""
        await self._gateway.view.refresh()
        if not self.closed:
            self._admit(request, handshake.check(request, self._gateway.verifier, self._gateway.view))

    def _admit(self, request: Request, verdict: handshake.Verdict) -> None:
        if isinstance(verdict, Refusal):
            self.refuse(verdict)
        else:
            self.identity, self.origin = verdict
            self.accept(request)

    def on_frame(self) -> bool:
        """See Socket."""
        flood = self.session.admit(clock())
        if flood is not None:
            self.perform(flood)
        return flood is None

    def on_text(self, data: bytes) -> None:
        """See Socket."""
        metrics.FRAMES_RECEIVED.inc()
        action = self.session.receive(data)
        if action is not None:
            self.perform(action)

    def answer_waiting(self) -> None:
        """Take the frames that arrived before the welcome."""
        for data in self.session.waiting():
            action = self.session.receive(data)
            if action is not None:
                self.perform(action)

    def on_end(self) -> None:
        """See Socket."""
        self._queue.clear()
        self.session.end()
        self._gateway.left(self)
        if self.abort_at is not None:
            self._gateway.wheel.add(self, self.abort_at)

    def on_lost(self) -> None:
        """See Socket."""
        self._gateway.gone(self)

    # Sending

    def queue(self, data: bytes) -> None:
        """Have frames written with this batch."""
        if not self._queue:
            self._gateway.hub.dirty.append(self)
        self._queue.append(data)

    def write_queue(self) -> None:
        """Write what is queued, as one."""
        queued, self._queue = self._queue, []
        if queued:
            self.write(queued[0] if len(queued) == 1 else b"".join(queued))

    def send(self, message: frames.ServerFrame) -> None:
        """Send one frame, after what is queued."""
        data = wire.frame(message)
        if self._queue:
            self._queue.append(data)
        else:
            self.write(data)

    # What the session wants

    @property
    def heartbeat(self) -> int:
        """Seconds within which the server lets itself be heard."""
        return self._gateway.settings.heartbeat_seconds

    def on_time(self, now: float) -> float | None:
        """See `Timed`."""
        if self.abort_at is not None:
            # Ending put an entry of its own into the wheel; this may be the one from before.
            if now >= self.abort_at:
                self.abort()
            return None
        if self.is_connecting and now >= self.session.due():
            self.abort()
            return None
        self.tick(now)
        return None if self.closed else self.session.due()

    def tick(self, now: float) -> None:
        """Do what the session has due by `now`."""
        for action in self.session.tick(now):
            self.perform(action)

    def perform(self, action: Action) -> None:
        """Carry out an action of the session."""
        match action:
            case Send(frame):
                self.send(frame)
            case Acknowledge(positions):
                self._gateway.acknowledge(self, positions)
            case Open(connect):
                self._gateway.open(self, connect)
            case ChangeState(mark):
                self._gateway.mark(self, mark)
            case RefreshToken(token):
                self._gateway.refresh(self, token)
            case Probe():
                self.write(wire.PING)
            case Close(code, reason):
                self.close(code, reason)
            case Vanish():
                self.abort()

    # What the hub tells

    def go_live(self) -> None:
        """The connection stands at the end of every log: from now on it is sent what comes."""
        self.catching_up = None
        self._gateway.hub.catching_up.pop(self, None)
        for topic in self._topics():
            topic.live[self] = None

    def start(
        self,
        cursors: dict[str, int],
        departed: set[str],
        *,
        replay: bool,
        states: Sequence[frames.Stated] = (),
    ) -> None:
        """Begin to catch up from these cursors; they name every log that the client was told of.

        `states` follow the replay.
        """
        for topic in self._topics():
            topic.live.pop(self, None)
        for name, position in cursors.items():
            self.acknowledged.setdefault(name, position)
        self._gateway.hub.catching_up[self] = None
        self._gateway.catch_up(self, cursors, departed, states, replay=replay)

    def leave_topics(self) -> None:
        """Be sent nothing more."""
        self._gateway.hub.catching_up.pop(self, None)
        for topic in self._topics():
            topic.live.pop(self, None)

    def _topics(self) -> "list[Topic]":
        found = map(self.user.followed, self.acknowledged)
        return [topic for topic in found if topic is not None]

    def cursor(self, name: str) -> int:
        """The last position of a log that this connection has been sent, or passed over."""
        if self.catching_up is not None:
            return self.catching_up.cursors.get(name, 0)
        return self.user.end(name) if name in self.acknowledged else 0

    def joined(self, name: str, position: int) -> None:
        """The user became a member of a group: its log starts here after a position."""
        if self.closed or not self.session.is_open:
            return
        self.send(frames.Joined(name, position))
        if self.catching_up is not None:
            # A cursor may be there from an earlier membership; what is left of that still comes.
            self.catching_up.cursors.setdefault(name, position)
            self.catching_up.departed.discard(name)
            self.acknowledged.setdefault(name, position)
        else:
            cursors = {log: self.cursor(log) for log in self.acknowledged}
            self.start(cursors | {name: position}, set(), replay=False)

    def left(self, name: str, position: int) -> None:
        """The user left a group: nothing after a position comes."""
        if self.closed or not self.session.is_open or name not in self.acknowledged:
            return
        if self.catching_up is not None:
            self.catching_up.departed.add(name)
        else:
            self.send(frames.Left(name, position))
