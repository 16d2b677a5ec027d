"""Times as text: RFC 3339 in UTC with three digits of milliseconds, in answers and in frames."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=64)
def timestamp(at: int) -> str:
    """Unix milliseconds as text, such as `2026-11-22T07:00:00.123Z`."""
    return f"{_second(at // 1000)}.{at % 1000:03d}Z"


def timestamp_or_none(at: int | None) -> str | None:
    """The same, or None for None."""
    return None if at is None else timestamp(at)


@lru_cache(maxsize=64)
def _second(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}"
