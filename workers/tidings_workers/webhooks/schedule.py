"""When a failed delivery is tried again, and when an endpoint is disabled. Pure."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

_HOUR: Final = 3600
# After the first try, the second, and so on. Standard Webhooks recommends these.
DELAYS: Final = (5, 300, 1800, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR)
# A delay is up to this part longer, so that deliveries that failed together are not tried together.
JITTER: Final = 0.1
RETRY_AFTER_SECONDS: Final = 24 * _HOUR
FAILING_MS: Final = 5 * 24 * _HOUR * 1000


def next_try(tries: int, now: int, retry_after: str, random: Callable[[], float]) -> int | None:
    """The time (Unix ms) of the next try after so many; None after the last one.

    `retry_after` is the header of the answer, or empty. The next try is not before its time, which counts up
    to 24 hours.
    """
    if tries > len(DELAYS):
        return None
    delay = DELAYS[tries - 1] * (1 + JITTER * random())
    return now + int(1000 * max(delay, wait_of(retry_after, now)))


def wait_of(header: str, now: int) -> float:
    """The seconds that a header Retry-After asks for, at most 24 hours; 0 for one that is not valid."""
    text = header.strip()
    if text.isascii() and text.isdecimal():
        # Of a longer number, the first digits are too many seconds as well.
        return min(float(text[:9]), RETRY_AFTER_SECONDS)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now / 1000
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), RETRY_AFTER_SECONDS)


def is_dead(failing_since: int, now: int) -> bool:
    """Whether an endpoint whose tries fail since a time (0: they do not) has to be disabled."""
    return 0 < failing_since <= now - FAILING_MS
