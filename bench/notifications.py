"""The notifications that the benchmark sends."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from tidings.protocol.frames import Delivered
from tidings.protocol.notifications import Notification

# A receiver gets 185 bytes of JSON, with id and time; with its frame 255.
CONTENT: Final[dict[str, Any]] = {
    "category": "orders",
    "title": "On its way",
    "body": "Parcel 4711 arrives tomorrow.",
}
TO_ALL: Final[dict[str, Any]] = {"to": {"all": True}, **CONTENT}


def to_user(user: str) -> dict[str, Any]:
    """A notification for one user."""
    return {"to": {"users": [user]}, **CONTENT}


def example() -> bytes:
    """The JSON of a notification for its receiver, for references to send."""
    return _json(_EXAMPLE)


def example_text() -> bytes:
    """The JSON of a frame as Tidings sends it, for references to send."""
    return _json(Delivered("all", 250, _EXAMPLE))


_EXAMPLE: Final = Notification(
    id="0198c5f0-0000-7000-8000-000000000000",
    priority="normal",
    created_at=datetime(2026, 11, 22, 7, 0, 0, 123000, UTC),
    **CONTENT,
)


def _json(value: Struct) -> bytes:
    # The server's times have milliseconds.
    return msgspec.json.encode(value).replace(b".123000Z", b".123Z")
