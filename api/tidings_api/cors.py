"""CORS, the protocol of the Fetch standard for pages of other origins.

Each answer decides who may read it, by the origins of the tenant whose token the request has. A preflight
has no token, so it allows an origin that any tenant allows. Credentials are tokens in a header and never
cookies, so `Access-Control-Allow-Credentials` is never sent.
"""

from collections.abc import Callable
from typing import Final

from tidings_api.bodies import Fields
from tidings_workers.tokens import Identity

Admits = Callable[[str, Identity | None], bool]

# A browser may cache a preflight for this long; no browser caches it for more than two hours.
PREFLIGHT_SECONDS: Final = 7_200

VARY: Final = (b"vary", b"Origin")
_EXPOSED: Final = (
    b"access-control-expose-headers",
    b"ETag, Location, Retry-After, RateLimit, RateLimit-Policy, Idempotency-Replayed, X-Request-Id",
)
# The answer to a preflight: the allowed methods and headers. A browser uses it only for an origin that may
# read it.
REQUESTS: Final = (
    (b"access-control-allow-methods", b"GET, POST, PUT, DELETE"),
    (
        b"access-control-allow-headers",
        b"Authorization, Content-Type, Idempotency-Key, If-None-Match, X-Request-Id",
    ),
    (b"access-control-max-age", str(PREFLIGHT_SECONDS).encode()),
)


def is_preflight(method: str, fields: Fields) -> bool:
    """Whether this is a preflight: a browser asks whether a page of an `Origin` may send a request."""
    return method == "OPTIONS" and b"access-control-request-method" in fields


def readable_by(origin: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that let a page of this origin read an answer. Without them the browser refuses that."""
    return (b"access-control-allow-origin", origin), _EXPOSED
