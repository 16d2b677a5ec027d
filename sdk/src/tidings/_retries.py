"""When to try again, and how long to wait before. Pure: the clock and chance are handed in."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from tidings import _publish

RETRYABLE: Final = frozenset({408, 409, 429})


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How a request is tried again: after connection errors, 408, 409, 429 and 5xx.

    At most `tries` tries in all, begun within `total` seconds. Before try n+1 it waits `base` x 2^(n-1)
    seconds and a random part of as much again, together at most `cap`: by default 0.5, 1, 2 and 4 seconds
    and up to twice that, which a restart of the server fits into. A Retry-After is obeyed: the wait is
    never shorter, and where it goes beyond `total`, the error is raised at once.
    """

    tries: int = 5
    base: float = 0.5
    cap: float = 16.0
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
        least = min(self.cap / 2, self.base * 2 ** min(tries - 1, 32))
        if retry_after is None:
            wait = least * (1 + chance())
        else:
            wait = retry_after + chance() * min(least, self.base)
        return wait if elapsed + wait <= self.total else None


# A number counts what comes after the first try.
Retries = int | RetryPolicy


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


_publish(globals())
