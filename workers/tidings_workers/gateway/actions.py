"""The actions that a session returns and its connection carries out."""

from msgspec import Struct

from tidings.protocol.closing import CloseCode
from tidings.protocol.frames import Connect, Mark, Positions, ServerFrame


class Open(Struct, frozen=True):
    """Verify the token (None: the handshake had it), then open the session."""

    connect: Connect


class Send(Struct, frozen=True):
    """Send a frame."""

    frame: ServerFrame


class Close(Struct, frozen=True):
    """Close with a code; `reason` has at most 120 bytes."""

    code: CloseCode
    reason: str


class Acknowledge(Struct, frozen=True):
    """The client received everything up to these positions; the caller cuts them to what it was sent."""

    positions: Positions


class ApplyMark(Struct, frozen=True):
    """Carry out a mark; the answer repeats its `ref`."""

    mark: Mark


class RefreshToken(Struct, frozen=True):
    """Verify a new token for the same user, then call `refresh`."""

    token: str


class Probe(Struct, frozen=True):
    """Make the peer send something: a WebSocket sends a ping."""


class Abort(Struct, frozen=True):
    """The peer does not answer: drop the transport without a close frame."""


Action = Open | Send | Close | Acknowledge | ApplyMark | RefreshToken | Probe | Abort
