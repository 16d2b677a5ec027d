"""Close codes: why a connection closes, and whether and when the client reconnects.

The range of a code is its verdict (RFC 6455, section 7.4.2 leaves 4000-4999 to applications), so a client
can act on a code that it does not know: after 40xx it stays away, after 41xx it reconnects later, after
42xx now.
"""

from enum import Enum
from typing import Final

from msgspec import Struct


class Verdict(Enum):
    """The reaction of a client to a close."""

    STAY_AWAY = "stay away, or come back with another token"
    LATER = "come back later, with jitter"
    REFRESH = "fetch a new token, then come back"
    NOW = "come back now"


class CloseCode(Struct, frozen=True):
    """One close code with its verdict. `reason` is the text in the close frame."""

    code: int
    reason: str
    verdict: Verdict


PROTOCOL_ERROR: Final = CloseCode(4000, "protocol error", Verdict.STAY_AWAY)
INVALID_TOKEN: Final = CloseCode(4001, "invalid token", Verdict.STAY_AWAY)
REVOKED: Final = CloseCode(4002, "revoked", Verdict.STAY_AWAY)
REPLACED: Final = CloseCode(4003, "replaced by another session", Verdict.STAY_AWAY)
ORIGIN_REFUSED: Final = CloseCode(4004, "origin refused", Verdict.STAY_AWAY)
DISCONNECTED: Final = CloseCode(4005, "disconnected by the application", Verdict.STAY_AWAY)
NO_CONNECT: Final = CloseCode(4006, "no connect frame in time", Verdict.STAY_AWAY)
NO_INBOX_SCOPE: Final = CloseCode(4007, "the token lacks the scope inbox", Verdict.STAY_AWAY)
SLOW_CONSUMER: Final = CloseCode(4100, "slow consumer", Verdict.LATER)
RATE_LIMITED: Final = CloseCode(4101, "rate limited", Verdict.LATER)
OVERLOADED: Final = CloseCode(4102, "overloaded", Verdict.LATER)
TOO_MANY_CONNECTIONS: Final = CloseCode(4103, "too many connections", Verdict.LATER)
TOKEN_EXPIRED: Final = CloseCode(4200, "token expired", Verdict.REFRESH)
REBALANCED: Final = CloseCode(4201, "rebalanced", Verdict.NOW)
NORMAL: Final = CloseCode(1000, "", Verdict.STAY_AWAY)
BINARY: Final = CloseCode(1003, "binary frames are not accepted", Verdict.STAY_AWAY)
NOT_UTF8: Final = CloseCode(1007, "not UTF-8", Verdict.STAY_AWAY)
TOO_BIG: Final = CloseCode(1009, "message too big", Verdict.STAY_AWAY)
RESTART: Final = CloseCode(1012, "restart", Verdict.LATER)

CLOSE_CODES: Final[dict[int, CloseCode]] = {
    entry.code: entry for entry in tuple(globals().values()) if isinstance(entry, CloseCode)
}


# RFC 6455, section 5.5: a control frame carries 125 bytes, two of them the code.
REASON_BYTES: Final = 120


def fitting(reason: str) -> str:
    """A reason, cut to the whole characters that fit into a close frame (120 bytes of UTF-8)."""
    return reason.encode(errors="replace")[:REASON_BYTES].decode(errors="ignore")


def verdict_of(code: int | None) -> Verdict:
    """The verdict of any close code, known or not. None means that no close frame arrived."""
    known = CLOSE_CODES.get(code or 0)
    if known is not None:
        return known.verdict
    if code is not None and 4000 <= code < 4100:
        return Verdict.STAY_AWAY
    if code is not None and 4200 <= code < 4300:
        return Verdict.NOW
    return Verdict.LATER
