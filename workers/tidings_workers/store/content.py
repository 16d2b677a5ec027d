"""The content of a notification: as the server decodes it, and as it is stored and received.

`data` is the sender's and stays the JSON text that came: nothing between sender and receiver needs
its values, and decoding them may cost far more than their length.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from tidings.protocol.notifications import (
    Action,
    CreateNotification,
    Notification,
    Publication,
    ReceivedAction,
)
from tidings.protocol.times import timestamp


class PostedNotification(
    CreateNotification, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True
):
    """A CreateNotification with `data` undecoded: the JSON of an object, or UNSET."""

    data: Raw | UnsetType = UNSET  # type: ignore[assignment]  # the same JSON, in another form


class PostedPublication(
    Publication, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True
):
    """A Publication with `data` undecoded, as in PostedNotification."""

    data: Raw | UnsetType = UNSET  # type: ignore[assignment]  # the same JSON, in another form


class Content(Notification, frozen=True, omit_defaults=True, kw_only=True):
    """A Notification as it is stored and sent to receivers: `data` is not decoded, and times are text."""

    # The same JSON, in other forms.
    data: Raw | UnsetType = UNSET  # type: ignore[assignment]
    created_at: str  # type: ignore[assignment]
    expires_at: str | None = None  # type: ignore[assignment]


_encode: Final = msgspec.json.Encoder().encode
# White space that JSON has between values only: without it the text is one line.
_LINES: Final = b"\t\n\r"


def data_of(notification: CreateNotification) -> Raw | UnsetType:
    """The JSON of a notification's `data` in one line, or UNSET."""
    if not isinstance(notification, PostedNotification):
        return UNSET if notification.data is None else Raw(_encode(notification.data))
    if notification.data is UNSET:
        return UNSET
    text = bytes(notification.data).translate(None, _LINES)
    return UNSET if text == b"null" else Raw(text)


def _received(actions: Sequence[Action]) -> tuple[ReceivedAction, ...]:
    return tuple(ReceivedAction(action.id, action.label, action.link) for action in actions)


def stored_content(
    notification_id: str, accepted_at: int, notification: CreateNotification
) -> tuple[str, int]:
    """The content of a notification as JSON, as it is stored, and when it expires (ms) or 0."""
    expires = 0 if notification.expires_in is None else accepted_at + notification.expires_in * 1000
    content = _encode(
        Content(
            id=notification_id,
            category=notification.category,
            title=notification.title,
            body=notification.body,
            data=data_of(notification),
            link=notification.link,
            icon=notification.icon,
            group_key=notification.group_key,
            actions=_received(notification.actions) if notification.actions else (),
            priority=notification.priority,
            created_at=timestamp(accepted_at),
            expires_at=timestamp(expires) if expires else None,
        )
    ).decode()
    return content, expires
