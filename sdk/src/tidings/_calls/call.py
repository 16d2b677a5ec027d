"""A request of the API as a value, and functions for the parts that many requests share."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, TypeVar
from urllib.parse import quote

import msgspec

from tidings._errors import InvalidArgumentError
from tidings.protocol import limits
from tidings.protocol.names import ID_CURE, ID_RULE, is_id

T = TypeVar("T")


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Call(Generic[T]):
    """One request of the API, without its token. `read` turns a 2xx answer into the result.

    `path` begins with `/v1`. `scope` is the scope that the token needs.
    """

    method: str
    path: str
    scope: str
    read: Callable[[Answer], T]
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    idempotency_key: str | None = None


def decoded(kind: type[T]) -> Callable[[Answer], T]:
    """A reader of answers whose body is the JSON of `kind`."""
    decoder = msgspec.json.Decoder(kind)
    return lambda answer: decoder.decode(answer.body)


def nothing(_: Answer) -> None:
    """A reader of answers without a body."""


def segment(kind: str, value: object) -> str:
    """An id as a segment of a path. Raises InvalidArgumentError for a value that is no id."""
    if not isinstance(value, str) or not is_id(value):
        raise InvalidArgumentError(f"{value!r} cannot name a {kind}: ids are {ID_RULE}: {ID_CURE}")
    return quote(value, safe="")


def query(**parts: str | int | None) -> dict[str, str]:
    """The parameters of a query, without those that are None."""
    return {name: str(value) for name, value in parts.items() if value is not None}


def instant(name: str, time: datetime | None) -> str | None:
    """A time as a parameter. Raises InvalidArgumentError for a time without a time zone."""
    if time is None:
        return None
    if time.tzinfo is None:
        raise InvalidArgumentError(f"{name} needs a time zone, as datetime.now(UTC) has: {time!r}")
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def idempotency(key: str | None) -> str:
    """The key, or a new one for None. Raises InvalidArgumentError for a key that is not valid."""
    if key is None:
        return str(uuid.uuid4())
    if not (key.isascii() and key.isprintable() and 1 <= len(key) <= limits.IDEMPOTENCY_KEY_LENGTH):
        raise InvalidArgumentError(
            "The idempotency key is not valid. "
            f"Give 1 to {limits.IDEMPOTENCY_KEY_LENGTH} printable ASCII characters"
        )
    return key
