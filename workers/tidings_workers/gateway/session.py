"""The session of one connection: frames and time in, actions out. No socket, no clock, no I/O.

    NEW --connect--> OPENING --welcome()--> OPEN --close--> CLOSED

The caller carries out the actions that `receive` and `tick` return, in order, and calls `welcome` and
`refresh` with the result. Frames that arrive while OPENING are kept: after the welcome the caller gets them
from `take_waiting` and gives them to `receive` again. Times are seconds of one clock, which the caller
chooses; the expiry of the token too.

The cost of a frame is bounded by its length: of an unknown frame only its type and, once the session is open,
a short `ref` are decoded.
"""

from enum import Enum, auto
from typing import Final, get_args

import msgspec
from msgspec import Struct

from tidings.protocol import closing, limits
from tidings.protocol.closing import CloseCode
from tidings.protocol.errors import FieldError
from tidings.protocol.frames import (
    CLIENT_FRAMES,
    Ack,
    ClientFrame,
    Connect,
    ErrorFrame,
    Expiring,
    Mark,
    Ping,
    Pong,
    Ref,
    Refresh,
    State,
)
from tidings.protocol.pointers import field_error, one_of
from tidings_workers.gateway.actions import (
    Abort,
    Acknowledge,
    Action,
    ApplyMark,
    Close,
    Open,
    Probe,
    RefreshToken,
    Send,
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


class _Envelope(Struct):
    """The fields of every frame; the decoder skips the others."""

    type: str
    ref: msgspec.Raw = msgspec.Raw(b"null")

    def usable_ref(self) -> Ref | None:
        """The `ref` for an answer; None when the protocol does not allow it."""
        if len(self.ref) > _REF_BYTES:
            return None
        try:
            ref: Ref | None = _decode_ref(self.ref)
        except _FAULTS:
            return None
        return ref


_KNOWN: Final = frozenset(frame.__struct_config__.tag for frame in CLIENT_FRAMES)
# 128 characters, each escaped as a surrogate pair.
_REF_BYTES: Final = 128 * 12 + 2

_decode: Final = msgspec.json.Decoder(ClientFrame).decode
_decode_connect: Final = msgspec.json.Decoder(Connect).decode
_decode_envelope: Final = msgspec.json.Decoder(_Envelope).decode
_decode_ref: Final = msgspec.json.Decoder(Ref | None).decode
_NOT_A_FRAME: Final = "a frame must be one JSON object, and not nested too deeply"
# The decoder's errors do not name the values that a field accepts.
_CHOICES: Final = {"#/state": one_of(get_args(State)), "#/all": one_of(["true"])}
# The errors of a decoder for invalid JSON, and for JSON of another form.
_FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Session:
    """The server's side of the protocol for one connection."""

    __slots__ = (
        "_allowance",
        "_deadline",
        "_expires_at",
        "_heartbeat",
        "_probe_at",
        "_state",
        "_unanswered",
        "_waiting",
        "_warned",
    )

    def __init__(self, now: float, heartbeat: float) -> None:
        self._state = _State.NEW
        self._heartbeat = heartbeat
        self._deadline = now + limits.CONNECT_SECONDS
        self._probe_at = now + heartbeat
        self._unanswered = 0
        self._expires_at = float("inf")
        self._warned = False
        self._waiting: list[bytes] | None = None
        # Generic cell rate algorithm: the time at which the burst is fully available again.
        self._allowance = now

    @property
    def is_open(self) -> bool:
        """Whether `welcome` was called and the session is not closed."""
        return self._state is _State.OPEN

    def bytes_arrived(self) -> None:
        """Bytes arrived: any traffic is a sign of life."""
        self._unanswered = 0

    def welcome(self, expires_at: float) -> None:
        """Open the session; its token expires at `expires_at`."""
        self._state = _State.OPEN
        self._expires_at = expires_at

    def take_waiting(self) -> list[bytes]:
        """The messages that arrived before `welcome`, once; give each to `receive` again."""
        waiting, self._waiting = self._waiting, None
        return waiting or []

    def refresh(self, expires_at: float) -> None:
        """Set the expiry of a new token."""
        self._expires_at = expires_at
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
            if _decode_envelope(data).type != "connect":
                return self._close_with(closing.PROTOCOL_ERROR, "the first frame must be connect")
            frame = _decode_connect(data)
        except msgspec.ValidationError as error:
            return self._close_with(closing.PROTOCOL_ERROR, _in_words(error))
        except _FAULTS:
            return self._close_with(closing.PROTOCOL_ERROR, _NOT_A_FRAME)
        if frame.resume is not None and frame.rewind is not None:
            return self._close_with(closing.PROTOCOL_ERROR, "#/rewind: not allowed together with resume")
        self._state = _State.OPENING
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
            frame: ClientFrame = _decode(data)
        except msgspec.ValidationError as error:
            return self._reject(data, _in_words(error))
        except _FAULTS:
            return self._close_with(closing.PROTOCOL_ERROR, _NOT_A_FRAME)
        match frame:
            case Ping():
                return Send(Pong(frame.ref))
            case Ack():
                return Acknowledge(frame.positions)
            case Refresh():
                return RefreshToken(frame.token)
            case Mark():
                return ApplyMark(frame)
            case Connect():
                return self._close_with(closing.PROTOCOL_ERROR, "connect is allowed only once")

    def _reject(self, data: bytes, detail: str) -> Action:
        """Answer a frame that is JSON and not valid."""
        try:
            known = _decode_envelope(data)
        except _FAULTS:
            return self._close_with(closing.PROTOCOL_ERROR, _NOT_A_FRAME)
        if known.type in _KNOWN:
            return Send(ErrorFrame("invalid_request", detail, known.usable_ref()))
        detail = f'There is no frame of type "{known.type[:64]}". The documentation lists the types.'
        return Send(ErrorFrame("unknown_type", detail, known.usable_ref()))

    def _close_with(self, code: CloseCode, reason: str = "") -> Close:
        self._state = _State.CLOSED
        return Close(code, closing.fitting(reason or code.reason))


def _in_words(error: msgspec.ValidationError) -> str:
    """The fault of a frame: the field as a pointer, and the rule that it breaks."""
    fault = field_error(str(error))
    if "enum value" in fault.detail:
        fault = FieldError(fault.pointer, _CHOICES.get(fault.pointer, fault.detail))
    return fault.detail if fault.pointer == "#" else f"{fault.pointer}: {fault.detail}"
