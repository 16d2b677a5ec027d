"""The session of one connection: frames and time in, actions out. No socket, no clock, no I/O.

    NEW --connect--> OPENING --welcome()--> OPEN --close--> CLOSED

The caller carries out the actions that `receive` and `tick` return, in order, and calls `welcome` and
`refresh` with the result. Frames that arrive while OPENING are kept: after the welcome the caller gets them
from `take_waiting` and gives them to `receive` again. Times are seconds of one clock, which the caller
chooses; the expiry of the token too.
"""

from enum import Enum, auto
from typing import Final

import msgspec

from tidings.protocol import closing, limits
from tidings.protocol.closing import CloseCode
from tidings.protocol.frames import (
    Ack,
    Act,
    Connect,
    ErrorFrame,
    Expiring,
    Mark,
    Ping,
    Pong,
    Refresh,
    Subscribe,
    Unsubscribe,
)
from tidings.protocol.names import TOPIC_RULE, is_topic
from tidings_workers.gateway.actions import (
    Abort,
    Acknowledge,
    Action,
    ApplyMark,
    Close,
    Open,
    PostedMessage,
    PostedPublish,
    PostNotification,
    Probe,
    RefreshToken,
    Send,
    TopicFrame,
    UseTopic,
)
from tidings_workers.gateway.received import (
    FAULTS,
    KNOWN,
    NOT_A_FRAME,
    ReceivedFrame,
    decode,
    decode_connect,
    decode_envelope,
    in_words,
)

EXPIRING_SECONDS: Final = 60.0
# A peer that leaves this many probes unanswered, a heartbeat apart, is dropped. Probes are counted and not
# seconds, so that a stall of this process drops no connection.
PROBES: Final = 2

# Limits for a client between its `connect` and the `welcome`.
WAITING_FRAMES: Final = limits.FRAMES_BURST
WAITING_BYTES: Final = limits.FRAME_BYTES


class _State(Enum):
    NEW = auto()
    OPENING = auto()
    OPEN = auto()
    CLOSED = auto()


_NO_INBOX: Final = "This connection has no inbox. Connect without inbox: false."
_MAY_NOT_SEND: Final = "The token lacks the scope 'send'. Send a token with it, from a key that allows it."


class Session:
    """The server's side of the protocol for one connection."""

    __slots__ = (
        "_allowance",
        "_deadline",
        "_expires_at",
        "_has_topics",
        "_heartbeat",
        "_may_send",
        "_probe_at",
        "_state",
        "_unanswered",
        "_waiting",
        "_warned",
        "has_inbox",
    )

    def __init__(self, now: float, heartbeat: float) -> None:
        self._state = _State.NEW
        self._heartbeat = heartbeat
        self._deadline = now + limits.CONNECT_SECONDS
        self._probe_at = now + heartbeat
        self._unanswered = 0
        self._expires_at = float("inf")
        # False for a client that only sends.
        self.has_inbox = True
        self._has_topics = False
        self._may_send = False
        self._warned = False
        self._waiting: list[bytes] | None = None
        # Generic cell rate algorithm: the time at which the burst is fully available again.
        self._allowance = now

    @property
    def is_open(self) -> bool:
        """Whether `welcome` was called and the session is not closed."""
        return self._state is _State.OPEN

    def transport_ready(self, now: float) -> None:
        """The transport is ready for frames: the time for `connect` begins.

        It was limited by the same time before. Under a load of handshakes, the wait for one's own turn is not
        the client's.
        """
        if self._state is _State.NEW:
            self._deadline = now + limits.CONNECT_SECONDS

    def bytes_arrived(self) -> None:
        """Bytes arrived: any traffic is a sign of life."""
        self._unanswered = 0

    def welcome(self, expires_at: float, *, may_send: bool = False, is_guest: bool = False) -> None:
        """Open the session; its token expires at `expires_at`, and has the scope `send` if it may send.

        A guest uses topics without an inbox.
        """
        self._state = _State.OPEN
        self._has_topics = self.has_inbox or is_guest
        self._expires_at = expires_at
        self._may_send = may_send

    def take_waiting(self) -> list[bytes]:
        """The messages that arrived before `welcome`, once; give each to `receive` again."""
        waiting, self._waiting = self._waiting, None
        return waiting or []

    def refresh(self, expires_at: float, *, may_send: bool = False) -> None:
        """Set the expiry of a new token, and whether it has the scope `send`."""
        self._expires_at = expires_at
        self._may_send = may_send
        self._warned = False

    def close(self) -> None:
        """Close the session: it answers nothing more."""
        self._state = _State.CLOSED
        self._waiting = None

    def admit(self, now: float) -> Close | None:
        """Count one received frame, a fragment or a ping too; the answer closes a flood."""
        if self._state is _State.CLOSED:
            return None
        interval = 1 / limits.FRAMES_PER_SECOND
        start = max(self._allowance, now)
        # Half a frame of tolerance: sums of intervals are not exact.
        if start - now > (limits.FRAMES_BURST - 0.5) * interval:
            return self._close_with(closing.RATE_LIMITED)
        self._allowance = start + interval
        return None

    def receive(self, data: bytes) -> Action | None:
        """The action for one received message in UTF-8; None when there is none yet, or no more."""
        match self._state:
            case _State.OPEN:
                return self._answer(data)
            case _State.NEW:
                return self._connect(data)
            case _State.OPENING:
                return self._wait(data)
            case _State.CLOSED:
                return None

    def tick(self, now: float) -> list[Action]:
        """The actions that are due at `now`; `due` is the time of the next call."""
        if self._state is _State.CLOSED:
            return []
        if self._state is _State.NEW:
            return [self._close_with(closing.NO_CONNECT)] if now >= self._deadline else []
        if now >= self._expires_at:
            return [self._close_with(closing.TOKEN_EXPIRED)]
        if now >= self._probe_at and self._unanswered >= PROBES:
            self._state = _State.CLOSED
            return [Abort()]
        actions: list[Action] = []
        if not self._warned and now >= self._expires_at - EXPIRING_SECONDS:
            self._warned = True
            actions.append(Send(Expiring(max(0, int(self._expires_at - now)))))
        if now >= self._probe_at:
            self._probe_at = now + self._heartbeat
            self._unanswered += 1
            actions.append(Probe())
        return actions

    def due(self) -> float:
        """The time at which `tick` has the next action."""
        if self._state is _State.NEW:
            return self._deadline
        expiry = self._expires_at if self._warned else self._expires_at - EXPIRING_SECONDS
        return min(self._probe_at, expiry)

    def _connect(self, data: bytes) -> Action:
        try:
            if decode_envelope(data).type != "connect":
                return self._close_with(closing.PROTOCOL_ERROR, "the first frame must be connect")
            frame = decode_connect(data)
        except msgspec.ValidationError as error:
            return self._close_with(closing.PROTOCOL_ERROR, in_words(error))
        except FAULTS:
            return self._close_with(closing.PROTOCOL_ERROR, NOT_A_FRAME)
        if frame.resume is not None and frame.rewind is not None:
            return self._close_with(closing.PROTOCOL_ERROR, "#/rewind: not allowed together with resume")
        if not frame.inbox and (frame.device, frame.resume, frame.rewind) != (None, None, None):
            reason = "#/inbox: false allows no device, resume or rewind"
            return self._close_with(closing.PROTOCOL_ERROR, reason)
        self._state = _State.OPENING
        self.has_inbox = frame.inbox
        return Open(frame)

    def _wait(self, data: bytes) -> Action | None:
        waiting = self._waiting = self._waiting or []
        waiting.append(data)
        if len(waiting) > WAITING_FRAMES or sum(map(len, waiting)) > WAITING_BYTES:
            self._waiting = None
            return self._close_with(closing.RATE_LIMITED, "too much was sent before welcome")
        return None

    def _answer(self, data: bytes) -> Action:
        try:
            frame: ReceivedFrame = decode(data)
        except msgspec.ValidationError as error:
            return self._reject(data, in_words(error))
        except FAULTS:
            return self._close_with(closing.PROTOCOL_ERROR, NOT_A_FRAME)
        return self.carry_out(frame)

    def carry_out(self, frame: ReceivedFrame) -> Action:
        """The action for a decoded frame of an open session, for a transport with frames of its own."""
        match frame:
            case Ping():
                return Send(Pong(frame.ref))
            case PostNotification():
                return self._post(frame)
            case Refresh():
                return RefreshToken(frame.token)
            case Subscribe() | Unsubscribe() | PostedPublish():
                return self._use_topic(frame)
            case Connect():
                return self._close_with(closing.PROTOCOL_ERROR, "connect is allowed only once")
            case Ack() | Mark() | Act():
                return self._use_inbox(frame)
            case PostedMessage():
                return frame

    def _use_inbox(self, frame: Ack | Mark | Act) -> Action:
        if isinstance(frame, Ack) and self._has_topics:
            # Also without an inbox: topics have positions.
            return Acknowledge(frame.positions)
        if not isinstance(frame, Ack) and self.has_inbox:
            return ApplyMark(frame)
        return Send(ErrorFrame("invalid_request", _NO_INBOX, getattr(frame, "ref", None)))

    def _use_topic(self, frame: TopicFrame) -> Action:
        if not self._has_topics:
            return Send(ErrorFrame("invalid_request", _NO_INBOX, frame.ref))
        if not is_topic(frame.topic):
            return Send(ErrorFrame("invalid_topic", f"A topic is {TOPIC_RULE}.", frame.ref))
        if isinstance(frame, Subscribe) and frame.after is not None and frame.rewind is not None:
            return Send(ErrorFrame("invalid_request", "#/rewind: not allowed together with after", frame.ref))
        return UseTopic(frame)

    def _post(self, frame: PostNotification) -> Action:
        if not self._may_send:
            return Send(ErrorFrame("insufficient_scope", _MAY_NOT_SEND, frame.ref))
        # The number of unanswered sends limits sends, not the rate of frames.
        self._allowance -= 1 / limits.FRAMES_PER_SECOND
        return frame

    def _reject(self, data: bytes, detail: str) -> Action:
        """Answer a frame that is JSON and not valid."""
        try:
            known = decode_envelope(data)
        except FAULTS:
            return self._close_with(closing.PROTOCOL_ERROR, NOT_A_FRAME)
        if known.type in KNOWN:
            return Send(ErrorFrame("invalid_request", detail, known.usable_ref()))
        detail = f'There is no frame of type "{known.type[:64]}". The documentation lists the types.'
        return Send(ErrorFrame("unknown_type", detail, known.usable_ref()))

    def _close_with(self, code: CloseCode, reason: str = "") -> Close:
        self._state = _State.CLOSED
        return Close(code, closing.fitting(reason or code.reason))
