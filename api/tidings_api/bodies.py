"""Bodies of requests: read within their time and size, taken as JSON, decoded strictly.

Everything that can be wrong with a body ends as a ProblemError: a type of content that is not JSON is
415, a body that is too large 413, too late 408, cut off 400, not JSON 400 and not valid 422.
"""

import asyncio
import re
from collections.abc import Iterable
from typing import Any, Final, Generic, TypeVar

import msgspec
from litestar.types import Receive

from tidings.protocol import limits
from tidings.protocol.faults import faults_of
from tidings_api.malformed import reason
from tidings_api.problems import ProblemError
from tidings_workers import json_text

T = TypeVar("T")
RawHeaders = Iterable[tuple[bytes, bytes]]

# What a client still sends of a refused body is read up to this and thrown away, so that it gets to
# see the answer; closing at once would reset its connection while it writes.
DISCARD_BYTES: Final = 16 * 1024 * 1024
DISCARD_SECONDS: Final = 2.0

_JSON: Final = re.compile(rb'application/json *(?:; *charset *= *"?utf-8"? *)?', re.IGNORECASE).fullmatch
INVALID: Final = "The body is not valid: see errors."


def header(headers: RawHeaders, name: bytes) -> list[bytes]:
    """All values of a header; names are lower case in ASGI."""
    return [value for key, value in headers if key == name]


def require_json(headers: RawHeaders) -> None:
    """415 unless the body is named as JSON in UTF-8 and not compressed."""
    kinds = header(headers, b"content-type")
    if kinds != [b"application/json"] and (len(kinds) != 1 or not _JSON(kinds[0].strip())):
        raise ProblemError(
            "unsupported_media_type", "Send the body as JSON, with Content-Type: application/json."
        )
    if any(value.strip().lower() != b"identity" for value in header(headers, b"content-encoding")):
        raise ProblemError(
            "unsupported_media_type", "Send the body without compression (no Content-Encoding)."
        )


async def read_body(receive: Receive, headers: RawHeaders, limit: int) -> bytes:
    """The whole body, up to `limit` bytes, within limits.BODY_TIMEOUT_SECONDS."""
    announced = _announced(headers)
    try:
        async with asyncio.timeout(limits.BODY_TIMEOUT_SECONDS):
            if announced is not None and announced > limit:
                await _discard(receive)
                raise _too_large(limit)
            return await _read(receive, announced, limit)
    except TimeoutError:
        raise ProblemError(
            "body_timeout",
            f"The body did not arrive within {limits.BODY_TIMEOUT_SECONDS} seconds.",
            headers={"connection": "close"},
        ) from None


async def _read(receive: Receive, announced: int | None, limit: int) -> bytes:
    body = bytearray()
    more = True
    # With its length announced the body is whole as soon as that much is there: one call less.
    while more and (announced is None or len(body) < announced):
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise ProblemError(
                "malformed_request", "The body ended before it was whole, or its chunks are not well formed."
            )
        body += message["body"]
        more = message.get("more_body", False)
        if len(body) > limit:
            await _discard(receive)
            raise _too_large(limit)
    return bytes(body)


async def _discard(receive: Receive) -> None:
    thrown = 0
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            while thrown < DISCARD_BYTES:
                message: Any = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
                thrown += len(message["body"])
    except TimeoutError:
        return


def _announced(headers: RawHeaders) -> int | None:
    for name, value in headers:
        if name == b"content-length":
            return int(value) if value.isdigit() else None
    return None


def _too_large(limit: int) -> ProblemError:
    return ProblemError("too_large", f"The body is larger than the {limit:,} bytes that are allowed here.")


class BodyDecoder(Generic[T]):
    """Decodes one type of body. Types are strict: no number in a string is taken for a number.

    With `undecoded_parts` nesting and UTF-8 are not judged here but where the parts are decoded.
    """

    def __init__(self, type_: type[T], *, undecoded_parts: bool = False) -> None:
        self._type = type_
        self._decode = msgspec.json.Decoder(type_).decode
        self._judges = not undecoded_parts

    def decode(self, body: bytes | msgspec.Raw, base: str = "#") -> T:
        """The value, or ProblemError; `base` is the pointer of the body within a larger one."""
        try:
            value = self._decode(body)
        except msgspec.ValidationError as error:
            # It is raised at the first fault, before the rest has been looked at.
            check_well_formed(body)
            raise ProblemError("invalid_request", INVALID, faults_of(body, self._type, error, base)) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _malformed(bytes(body), error) from None
        except RecursionError:
            raise _too_deep() from None
        if self._judges:
            text = bytes(body)
            if not json_text.is_utf8(text):
                check_well_formed(text)
            if json_text.nests_deeper(text, limits.NESTING):
                raise _too_deep()
        return value


def check_well_formed(body: bytes | msgspec.Raw) -> None:
    """400 unless the text is JSON, whatever it says; its values are not decoded."""
    text = bytes(body)
    try:
        json_text.check_form(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(text, error) from None
    except RecursionError:
        raise _too_deep() from None


def _malformed(text: bytes, error: Exception) -> ProblemError:
    return ProblemError("malformed_json", f"The body is not JSON: {reason(text, error)}.")


def _too_deep() -> ProblemError:
    return ProblemError("malformed_json", f"The body nests deeper than {limits.NESTING} levels.")


def query_names(query: Iterable[tuple[str, Any]], known: frozenset[str]) -> None:
    """422 when the query has a parameter that the route does not know, or one more than once."""
    names = [name for name, _ in query]
    unknown = sorted(set(names) - known)
    if unknown:
        takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
        raise ProblemError(
            "invalid_request", f"This route has no query parameter {unknown[0][:100]!r}: {takes}."
        )
    if len(set(names)) < len(names):
        raise ProblemError("invalid_request", "A query parameter is given more than once.")
