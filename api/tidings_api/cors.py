"""What pages of other origins may do with the API: the Fetch standard's CORS protocol.

Who may read an answer is decided with the answer, by the list of origins of the tenant whose token
the request carries. A preflight carries none, so it lets through whatever some tenant might allow.
Credentials are tokens in a header and never cookies, so they are not allowed to travel by themselves.
"""

from collections.abc import Callable
from typing import Final

from tidings_api.bodies import RawHeaders, header
from tidings_workers.tokens import Identity

Admits = Callable[[str, Identity | None], bool]

# A browser asks again after this time at most; none keeps an answer longer than two hours.
PREFLIGHT_SECONDS: Final = 7_200

VARY: Final = (b"vary", b"Origin")
_EXPOSED: Final = (
    b"access-control-expose-headers",
    b"ETag, Location, Retry-After, RateLimit, RateLimit-Policy, Idempotency-Replayed, X-Request-Id",
)
# The answer to a preflight: what a request may be. It holds only for whoever may read that answer.
REQUESTS: Final = (
    (b"access-control-allow-methods", b"GET, POST, PUT, DELETE"),
    (
        b"access-control-allow-headers",
        b"Authorization, Content-Type, Idempotency-Key, If-None-Match, X-Request-Id",
    ),
    (b"access-control-max-age", str(PREFLIGHT_SECONDS).encode()),
)


def is_preflight(method: str, headers: RawHeaders) -> bool:
    """Whether a browser asks on behalf of a page if it may send a request; the page has an `Origin`."""
    return method == "OPTIONS" and bool(header(headers, b"access-control-request-method"))


def readable_by(origin: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that let a page of this origin read an answer; without them its browser keeps it."""
    return (b"access-control-allow-origin", origin), _EXPOSED
