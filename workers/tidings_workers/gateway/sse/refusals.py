"""Close codes as answers of HTTP, and as the last event of a stream."""

import random
from typing import Final

import msgspec

from tidings.protocol import closing
from tidings.protocol.closing import CloseCode, Verdict
from tidings_workers.gateway.head import HttpRefusal
from tidings_workers.gateway.sse.wire import event

RETRY_MS: Final = 3_000
# EventSource has no other way to stay away: the page closes it, or it tries again the next day.
_DAY_MS: Final = 24 * 3600 * 1000
# The shortest and the longest wait of a client before it reconnects, in ms.
_WAITS: Final = {
    Verdict.STAY_AWAY: (_DAY_MS, _DAY_MS),
    Verdict.LATER: (2_000, 10_000),
    Verdict.REFRESH: (RETRY_MS, RETRY_MS),
    Verdict.NOW: (100, 1_000),
}
_ERRORS: Final = {
    closing.PROTOCOL_ERROR.code: (422, "invalid_request"),
    closing.INVALID_TOKEN.code: (401, "invalid_token"),
    closing.REVOKED.code: (401, "invalid_token"),
    closing.TOKEN_EXPIRED.code: (401, "expired_token"),
    closing.ORIGIN_REFUSED.code: (403, "origin_refused"),
    closing.NO_INBOX_SCOPE.code: (403, "insufficient_scope"),
}
_BUSY: Final = (503, "overloaded")
_SCOPE: Final = (
    "The token lacks the scope 'inbox'. Send a token with it, from POST /v1/tokens.",
    (("WWW-Authenticate", 'Bearer realm="tidings", error="insufficient_scope", scope="inbox"'),),
)


def last_event(code: CloseCode, reason: str) -> bytes:
    """The event `close`, and the time after which EventSource reconnects."""
    wait = random.randint(*_WAITS[code.verdict])  # noqa: S311 - it spreads clients
    return b"retry: %d\n" % wait + event(b"close", msgspec.json.encode({"code": code.code, "reason": reason}))


def refusal(code: CloseCode, reason: str) -> HttpRefusal:
    """The answer to a client that is closed before its stream begins."""
    status, name = _ERRORS.get(code.code, _BUSY)
    if code == closing.NO_INBOX_SCOPE:
        return HttpRefusal(status, name, _SCOPE[0], headers=_SCOPE[1])
    if status != _BUSY[0]:
        detail = reason.replace("#/", "query parameter ", 1) if code == closing.PROTOCOL_ERROR else reason
        return HttpRefusal(status, name, detail)
    wait = -(-random.randint(*_WAITS[Verdict.LATER]) // 1000)  # noqa: S311 - it spreads clients
    return HttpRefusal(status, name, reason, headers=(("Retry-After", str(wait)),))


def is_temporary(refused: HttpRefusal) -> bool:
    """Whether the same request may succeed later."""
    return refused.status == _BUSY[0]
