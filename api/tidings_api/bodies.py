"""Bodies of requests: read within a time and a size, and decoded as strict JSON.

Every fault of a body is a ProblemError: 415 for a content type that is not JSON, 413 for too many bytes,
408 for too late, 400 for cut off or not JSON, and 422 for not valid.
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

# The rest of a refused body is read and discarded, up to these limits. Closing at once would reset the
# connection while the client writes, and the client would not see the answer.
DISCARD_BYTES: Final = 16 * 1024 * 1024
DISCARD_SECONDS: Final = 2.0

_JSON: Final = re.compile(rb'application/json *(?:; *charset *= *"?utf-8"? *)?', re.IGNORECASE).fullmatch
INVALID: Final = "The body is not valid: see errors."


def header(headers: RawHeaders, name: bytes) -> list[bytes]:
    """All values of a header. `name` is in lower case, as in ASGI."""
    return [value for key, value in headers if key == name]


def require_json(headers: RawHeaders) -> None:
    """Raise a ProblemError (415) unless the headers declare JSON in UTF-8 without compression."""
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
    """The whole body. ProblemError when it has more than `limit` bytes, is cut off, or is too late.

    It is too late after limits.BODY_TIMEOUT_SECONDS.
    """
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
            f"The body did not arrive within {limits.BODY_TIMEOUT_SECONDS} seconds. Send the request again.",
            headers={"connection": "close"},
        ) from None


async def _read(receive: Receive, announced: int | None, limit: int) -> bytes:
    body = bytearray()
    more = True
    # Where the length is announced, the body is complete after that many bytes. This saves one call.
    while more and (announced is None or len(body) < announced):
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise ProblemError(
                "malformed_request",
                "The body was cut off, or its chunks are not well formed. Send the request again.",
            )
        body += message["body"]
        more = message.get("more_body", False)
        if len(body) > limit:
            await _discard(receive)
            raise _too_large(limit)
    return bytes(body)


async def _discard(receive: Receive) -> None:
    discarded = 0
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            while discarded < DISCARD_BYTES:
                message: Any = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
                discarded += len(message["body"])
    except TimeoutError:
        return


def _announced(headers: RawHeaders) -> int | None:
    for name, value in headers:
        if name == b"content-length":
            return int(value) if value.isdigit() else None
    return None


def _too_large(limit: int) -> ProblemError:
    return ProblemError(
        "too_large", f"The body is larger than the {limit:,} bytes that this route takes: send a smaller one."
    )


class BodyDecoder(Generic[T]):
    """Decodes one type of body. Types are strict: a string with digits is not a number.

    With `undecoded_parts` it checks neither nesting nor UTF-8: the decoder of the parts does.
    """

    def __init__(self, type_: type[T], *, undecoded_parts: bool = False) -> None:
        self._type = type_
        self._decode = msgspec.json.Decoder(type_).decode
        self._checks_text = not undecoded_parts

    def decode(self, body: bytes | msgspec.Raw, base: str = "#") -> T:
        """The value, or ProblemError (400 or 422). `base` is the JSON pointer of `body` in a larger body."""
        try:
            value = self._decode(body)
        except msgspec.ValidationError as error:
            # msgspec raises this at the first fault, before it has parsed the rest.
            check_well_formed(body)
            raise ProblemError("invalid_request", INVALID, faults_of(body, self._type, error, base)) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _malformed(bytes(body), error) from None
        except RecursionError:
            raise _too_deep() from None
        if self._checks_text:
            text = bytes(body)
            if not json_text.is_utf8(text):
                check_well_formed(text)
            if json_text.nests_deeper(text, limits.NESTING):
                raise _too_deep()
        return value


def check_well_formed(body: bytes | msgspec.Raw) -> None:
    """Raise a ProblemError (400) unless the text is well-formed JSON. Its values are not decoded."""
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
    """Raise a ProblemError (422) for a parameter that is not in `known`, or that is given twice."""
    names = [name for name, _ in query]
    unknown = sorted(set(names) - known)
    if unknown:
        takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
        raise ProblemError(
            "invalid_request", f"This route has no query parameter {unknown[0][:100]!r}: {takes}."
        )
    if len(set(names)) < len(names):
        raise ProblemError("invalid_request", "A query parameter is given more than once: send each once.")
