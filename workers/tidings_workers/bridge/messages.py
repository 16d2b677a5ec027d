"""Messages of brokers, and the notifications in them. Without I/O.

The checks and codes are those of a send over HTTP. Headers have the same names at every broker.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from tidings.protocol import limits
from tidings.protocol.pointers import listing
from tidings_workers import sending
from tidings_workers.bridge.configuration import Format
from tidings_workers.refused import Refused
from tidings_workers.sending import RequestDigest
from tidings_workers.store import Idempotency
from tidings_workers.store.content import PostedNotification
from tidings_workers.strict_json import BodyDecoder, check_value

KEY_HEADER: Final = "idempotency-key"
ERROR_HEADER: Final = "tidings-error"
DETAIL_HEADER: Final = "tidings-error-detail"
# Brokers limit the size of headers.
DETAIL_LENGTH: Final = 1_000

_TARGETS: Final = ("users", "groups", "topics")
_TEXTS: Final = ("category", "title", "body")
_PREFIX: Final = "tidings-"
_ALL: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}

_Items = Annotated[tuple[Raw, ...], Meta(max_length=limits.BATCH_NOTIFICATIONS)]
_list: Final[Callable[[bytes], tuple[Raw, ...]]] = BodyDecoder[Any](_Items, undecoded_parts=True).decode
_encode: Final = msgspec.json.Encoder().encode


class Message(Struct, frozen=True, kw_only=True):
    """One message of a broker. The names of `headers` are in lower case.

    `key` names it when it has no header `Idempotency-Key`, and is the same whenever the broker delivers it.
    `moment` tells messages apart that have the same `key` because a topic was made again; it is empty where
    the sender chose the key. `place` is for logs. `handle` is the message as its connection has it.
    """

    body: bytes
    headers: Mapping[str, str]
    key: str
    moment: str = ""
    place: str
    handle: Any = None


class Request(Struct, frozen=True):
    """The notifications of a message: one, or those of a list. `again` is tried after a mismatch.

    Messages of one `series` are those of a partition; only they have `again`.
    """

    notifications: tuple[PostedNotification, ...]
    named: Idempotency
    is_list: bool
    again: Idempotency | None = None
    series: str = ""


def request_of(message: Message, format_: Format) -> Request:
    """The notifications in a message, under its key.

    Raises Refused: `malformed_json`, `too_large` or `invalid_request`, with all faults of the first invalid
    notification. A list with an invalid notification is refused as a whole.
    """
    header = message.headers.get(KEY_HEADER)
    key = sending.bare_key(header) if header is not None else message.key
    moment = message.moment if header is None else ""
    is_list = format_ == "notification" and message.body.lstrip(b" \t\r\n").startswith(b"[")
    notifications: tuple[PostedNotification, ...]
    if format_ == "data":
        notifications = (_of_headers(message),)
    elif is_list:
        notifications = _of_list(message.body)
    else:
        notifications = (sending.decode(message.body),)
    digest = RequestDigest("list" if is_list else sending.ONE_NOTIFICATION)
    for notification in notifications:
        digest.add(notification)
    if not moment:
        return Request(notifications, digest.named(key), is_list)
    digest.add(moment)
    series, _, _ = key.rpartition(":")
    return Request(notifications, digest.named(key), is_list, digest.named(f"{key}:{moment}"), series)


def _of_list(body: bytes) -> tuple[PostedNotification, ...]:
    if len(body) > limits.BATCH_BYTES:
        raise Refused("too_large", f"The list is larger than {limits.BATCH_BYTES:,} bytes.")
    return tuple(sending.decode(raw, f"#/{index}") for index, raw in enumerate(_list(body)))


def _of_headers(message: Message) -> PostedNotification:
    """The notification whose `data` is the body, and whose other fields are headers."""
    if len(message.body) > limits.NOTIFICATION_BYTES:
        raise Refused("too_large", f"The data are larger than {limits.NOTIFICATION_BYTES:,} bytes.")
    # Before it is put into a larger text, which a body such as `{}, "title": ...` would change.
    check_value(message.body)
    to: dict[str, object] = {}
    for name in _TARGETS:
        text = message.headers.get(f"{_PREFIX}to-{name}", "")
        if names := [part for each in text.split(",") if (part := each.strip())]:
            to[name] = names
    everyone = message.headers.get(f"{_PREFIX}to-all", "").strip().lower()
    if everyone not in _ALL:
        raise Refused("invalid_request", f"The header {_PREFIX}to-all is true or false.")
    if _ALL[everyone]:
        to["all"] = True
    if not to:
        headers = ", ".join(f"{_PREFIX}to-{name}" for name in (*_TARGETS, "all"))
        raise Refused("invalid_request", f"The message has no target: give one of the headers {headers}.")
    texts = {name: message.headers[_PREFIX + name] for name in _TEXTS if _PREFIX + name in message.headers}
    return sending.decode(_encode({"to": to, **texts, "data": Raw(message.body)}))


def error_headers(refused: Refused) -> dict[str, str]:
    """The headers that a dead letter gets: the code, and the reason in one line."""
    detail = listing(refused.errors) if refused.errors else refused.detail
    return {ERROR_HEADER: refused.code, DETAIL_HEADER: " ".join(detail.split())[:DETAIL_LENGTH]}


def header_text(value: object) -> str:
    """A header of a broker as text: bytes are UTF-8, the parts of a list have commas between them."""
    match value:
        case bytes() | bytearray():
            return value.decode(errors="replace")
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return ",".join(map(header_text, value))
        case None:
            return ""
        case _:
            return str(value)


def digest_key(name: str) -> str:
    """The key of a message whose name is not a key: too long, or not printable ASCII."""
    return f"sha256:{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()}"
