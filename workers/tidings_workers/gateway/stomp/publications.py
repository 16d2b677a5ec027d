"""The body of a SEND as a notification, or as the data of a message."""

from typing import Any, Final

import msgspec
from msgspec import Raw

from tidings.protocol.frames import MessageFrame
from tidings.protocol.notifications import Publication
from tidings_workers import json_text
from tidings_workers.gateway.stomp.frames import Frame, StompError

JSON: Final = "application/json"


def publication(frame: Frame) -> Publication:
    """A JSON object becomes `data`, and any other text `body`, so that subscribers get the same.

    The headers `title` and `category` are fields of the notification. Raises StompError.
    """
    text = _text(frame)
    data = _object(text)
    return Publication(
        category=frame.headers.get("category"),
        title=frame.headers.get("title"),
        body=text if data is None and text else None,
        data=data,
    )


def message(event: str, frame: Frame, ref: int) -> MessageFrame:
    """A JSON object or array becomes the data as it is, and any other text a string.

    With the content type application/json the body is JSON; with another one it is a string. It raises
    StompError.
    """
    text = _text(frame)
    kind = frame.headers.get("content-type", "").partition(";")[0].strip().lower()
    data: Any = text
    if kind == JSON or (not kind and text.lstrip()[:1] in {"{", "["}):
        try:
            json_text.check_form(frame.body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            if kind == JSON:
                raise StompError("malformed_json", "The body of SEND is not JSON.") from None
        else:
            data = Raw(frame.body)
    return MessageFrame(event, data, ref, frame.headers.get("idempotency-key"))


def _text(frame: Frame) -> str:
    try:
        return frame.body.decode()
    except UnicodeDecodeError:
        raise StompError("invalid_request", "The body of SEND is UTF-8. Encode other bytes.") from None


def _object(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
