"""The client's side of the realtime protocol as a pure state machine: frames in, frames and events out.

It has no socket and no clock. One session serves many connections in turn: `connect` starts each one,
`receive` takes its messages, `handled` records the progress of the application, and `acks` returns the
acknowledgements to send.

The session keeps two positions per log. *Received* is the last one that arrived: it detects duplicates, and a
new connection resumes from it, because received events wait in this process. *Handled* is the last one that
the application is finished with: it is acknowledged, and a later process resumes from it. `InboxStatus` keeps
the same two for the versions of the state.
"""

from typing import Final

import msgspec

from tidings._errors import InvalidArgumentError
from tidings._listen.errors import FrameRefusedError, MalformedFrameError
from tidings._listen.events import Changed, Connected
from tidings._listen.incoming import read_frame
from tidings._listen.outputs import Answered, Output, RefreshWanted, Refused
from tidings._listen.pending import Asked, PendingFrames
from tidings._listen.status import InboxStatus
from tidings._listen.subscriptions import Subscriptions
from tidings.protocol import limits
from tidings.protocol.frames import (
    Accepted,
    Ack,
    CaughtUp,
    Connect,
    Counts,
    Delivered,
    ErrorFrame,
    Expiring,
    Gap,
    Joined,
    Pong,
    Positions,
    Published,
    Recalled,
    Refresh,
    Refreshed,
    Reply,
    Resume,
    ServerFrame,
    Stated,
    Subscribed,
    Unsubscribed,
    Welcome,
)
from tidings.protocol.names import DEVICE_RULE, is_device, log_of_topic, topic_of_log

# 200 names of the greatest length have 27 KB; the limit of a frame is 64 KB.
LOGS_PER_ACK: Final = 200

_encode: Final = msgspec.json.Encoder().encode


class Session:
    """The protocol state of one live inbox. `epoch` is that of the store, None before the first welcome."""

    def __init__(
        self,
        *,
        device: str | None = None,
        resume: Resume | None = None,
        rewind: int | None = None,
        client: str | None = None,
    ) -> None:
        if device is not None and not is_device(device):
            raise InvalidArgumentError(f"{device!r} is not the name of a device: it is {DEVICE_RULE}")
        if rewind is not None and resume is not None:
            raise InvalidArgumentError("resume and rewind exclude each other. Give one of them")
        if rewind is not None and not 0 <= rewind <= limits.REWIND:
            raise InvalidArgumentError(f"rewind must be 0 to {limits.REWIND}, not {rewind}")
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
        self._pending = PendingFrames()
        self.subscriptions = Subscriptions()
        self._status = InboxStatus(resume.state_version if resume else None)

    @property
    def counts(self) -> Counts | None:
        """The newest counts; None before the first welcome."""
        return self._status.counts

    @property
    def state_version(self) -> int:
        """The version of the last state that arrived; 0 before the first welcome."""
        return self._status.received or 0

    def connect(self) -> str:
        """The first frame of a new connection.

        The last acknowledgements of the previous connection may be lost: `acks` returns them again.
        """
        self._welcomed = False
        for log in self._acked_here:
            self._acked.pop(log, None)
        self._acked_here.clear()
        if self.epoch is None:
            return _text(Connect(device=self._device, rewind=self._rewind, client=self._client))
        # The server replays a log that is not named from its beginning, and this session drops duplicates.
        # If a frame cannot hold all logs, those with the lowest positions are left out: least to replay.
        logs = sorted(
            filter(self.subscriptions.wants, self._received), key=self._received.__getitem__, reverse=True
        )
        version = self._status.resume()
        while True:
            resume = Resume(self.epoch, {log: self._received[log] for log in logs}, version)
            self.subscriptions.resumed(logs)
            frame = _text(Connect(device=self._device, resume=resume, client=self._client))
            if len(frame.encode()) <= limits.FRAME_BYTES:
                return frame
            logs = logs[: len(logs) * 3 // 4]

    def receive(self, message: str | bytes) -> list[Output]:
        """The outputs for one message of the server, in order.

        Frames of unknown types give none: a newer server may send them. Raises MalformedFrameError.
        """
        frame = read_frame(message)
        return self._accept(frame) if frame is not None else []

    def _accept(self, frame: ServerFrame) -> list[Output]:  # noqa: C901, PLR0912 - one case per kind of frame
        match frame:
            case Welcome():
                return [self._welcome(frame)]
            case ErrorFrame():
                return self._error(frame)
            case _ if not self._welcomed:
                raise MalformedFrameError("The server's first frame was not a welcome")
            case Delivered():
                if frame.position <= self._received.get(frame.log, 0):
                    return []
                self._received[frame.log] = frame.position
            case CaughtUp():
                _advance(self._received, frame.positions)
                self._status.caught_up()
            case Gap():
                self._gap(frame)
            case Recalled():
                self._status.counts_received(frame.counts)
            case Joined():
                self._begin(frame.log, frame.position)
            case Expiring():
                return [RefreshWanted(frame.in_)]
            case Stated():
                return self._stated(frame)
            case Subscribed():
                if self.subscriptions.subscribed(frame.topic):
                    self._forget_log(frame.log)
                self._begin(frame.log, frame.position)
            case Unsubscribed():
                self.subscriptions.ended(frame.topic)
                self._forget_log(log_of_topic(frame.topic))
            case Reply():
                return [Answered(str(frame.ref), frame)] if self.forget(frame.ref) else []
            case Refreshed() | Pong() | Accepted() | Published():
                return []
        return [frame]

    def _welcome(self, frame: Welcome) -> Connected:
        if self._welcomed:
            raise MalformedFrameError("The server sent a second welcome")
        self._welcomed = True
        self._starts = dict(frame.positions)
        self._status.welcomed(frame, new_epoch=frame.epoch != self.epoch)
        if frame.epoch != self.epoch:
            # Positions of another epoch are void; the server sends a gap for each log that lost something.
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
            # The log belongs to another store, and its head may be below the old positions.
            start = self._starts.get(frame.log, frame.to)
            self._received[frame.log] = self._handled[frame.log] = start
        else:
            _advance(self._received, {frame.log: frame.to})

    def _begin(self, log: str, position: int) -> None:
        for positions in (self._received, self._handled, self._acked):
            positions.setdefault(log, position)

    def _forget_log(self, log: str) -> None:
        for positions in (self._received, self._handled, self._acked):
            positions.pop(log, None)

    def _stated(self, frame: Stated) -> list[Output]:
        self._status.counts_received(frame.counts)
        self._status.version_received(frame.state_version)
        changed = Changed.of(frame, mine=self._pending.made(frame.ref))
        return [Answered(str(frame.ref), changed), changed] if self.forget(frame.ref) else [changed]

    def _error(self, frame: ErrorFrame) -> list[Output]:
        if self.forget(frame.ref):
            return [Answered(str(frame.ref), FrameRefusedError(frame.code, frame.detail, frame.ref))]
        if (topic := self.subscriptions.refused(frame.ref)) is not None:
            return [Refused(topic, FrameRefusedError(frame.code, frame.detail, frame.ref))]
        return [frame]

    def handled(self, event: object, epoch: str | None) -> bool:
        """Count an event of that epoch as handled. Returns whether there is a position to acknowledge."""
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
                self._status.version_handled(event.state_version)
                return False
            case _:
                return False
        # A subscription may have ended since the event arrived.
        reached = {log: at for log, at in reached.items() if log in self._handled or not is_of_topic(log)}
        _advance(self._handled, reached)
        return any(self._handled[log] > self._acked.get(log, 0) for log in reached)

    def acks(self) -> list[str]:
        """The frames for all handled positions that are not acknowledged yet; they then count as sent."""
        due = {log: at for log, at in self._handled.items() if at > self._acked.get(log, 0)}
        self._acked |= due
        self._acked_here |= due.keys()
        logs = list(due)
        return [
            _text(Ack({log: due[log] for log in logs[at : at + LOGS_PER_ACK]}))
            for at in range(0, len(logs), LOGS_PER_ACK)
        ]

    def ask(self, frame: Asked) -> tuple[str, str]:
        """The ref and the text of a frame, which is kept until it is answered or forgotten."""
        return self._pending.add(frame)

    def subscribe(self, topic: str, after: int | None, rewind: int | None) -> str:
        """The frame that subscribes to a topic; by default after its position in `resume`, if that has one.

        Raises InvalidArgumentError.
        """
        if after is None and rewind is None:
            after = self._handled.get(log_of_topic(topic))
        return self.subscriptions.add(topic, after, rewind)

    def forget(self, ref: str | int | None) -> bool:
        """Forget a frame that waits for its answer. Returns whether it did."""
        return self._pending.forget(ref)

    def unanswered(self) -> list[str]:
        """The frames to send again on a new connection, subscriptions among them; all are idempotent."""
        return self._pending.frames() + self.subscriptions.frames(self._received)

    def resume_point(self) -> Resume | None:
        """The argument of `resume` that continues after everything handled; None before the first welcome."""
        if self.epoch is None:
            return None
        return Resume(self.epoch, dict(self._handled), self._status.handled)


def is_of_topic(log: str) -> bool:
    """Whether a log is that of a topic."""
    return topic_of_log(log) is not None


def refresh(token: str) -> str:
    """The frame that replaces the connection's token."""
    return _text(Refresh(token))


def _text(frame: msgspec.Struct) -> str:
    return _encode(frame).decode()


def _advance(positions: Positions, to: Positions) -> None:
    for log, position in to.items():
        if position > positions.get(log, -1):
            positions[log] = position
