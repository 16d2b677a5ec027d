"""The call of an upstream with the message of a client, and its answer."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from tidings.protocol import limits
from tidings.protocol.names import (
    Device,
    EventName,
    Timestamp,
    UserId,
)
from tidings.protocol.notifications import CreateNotification


class MessageData(Struct, frozen=True, omit_defaults=True):
    """A message of a client. `device` is null when the client named none.

    `guest` is true, and there at all, only for a client without a token. A token may name any user, also one
    whose name has the form of a guest's: so `guest` says it, and the name does not.
    """

    user: UserId
    connection: str
    device: Device | None
    event: EventName
    data: Any
    guest: bool = False


class MessageReceived(MessageData, frozen=True, kw_only=True, omit_defaults=True):
    """The data of the event `message.received`. The upstream gets the id `message` as `webhook-id`."""

    message: str


class UpstreamRequest(Struct, frozen=True, kw_only=True):
    """The body of the call of an upstream. The headers `webhook-...` sign it."""

    type: Literal["message"] = "message"
    timestamp: Timestamp
    data: MessageData


class UpstreamAnswer(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The body of an upstream's answer with the status 200; 204 is an answer without a body.

    `notifications` are sent with the right of the tenant. `reply` is any JSON for the client.
    """

    reply: Any | UnsetType = UNSET
    notifications: Annotated[tuple[CreateNotification, ...], Meta(max_length=limits.BATCH_NOTIFICATIONS)] = ()
