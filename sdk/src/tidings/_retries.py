"""When to try again, and how long to wait before. Pure: the clock and chance are handed in."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

RETRYABLE: Final = frozenset({408, 409, 429})


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How a request is tried again: after connection errors, 408, 409, 429 and 5xx.

    At most `tries` tries in all, begun within `total` seconds. Before try n+1 it waits a random time
    up to `base` x 2^(n-1) seconds, at most `cap` ("full jitter"). A Retry-After is obeyed: the wait is
    never shorter, and where it goes beyond `total`, the error is raised at once.
    """

    tries: int = 4
    base: float = 0.25
    cap: float = 8.0
    total: float = 60.0

    def wait(
        self, tries: int, elapsed: float, retry_after: float | None, chance: Callable[[], float]
    ) -> float | None:
        """Seconds to wait after `tries` tries and `elapsed` seconds, or None to give up.

        `chance` gives a number from 0 up to 1.
        """
        if tries >= self.tries:
            return None
        # The exponent is cut so that a long-lived caller cannot overflow a float.
        jitter = chance() * min(self.cap, self.base * 2 ** min(tries - 1, 32))
        wait = jitter if retry_after is None else retry_after + min(jitter, self.base)
        return wait if elapsed + wait <= self.total else None


def is_retryable(status: int) -> bool:
    """Whether the same request may succeed later."""
    return status in RETRYABLE or status >= 500  # noqa: PLR2004


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Retry-After (RFC 9110, section 10.2.3) in seconds from now; None where absent or unreadable.

    `now` is in seconds since the epoch; a date in the past is 0.
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
