"""The client's side of the realtime protocol as a pure state machine: frames in, frames and events out.

It knows no socket and no clock. One session lives through many connections: `connect` begins each,
`receive` takes its messages, `took` says how far the application is, `acks` what to tell the server.

Two sets of positions are kept. *Received* is what came off the wire: duplicates are told by it, and
a new connection resumes from it, because what was received waits in this process. *Handled* is what
the application is done with: that is acknowledged, and a later process resumes from it. The same
goes for the versions of state, in `Standing`.
"""

from typing import Final

import msgspec

from tidings._errors import InvalidArgumentError
from tidings._listen.errors import FrameRefusedError, ListenError
from tidings._listen.events import Changed, Connected
from tidings._listen.marks import Pending
from tidings._listen.standing import Standing
from tidings.protocol import limits
from tidings.protocol.frames import (
    SERVER_FRAMES,
    Ack,
    CaughtUp,
    Connect,
    Counts,
    Delivered,
    ErrorFrame,
    Expiring,
    Gap,
    Joined,
    Left,
    Pong,
    Positions,
    Recalled,
    Refresh,
    Refreshed,
    Resume,
    ServerFrame,
    Stated,
    Welcome,
)
from tidings.protocol.names import DEVICE_RULE, is_device
from tidings.protocol.rest import MarkInbox

# 200 names of the longest kind stay well below the limit of a frame.
LOGS_PER_ACK: Final = 200

Event = Connected | Delivered | CaughtUp | Gap | Joined | Left | Changed | Recalled | ErrorFrame


class MalformedFrameError(ListenError):
    """The server sent what the protocol does not allow; the connection is not to be trusted."""


class RefreshWanted(msgspec.Struct, frozen=True):
    """The token ends in `seconds`: send `refresh` with another one."""

    seconds: int


class Answered(msgspec.Struct, frozen=True):
    """The mark `ref` is done with this result, or was refused."""

    ref: str
    result: Changed | FrameRefusedError


Output = Event | RefreshWanted | Answered

# None: what has no type at all.
_KNOWN: Final = frozenset((None, *(kind.__struct_config__.tag for kind in SERVER_FRAMES)))
_decode: Final = msgspec.json.Decoder(ServerFrame).decode
_encode: Final = msgspec.json.Encoder().encode


class _Type(msgspec.Struct):
    type: str


_decode_type: Final = msgspec.json.Decoder(_Type).decode


class Session:
    """One listener. `epoch` is the store's, None before the first welcome."""

    def __init__(
        self,
        *,
        device: str | None = None,
        resume: Resume | None = None,
        rewind: int | None = None,
        client: str | None = None,
    ) -> None:
        if device is not None and not is_device(device):
            raise InvalidArgumentError(f"{device!r} cannot name a device: it is {DEVICE_RULE}")
        if rewind is not None and resume is not None:
            raise InvalidArgumentError("Give either resume or rewind, not both")
        if rewind is not None and not 0 <= rewind <= limits.REWIND:
            raise InvalidArgumentError(f"rewind is 0 to {limits.REWIND}, not {rewind}")
        self.epoch: str | None = resume.epoch if resume else None
        self._device = device
        self._rewind = rewind
        self._client = client
        self._received: Positions = dict(resume.positions) if resume else {}
        self._handled: Positions = dict(self._received)
        self._acked: Positions = dict(self._received)
        self._acked_here: set[str] = set()
        self._starts: Positions = {}
        self._welcomed = False
        self._marks = Pending()
        self._standing = Standing(resume.state_version if resume else None)

    @property
    def counts(self) -> Counts | None:
        """The newest counts; None before the first welcome."""
        return self._standing.counts

    @property
    def state_version(self) -> int:
        """The last change of state that was told; 0 before the first welcome."""
        return self._standing.told or 0

    def connect(self) -> str:
        """The first frame of a new connection. What an old one acknowledged last may be lost: again."""
        self._welcomed = False
        for log in self._acked_here:
            self._acked.pop(log, None)
        self._acked_here.clear()
        if self.epoch is None:
            return _text(Connect(device=self._device, rewind=self._rewind, client=self._client))
        # A log that is not named is replayed from its beginning, and its duplicates are dropped here.
        # So where a frame cannot hold them all, those with the least to replay are left out.
        logs = sorted(self._received, key=self._received.__getitem__, reverse=True)
        version = self._standing.resume()
        while True:
            resume = Resume(self.epoch, {log: self._received[log] for log in logs}, version)
            frame = _text(Connect(device=self._device, resume=resume, client=self._client))
            if len(frame.encode()) <= limits.FRAME_BYTES:
                return frame
            logs = logs[: len(logs) * 3 // 4]

    def receive(self, message: str | bytes) -> list[Output]:
        """What follows from one message of the server, in order.

        Frames of a type unknown here are passed over: a newer server may send them. Raises
        MalformedFrameError.
        """
        if isinstance(message, bytes):
            raise MalformedFrameError("The server sent a binary frame")
        try:
            frame = _decode(message)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            if _type_of(message) not in _KNOWN:
                return []
            raise MalformedFrameError(f"The server sent a frame that is not valid: {error}") from error
        return self._accept(frame)

    def _accept(self, frame: ServerFrame) -> list[Output]:  # noqa: C901 - one case per kind of frame
        match frame:
            case Welcome():
                return [self._welcome(frame)]
            case ErrorFrame():
                return self._error(frame)
            case _ if not self._welcomed:
                raise MalformedFrameError("The server's first frame was no welcome")
            case Delivered():
                if frame.position <= self._received.get(frame.log, 0):
                    return []
                self._received[frame.log] = frame.position
            case CaughtUp():
                _advance(self._received, frame.positions)
                self._standing.caught_up()
            case Gap():
                self._gap(frame)
            case Recalled():
                self._standing.counted(frame.counts)
            case Joined():
                for positions in (self._received, self._handled, self._acked):
                    positions.setdefault(frame.log, frame.position)
            case Expiring():
                return [RefreshWanted(frame.in_)]
            case Stated():
                return self._stated(frame)
            case Refreshed() | Pong():
                return []
        return [frame]

    def _welcome(self, frame: Welcome) -> Connected:
        if self._welcomed:
            raise MalformedFrameError("The server sent a second welcome")
        self._welcomed = True
        self._starts = dict(frame.positions)
        self._standing.welcomed(frame, anew=frame.epoch != self.epoch)
        if frame.epoch != self.epoch:
            # Positions of another epoch mean nothing here; the server names the loss in gaps.
            self.epoch = frame.epoch
            self._received = dict(frame.positions)
            self._handled = dict(frame.positions)
            self._acked = dict(frame.positions)
        else:
            _advance(self._received, frame.positions)
            for log, position in frame.positions.items():
                self._handled.setdefault(log, position)
        return Connected(frame.connection, frame.user, frame.resume)

    def _gap(self, frame: Gap) -> None:
        if frame.reason == "epoch":
            # The log is another one than before: its end may lie behind the old positions.
            start = self._starts.get(frame.log, frame.to)
            self._received[frame.log] = self._handled[frame.log] = start
        else:
            _advance(self._received, {frame.log: frame.to})

    def _stated(self, frame: Stated) -> list[Output]:
        self._standing.counted(frame.counts)
        self._standing.changed(frame.state_version)
        changed = Changed.of(frame, mine=self._marks.made(frame.ref))
        return [Answered(str(frame.ref), changed), changed] if self.forget(frame.ref) else [changed]

    def _error(self, frame: ErrorFrame) -> list[Output]:
        if self.forget(frame.ref):
            return [Answered(str(frame.ref), FrameRefusedError(frame.code, frame.detail, frame.ref))]
        return [frame]

    def took(self, event: object, epoch: str | None) -> bool:
        """The application is done with an event of that epoch. True where that is to be acknowledged."""
        if epoch != self.epoch:
            return False
        match event:
            case Delivered():
                reached = {event.log: event.position}
            case Gap():
                reached = {event.log: event.to} if event.reason != "epoch" else {}
            case CaughtUp():
                reached = event.positions
            case Changed():
                self._standing.took(event.state_version)
                return False
            case _:
                return False
        _advance(self._handled, reached)
        return any(self._handled[log] > self._acked.get(log, 0) for log in reached)

    def acks(self) -> list[str]:
        """The frames that acknowledge all that was handled and not acknowledged on this connection yet."""
        due = {log: at for log, at in self._handled.items() if at > self._acked.get(log, 0)}
        self._acked |= due
        self._acked_here |= due.keys()
        logs = list(due)
        return [
            _text(Ack({log: due[log] for log in logs[at : at + LOGS_PER_ACK]}))
            for at in range(0, len(logs), LOGS_PER_ACK)
        ]

    def mark(self, mark: MarkInbox) -> tuple[str, str]:
        """A mark's ref and frame. It is remembered until it is answered or forgotten.

        Raises InvalidArgumentError where that is more than a frame holds.
        """
        return self._marks.add(mark)

    def forget(self, ref: str | int | None) -> bool:
        """Nobody waits for the answer of this mark any more. True where somebody did."""
        return self._marks.forget(ref)

    def unanswered(self) -> list[str]:
        """The marks to send again on a new connection; marking is idempotent."""
        return self._marks.frames()

    def resume_point(self) -> Resume | None:
        """Where a later listener goes on after all that was handled; None before the first welcome."""
        if self.epoch is None:
            return None
        return Resume(self.epoch, dict(self._handled), self._standing.handled)


def refresh(token: str) -> str:
    """The frame that replaces the connection's token."""
    return _text(Refresh(token))


def _text(frame: msgspec.Struct) -> str:
    return _encode(frame).decode()


def _type_of(message: str) -> str | None:
    """The type of a frame, known or not; None where the message is no frame at all."""
    try:
        return _decode_type(message).type
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _advance(positions: Positions, to: Positions) -> None:
    for log, position in to.items():
        if position > positions.get(log, -1):
            positions[log] = position
