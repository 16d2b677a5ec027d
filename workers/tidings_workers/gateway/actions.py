"""What a session asks of its connection, as data."""

from msgspec import Struct

from tidings.protocol.closing import CloseCode
from tidings.protocol.frames import Connect, Mark, Positions, ServerFrame


class Open(Struct, frozen=True):
    """Verify the token (None: the handshake carried it), then open the session as asked."""

    connect: Connect


class Send(Struct, frozen=True):
    """Send a frame."""

    frame: ServerFrame


class Close(Struct, frozen=True):
    """Close with a code; `reason` is at most 120 bytes."""

    code: CloseCode
    reason: str


class Acknowledge(Struct, frozen=True):
    """Everything up to these positions arrived; the caller cuts them to what was sent."""

    positions: Positions


class ChangeState(Struct, frozen=True):
    """Carry out a mark; the answer has its `ref`."""

    mark: Mark


class RefreshToken(Struct, frozen=True):
    """Verify a new token for the same user, then call `refresh`."""

    token: str


class Probe(Struct, frozen=True):
    """Make the peer send something: over a WebSocket, by a ping."""


class Abort(Struct, frozen=True):
    """The peer does not answer: drop the connection without a close frame."""


Action = Open | Send | Close | Acknowledge | ChangeState | RefreshToken | Probe | Abort
