"""Bodies of requests: read within a time and a size.

Every fault is a ProblemError: 415 for a content type that is not JSON, 413 for too many bytes, 408 for too
late, and 400 for cut off. `tidings_workers.strict_json` decodes them.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from litestar.types import Receive

from tidings.protocol import limits
from tidings_api.deadlines import Deadlines
from tidings_api.problems import ProblemError

RawHeaders = Iterable[tuple[bytes, bytes]]
# All values of each header of a request, by its name in lower case.
Fields = Mapping[bytes, Sequence[bytes]]

# The rest of a refused body is read and discarded, up to these limits. Closing at once would reset the
# connection while the client writes, and the client would not see the answer.
DISCARD_BYTES: Final = 16 * 1024 * 1024
DISCARD_SECONDS: Final = 2.0

_deadlines: Final = Deadlines()

_JSON: Final = re.compile(rb'application/json *(?:; *charset *= *"?utf-8"? *)?', re.IGNORECASE).fullmatch


def header(headers: RawHeaders, name: bytes) -> list[bytes]:
    """All values of a header. `name` is in lower case, as in ASGI."""
    return [value for key, value in headers if key == name]


def fields_of(headers: RawHeaders) -> Fields:
    """The headers by their names, where several of them are read."""
    fields: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in fields:
            fields[name].append(value)
        else:
            fields[name] = [value]
    return fields


def require_json(fields: Fields) -> None:
    """Raise a ProblemError (415) unless the headers declare JSON in UTF-8 without compression."""
    kinds = fields.get(b"content-type", ())
    if kinds != [b"application/json"] and (len(kinds) != 1 or not _JSON(kinds[0].strip())):
        raise ProblemError(
            "unsupported_media_type", "Send the body as JSON, with Content-Type: application/json."
        )
    if any(value.strip().lower() != b"identity" for value in fields.get(b"content-encoding", ())):
        raise ProblemError(
            "unsupported_media_type", "Send the body without compression (no Content-Encoding)."
        )


async def read_body(receive: Receive, fields: Fields, limit: int) -> bytes:
    """The whole body. ProblemError when it has more than `limit` bytes, is cut off, or is too late.

    It is too late after limits.BODY_TIMEOUT_SECONDS.
    """
    announced = _announced(fields)
    task = _deadlines.begin(limits.BODY_TIMEOUT_SECONDS)
    try:
        if announced is not None and announced > limit:
            await _discard(receive)
            raise _too_large(limit)
        return await _read(receive, announced, limit)
    except asyncio.CancelledError:
        if not _deadlines.is_overdue(task):
            raise
        raise ProblemError(
            "body_timeout",
            f"The body did not arrive within {limits.BODY_TIMEOUT_SECONDS} seconds. Send the request again.",
            headers={"connection": "close"},
        ) from None
    finally:
        _deadlines.end(task)


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


def _announced(fields: Fields) -> int | None:
    lengths = fields.get(b"content-length")
    return int(lengths[0]) if lengths and lengths[0].isdigit() else None


def _too_large(limit: int) -> ProblemError:
    return ProblemError(
        "too_large", f"The body is larger than the {limit:,} bytes that this route takes: send a smaller one."
    )


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


def refuse_repeated(fields: Fields, names: Iterable[bytes]) -> None:
    """Raise a ProblemError (422) when the request has one of these headers more than once."""
    for name in names:
        if len(fields.get(name, ())) > 1:
            raise ProblemError("invalid_request", f"Send one {name.decode()} header, not several.")
