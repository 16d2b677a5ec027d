"""Notifications as MESSAGE frames, built once for all connections with the same subscriptions."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, Literal
from urllib.parse import quote, unquote
from weakref import WeakValueDictionary

import msgspec
from msgspec import Raw, Struct

from tidings.protocol.frames import Ref, ServerFrame
from tidings.protocol.notifications import UsedAction
from tidings_workers.gateway.stomp.destinations import Inbox, Replies, TopicName
from tidings_workers.gateway.stomp.frames import Version, encode, is_representable, lines

AckMode = Literal["auto", "client", "client-individual"]
Enclose = Callable[[bytes], bytes]
Record = Callable[[str, int, list["Subscription"]], None]
"""Called with the log and the position of a notification, and its subscriptions that wait for ACK."""

_JSON: Final = "application/json"
_TEXT: Final = "text/plain;charset=UTF-8"
_TOPIC: Final = "topic:"


class Subscription(Struct, frozen=True):
    """One subscription of a connection. `whole`: the body is the whole notification."""

    id: str
    destination: str
    source: Inbox | TopicName | Replies
    ack: AckMode
    whole: bool

    def has(self, log: str, category: str) -> bool:
        """Whether it gets a notification of this log and category."""
        if isinstance(self.source, TopicName):
            return log == _TOPIC + self.source.topic
        return isinstance(self.source, Inbox) and not log.startswith(_TOPIC) and self.source.has(category)


class _Content(Struct):
    """The fields of a stored notification that a MESSAGE shows; the decoder skips the others."""

    id: str
    category: str = ""
    title: str = ""
    body: str = ""
    data: Raw = Raw(b"")
    link: str = ""
    icon: str = ""
    actions: Raw = Raw(b"")


_decode: Final = msgspec.json.Decoder(_Content).decode


def message_id(log: str, position: int) -> str:
    """The id of a notification for ACK, without a colon and a backslash: old clients do not unescape."""
    return f"{position}-{quote(log, safe='')}"


def position_of(identifier: str) -> tuple[str, int] | None:
    """The log and the position of a message id; None when it is not one."""
    position, dash, log = identifier.partition("-")
    if not (dash and position.isascii() and position.isdecimal() and len(position) <= len(str(2**53))):
        return None
    return unquote(log), int(position)


class StompWire:
    """Frames for connections with these subscriptions. `record` gets those that wait for ACK."""

    __slots__ = (
        "__weakref__",
        "_enclose",
        "_record",
        "_starts",
        "_subscriptions",
        "_version",
        "carries_inbox",
    )

    def __init__(
        self,
        enclose: Enclose,
        version: Version,
        subscriptions: tuple[Subscription, ...],
        record: Record | None = None,
    ) -> None:
        self._enclose = enclose
        self._version: Version = version
        self._subscriptions = subscriptions
        self._record = record
        self._starts: dict[str, bytes] = {}
        self.carries_inbox = any(isinstance(each.source, Inbox) for each in subscriptions)

    def frame(self, message: ServerFrame) -> bytes:
        """See `wire.Wire`. STOMP has no such frames; `session.StompSession` answers those that matter."""
        del message
        return b""

    def notification(
        self,
        log: str,
        position: int,
        content: bytes,
        *,
        replayed: bool = False,
        used: UsedAction | None = None,
    ) -> bytes:
        """See `wire.Wire`: a MESSAGE for each subscription that gets the notification."""
        del replayed, used
        category = _category(content)
        concerned = [each for each in self._subscriptions if each.has(log, category)]
        if not concerned:
            return b""
        if self._record is not None:
            waiting = [each for each in concerned if each.ack != "auto"]
            if waiting:
                self._record(log, position, waiting)
        return b"".join([self._message(each, log, position, content) for each in concerned])

    def _message(self, subscription: Subscription, log: str, position: int, content: bytes) -> bytes:
        rest = _rest(log, position, content, self._version, subscription.whole, subscription.ack)
        return self._enclose(self._start(subscription) + rest)

    def _start(self, subscription: Subscription) -> bytes:
        """The part of a MESSAGE that is the same for all notifications of a subscription."""
        found = self._starts.get(subscription.id)
        if found is None:
            found = self._starts[subscription.id] = _start(subscription, self._version)
        return found


def _start(subscription: Subscription, version: Version) -> bytes:
    headers = (("subscription", subscription.id), ("destination", subscription.destination))
    return b"MESSAGE\n" + lines(headers, version).encode()


# The notifications of a batch are encoded for one wire after the other.
_CACHED: Final = 128


@lru_cache(maxsize=_CACHED)
def _category(content: bytes) -> str:
    return _decode(content).category


@lru_cache(maxsize=_CACHED)
def _rest(log: str, position: int, content: bytes, version: Version, whole: bool, ack: AckMode) -> bytes:  # noqa: FBT001 - a cached function has a cheaper key without names
    """The part of a MESSAGE that is the same for all subscriptions to which these arguments apply."""
    decoded, name = _decode(content), message_id(log, position)
    kind, body = _body(decoded, content, whole=whole)
    headers = [
        ("message-id", name),
        ("content-type", kind),
        ("tidings-id", decoded.id),
        ("tidings-log", log),
        ("tidings-position", str(position)),
    ]
    if ack != "auto":
        headers.append(("ack", name))
    for key, text in (("title", decoded.title), ("category", decoded.category)):
        if text and is_representable(text, version):
            headers.append((key, text))
    head = lines(headers, version)
    return f"{head}content-length:{len(body)}\n\n".encode() + body + b"\0"


def _body(decoded: _Content, content: bytes, *, whole: bool) -> tuple[str, bytes]:
    """The content type and the body of a MESSAGE. A NUL would end the body for old clients."""
    if not whole:
        if decoded.data:
            return _JSON, bytes(decoded.data)
        alone = not (decoded.title or decoded.link or decoded.icon or decoded.actions)
        if decoded.body and alone and "\0" not in decoded.body:
            return _TEXT, decoded.body.encode()
    return _JSON, content


def reply_frame(subscription: Subscription, ref: Ref, body: bytes, version: Version) -> bytes:
    """A MESSAGE with the reply to the message with this `ref`; its acknowledgement moves nothing."""
    name = f"{ref}-reply"
    headers = [
        ("subscription", subscription.id),
        ("destination", subscription.destination),
        ("message-id", name),
        ("content-type", _JSON),
    ]
    if subscription.ack != "auto":
        headers.append(("ack", name))
    return encode("MESSAGE", headers, body, version)


class Wires:
    """The shared wires of one framing."""

    def __init__(self, enclose: Enclose) -> None:
        self._enclose = enclose
        self._wires: WeakValueDictionary[tuple[Version, tuple[Subscription, ...]], StompWire] = (
            WeakValueDictionary()
        )

    def get(
        self, version: Version, subscriptions: tuple[Subscription, ...], record: Record | None = None
    ) -> StompWire:
        """The wire for these subscriptions; with `record`, one for this connection alone."""
        if record is not None:
            return StompWire(self._enclose, version, subscriptions, record)
        key = version, subscriptions
        wire = self._wires.get(key)
        if wire is None:
            wire = self._wires[key] = StompWire(self._enclose, version, subscriptions)
        return wire

    def enclose(self, frame: bytes) -> bytes:
        """One STOMP frame in the framing of the transport."""
        return self._enclose(frame)
