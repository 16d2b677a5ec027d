"""The parameters of a stream, from the query and the headers of its request."""

from typing import Final
from urllib.parse import parse_qsl

from msgspec import Struct

from tidings.protocol import limits
from tidings.protocol.names import TOPIC_RULE, is_topic
from tidings_workers.gateway.handshake import names_token
from tidings_workers.gateway.head import HttpRefusal
from tidings_workers.gateway.requests import HttpRequest
from tidings_workers.gateway.sse import cursor
from tidings_workers.gateway.sse.cursor import Cursor

_NAMES: Final = ("device", "last_event_id", "rewind", "ticket", "topics")
# Each topic may be a parameter of its own.
_PARAMETERS: Final = limits.TOPICS_PER_CONNECTION + len(_NAMES)
_SHOWN: Final = 64
_DIGITS: Final = 4
_IN_URL: Final = (
    "A URL must not contain a token. Send it in the Authorization header, or get a ticket for the URL by "
    "POST /v1/realtime/tickets."
)


class StreamRequest(Struct, frozen=True):
    """The parameters of one stream. With a cursor, `rewind` counts for topics that are not in it.

    `is_patient`: the client asks for events by `Accept`, as EventSource does, which gives up for ever after
    an error but reconnects after the end of a stream.
    """

    ticket: str
    device: str | None
    rewind: int | None
    topics: tuple[str, ...]
    cursor: Cursor | None
    is_patient: bool


def read(request: HttpRequest) -> StreamRequest | HttpRefusal:
    """The parameters of a request, or its refusal."""
    if names_token(request.query):
        return HttpRefusal(401, "invalid_token", _IN_URL)
    try:
        pairs = parse_qsl(request.query, keep_blank_values=True, max_num_fields=_PARAMETERS, errors="strict")
    except ValueError:
        return _invalid(f"The query is not percent-encoded UTF-8, or has more than {_PARAMETERS} parameters.")
    single: dict[str, str] = {}
    topics: dict[str, None] = {}
    for name, value in pairs:
        if name == "topics":
            topics.update(dict.fromkeys(value.split(",") if value else ()))
        elif name not in _NAMES:
            return _invalid(f"There is no query parameter {name[:_SHOWN]!r}: use {', '.join(_NAMES)}.")
        elif name in single:
            return _invalid(f"query parameter {name}: Give it once.")
        else:
            single[name] = value
    return _checked(request, single, tuple(topics))


def _checked(
    request: HttpRequest, single: dict[str, str], topics: tuple[str, ...]
) -> StreamRequest | HttpRefusal:
    headers = request.headers
    rewind = single.get("rewind")
    if rewind is not None and not _is_rewind(rewind):
        return _invalid(f"query parameter rewind: This must be a whole number from 0 to {limits.REWIND}.")
    if "ticket" in single and "authorization" in headers:
        return _invalid("Send the Authorization header or a ticket, not both.")
    wrong = next((topic for topic in topics if not is_topic(topic)), None)
    if wrong is not None:
        return _invalid(
            f"query parameter topics: {wrong[:_SHOWN]!r} is not a topic. A topic is {TOPIC_RULE}."
        )
    if len(topics) > limits.TOPICS_PER_CONNECTION:
        return _invalid(f"query parameter topics: At most {limits.TOPICS_PER_CONNECTION} topics.")
    # A reconnecting EventSource repeats its URL, so the header is newer. No name in a cursor has a space,
    # which a plus sign in a query means.
    text = headers.get("last-event-id") or single.get("last_event_id", "").replace(" ", "+")
    found = cursor.read(text) if text else None
    if text and found is None:
        return HttpRefusal(
            400,
            "invalid_cursor",
            "Last-Event-ID must be the id of an event of this stream, unchanged, or the JSON of a resume. "
            "Connect without it to start at the end.",
        )
    return StreamRequest(
        ticket=single.get("ticket", ""),
        device=single.get("device"),
        rewind=None if rewind is None else int(rewind),
        topics=topics,
        cursor=found,
        is_patient="text/event-stream" in headers.get("accept", "").lower(),
    )


def _is_rewind(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS and int(text) <= limits.REWIND


def _invalid(detail: str) -> HttpRefusal:
    return HttpRefusal(422, "invalid_request", detail)
