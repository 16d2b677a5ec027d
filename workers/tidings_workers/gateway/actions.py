"""The actions that a session returns and its connection carries out."""

import msgspec
from msgspec import Struct

from tidings.protocol.closing import CloseCode
from tidings.protocol.frames import (
    Act,
    Connect,
    IdempotencyKey,
    Mark,
    Positions,
    Ref,
    ServerFrame,
    Subscribe,
    Unsubscribe,
)


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
    """Carry out a mark, or the use of an action; the answer repeats its `ref`."""

    mark: Mark | Act


class PostNotification(Struct, frozen=True, tag="send", tag_field="type"):
    """Send a notification, which is not decoded yet. It is `frames.SendFrame` as a gateway decodes it."""

    ref: Ref
    notification: msgspec.Raw
    idempotency_key: IdempotencyKey | None = None


class RefreshToken(Struct, frozen=True):
    """Verify a new token for the same user, then call `refresh`."""

    token: str


class PostedPublish(Struct, frozen=True, tag="publish", tag_field="type"):
    """A `publish` frame whose notification is not decoded yet."""

    topic: str
    notification: msgspec.Raw
    ref: Ref | None = None


TopicFrame = Subscribe | Unsubscribe | PostedPublish


class UseTopic(Struct, frozen=True):
    """Carry out a frame about a topic, after the earlier ones of the connection. The name is valid."""

    frame: TopicFrame


class PostedMessage(Struct, frozen=True, tag="message", tag_field="type"):
    """Call the upstream with a message. It is `messages.MessageFrame` with undecoded `data`."""

    event: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    ref: Ref | None = None
    idempotency_key: IdempotencyKey | None = None


class Probe(Struct, frozen=True):
    """Make the peer send something: a WebSocket sends a ping."""


class Abort(Struct, frozen=True):
    """The peer does not answer: drop the transport without a close frame."""


Action = (
    Open
    | Send
    | Close
    | Acknowledge
    | ApplyMark
    | PostNotification
    | PostedMessage
    | RefreshToken
    | UseTopic
    | Probe
    | Abort
)
