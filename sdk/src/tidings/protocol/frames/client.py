"""The frames of a client, which the gateway decodes."""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from tidings.protocol import limits
from tidings.protocol.frames.parts import IdempotencyKey, Positions, Ref, Resume, State
from tidings.protocol.names import (
    Device,
    EventName,
    Position,
)
from tidings.protocol.notifications import Category, CreateNotification, Publication


class Connect(Struct, frozen=True, tag="connect", tag_field="type", omit_defaults=True):
    """The first frame of a client.

    `token` is required unless the handshake carried it. `rewind` starts with the last N notifications and
    cannot be used with `resume`. `client` names the program, for people; it is cut at 200 characters.

    `inbox` is false for a service that only sends: its token needs the scope `send` instead of `inbox`, and
    the connection has no user, no inbox and no presence. `device`, `resume` and `rewind` cannot be used then.
    """

    token: str | None = None
    device: Device | None = None
    resume: Resume | None = None
    rewind: Annotated[int, Meta(ge=0, le=limits.REWIND)] | None = None
    client: str | None = None
    inbox: bool = True


class Ack(Struct, frozen=True, tag="ack", tag_field="type"):
    """Cumulative: everything up to these positions arrived."""

    positions: Positions


class Mark(Struct, frozen=True, tag="mark", tag_field="type", omit_defaults=True):
    """Changes the state of `ids`, of everything `up_to` a position per log, or of `all`.

    Give exactly one of the three. `category` narrows `all`. `up_to` and `all` change archived items only when
    `state` is `unarchived`. The server answers with `state` and the same `ref`.
    """

    state: State
    ids: Annotated[tuple[str, ...], Meta(max_length=limits.MARK_IDS)] | None = None
    up_to: Positions | None = None
    all: Literal[True] | None = None
    category: Category | None = None
    ref: Ref | None = None


class Act(Struct, frozen=True, tag="act", tag_field="type", omit_defaults=True):
    """Uses an `action` of the notification `id`: one of the ids of its `actions`.

    The first action that the user uses on a notification counts, on whichever device. The server answers with
    `state` and the same `ref`, also for a repetition, or with `error`: `not_found`, `unknown_action`, or
    `action_used` after another action.
    """

    id: str
    action: str
    ref: Ref | None = None


class Refresh(Struct, frozen=True, tag="refresh", tag_field="type"):
    """A new token for the same user. The server answers with `refreshed`."""

    token: str


class Ping(Struct, frozen=True, tag="ping", tag_field="type", omit_defaults=True):
    """The server answers with `pong` and the same `ref`."""

    ref: Ref | None = None


class SendFrame(Struct, frozen=True, tag="send", tag_field="type", omit_defaults=True):
    """Sends a notification; the token needs the scope `send`.

    The server answers with `accepted` or `error` and the same `ref`. Answers may arrive in another order than
    the frames. With an `idempotency_key` a repetition within 24 hours, also by REST, gets the same answer and
    sends nothing. `notification` has at most 32 KB.
    """

    ref: Ref
    notification: CreateNotification
    idempotency_key: IdempotencyKey | None = None


class Subscribe(Struct, frozen=True, tag="subscribe", tag_field="type", omit_defaults=True):
    """Subscribes the connection to a topic. The server answers with `subscribed` and the same `ref`.

    `after` is a position: everything that followed it is replayed. `rewind` replays the last N notifications.
    Without either the subscription starts at the end. At most 100 topics.
    """

    topic: str
    after: Position | None = None
    rewind: Annotated[int, Meta(ge=0, le=limits.REWIND)] | None = None
    ref: Ref | None = None


class Unsubscribe(Struct, frozen=True, tag="unsubscribe", tag_field="type", omit_defaults=True):
    """Ends the subscription to a topic. The server answers with `unsubscribed` and the same `ref`."""

    topic: str
    ref: Ref | None = None


class Publish(Struct, frozen=True, tag="publish", tag_field="type", omit_defaults=True):
    """Sends a notification to a topic. The server answers with `published` and the same `ref`.

    The token's claim `publish` has to allow the topic. `notification` is that of a send, without `to`.
    """

    topic: str
    notification: Publication
    ref: Ref | None = None


class MessageFrame(Struct, frozen=True, tag="message", tag_field="type", omit_defaults=True):
    """A message to the application; the token needs the scope `inbox` or `message`.

    The server calls the upstream of the tenant. With a `ref` it answers with `reply` or `error` and the same
    `ref`. The messages of one connection are called in order, each after the answer to the one before. `data`
    is any JSON of at most 32 KB. A repetition with the same `idempotency_key` has the same id for the
    application, and sends none of its notifications twice within 24 hours.
    """

    event: EventName
    data: Any = None
    ref: Ref | None = None
    idempotency_key: IdempotencyKey | None = None


ClientFrame = (
    Connect | Ack | Mark | Act | Refresh | Ping | SendFrame | Subscribe | Unsubscribe | Publish | MessageFrame
)
CLIENT_FRAMES: Final = (
    Connect, Ack, Mark, Act, Refresh, Ping, SendFrame, Subscribe, Unsubscribe, Publish, MessageFrame,
)  # fmt: skip
