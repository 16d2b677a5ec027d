"""ERROR frames, and the close codes that follow them."""

from http import HTTPStatus
from typing import Final

import msgspec

from tidings.protocol import closing
from tidings.protocol.closing import CloseCode, Verdict
from tidings.protocol.errors import ERRORS as TABLE
from tidings.protocol.errors import Problem, problem
from tidings_workers.gateway.stomp.frames import Version, encode

BROKEN: Final = CloseCode(1002, "a broken frame", Verdict.STAY_AWAY)

# The code of the ERROR frame, by the close code that follows. The other closes have no ERROR frame.
ERRORS: Final = {
    closing.PROTOCOL_ERROR.code: "invalid_request",
    closing.INVALID_TOKEN.code: "invalid_token",
    closing.REVOKED.code: "invalid_token",
    closing.ORIGIN_REFUSED.code: "origin_refused",
    closing.NO_CONNECT.code: "invalid_request",
    closing.NO_INBOX_SCOPE.code: "insufficient_scope",
    closing.RATE_LIMITED.code: "rate_limited",
    closing.OVERLOADED.code: "overloaded",
    closing.TOO_MANY_CONNECTIONS.code: "overloaded",
    closing.TOKEN_EXPIRED.code: "expired_token",
}
_CLOSES: Final = {
    "missing_token": closing.INVALID_TOKEN,
    "invalid_token": closing.INVALID_TOKEN,
    "malformed_request": BROKEN,
    "too_large": closing.TOO_BIG,
    "overloaded": closing.OVERLOADED,
    "storage_unavailable": closing.OVERLOADED,
    "upstream_failed": closing.OVERLOADED,
    "upstream_timeout": closing.OVERLOADED,
}


def close_code(code: str) -> CloseCode:
    """The close code after an ERROR with this code."""
    return _CLOSES.get(code, closing.PROTOCOL_ERROR)


def error_frame(code: str, detail: str, receipt: str | None, version: Version) -> bytes:
    """An ERROR frame, with a problem document as its body."""
    headers = [("message", code), ("content-type", "application/problem+json")]
    if receipt is not None:
        headers.append(("receipt-id", receipt))
    return encode("ERROR", headers, msgspec.json.encode(_document(code, detail)), version)


def _document(code: str, detail: str) -> Problem:
    """The problem document, also for a code that only frames have."""
    if code in TABLE:
        return problem(code, detail)
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return Problem(
        type=f"/problems/{code}", title="The frame was refused", status=status, detail=detail, code=code
    )
