"""Which requests are retried, and after which wait. Pure: the caller passes time and random numbers."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from tidings._public import publish
from tidings.protocol.errors import ERRORS

RETRYABLE: Final = frozenset({408, 409, 429})


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When a request is retried: after connection errors, 408, 409, 429 and 5xx.

    A code of the server that says that a repetition cannot help, such as `action_used`, is not retried.
    There are at most `tries` tries in all, and each begins within `total` seconds. Before try n+1 the client
    waits between `base` x 2^(n-1) seconds and twice that, at random, and at most `cap` seconds. The defaults
    give waits from 0.5, 1, 2 and 4 seconds up to twice those, which covers a restart of the server. The wait
    is never shorter than a Retry-After; if that ends after `total`, the error is raised at once.
    """

    tries: int = 5
    base: float = 0.5
    cap: float = 16.0
    total: float = 60.0

    def wait(
        self, tries: int, elapsed: float, retry_after: float | None, chance: Callable[[], float]
    ) -> float | None:
        """Seconds to wait after `tries` tries and `elapsed` seconds; None if no retry follows.

        `chance` returns a random number from 0 up to 1.
        """
        if tries >= self.tries:
            return None
        # The exponent is limited, so that many tries cannot overflow a float.
        least = min(self.cap / 2, self.base * 2 ** min(tries - 1, 32))
        if retry_after is None:
            wait = least * (1 + chance())
        else:
            wait = retry_after + chance() * min(least, self.base)
        return wait if elapsed + wait <= self.total else None


# A number is the number of tries after the first.
Retries = int | RetryPolicy


def is_retryable(status: int, code: str | None = None) -> bool:
    """Whether the same request may succeed later, by the code if it is known, else by the status."""
    if code is not None and (known := ERRORS.get(code)) is not None:
        return known.retryable
    return status in RETRYABLE or status >= 500  # noqa: PLR2004


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Retry-After (RFC 9110, section 10.2.3) in seconds from now; None if absent or unreadable.

    `now` is in Unix seconds; a date in the past is 0.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.fromtimestamp(now, UTC)).total_seconds())


publish(globals())
