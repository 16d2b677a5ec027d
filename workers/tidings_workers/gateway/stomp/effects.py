"""The effects that a STOMP session returns and its connection carries out, in order."""

from msgspec import Struct

from tidings.protocol.closing import CloseCode


class Write(Struct, frozen=True):
    """Write a STOMP frame."""

    frame: bytes


class Ask(Struct, frozen=True):
    """Give a frame of `tidings.v1`, as JSON, to the session of the connection."""

    frame: bytes


class Forget(Struct, frozen=True):
    """Forget the token of the handshake: CONNECT has one, which is preferred."""


class Rewire(Struct, frozen=True):
    """The subscriptions have changed: take another wire, and start the inbox if one of them reads it."""


class Refuse(Struct, frozen=True):
    """Write the ERROR frame, then close."""

    frame: bytes
    code: CloseCode


class Finish(Struct, frozen=True):
    """The client disconnects in order: close."""


Effect = Write | Ask | Forget | Rewire | Refuse | Finish
