"""When a request is retried, and how long the client waits."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sdk.scripted import ONLY_IN_FRAMES
from tidings import RetryPolicy
from tidings._retries import is_retryable, parse_retry_after
from tidings.protocol.errors import ERRORS

NOW = 1_790_000_000.0


@given(
    tries=st.integers(1, 10_000),
    elapsed=st.floats(0, 1e6),
    retry_after=st.none() | st.floats(0, 1e6),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_every_wait_follows_the_policy(
    tries: int, elapsed: float, retry_after: float | None, chance: float
) -> None:
    """No wait is negative, shorter than Retry-After, longer than the cap, or beyond tries or total."""
    policy = RetryPolicy(tries=6, base=0.5, cap=4.0, total=30.0)
    least = min(0.5 * 2.0 ** min(tries - 1, 32), 2.0)
    wait = policy.wait(tries, elapsed, retry_after, lambda: chance)
    if wait is None:
        assert tries >= 6 or elapsed + (retry_after or 4.0) + 0.5 > 30.0
        return
    assert tries < 6
    assert elapsed + wait <= 30.0
    if retry_after is None:
        assert least <= wait <= 4.0
    else:
        assert retry_after <= wait <= retry_after + 0.5


def test_waits_are_jittered_over_a_doubling_range() -> None:
    """The default waits are from 0.5, 1, 2 and 4 seconds up to twice those, so at least 7.5 in all."""
    policy = RetryPolicy()
    assert [policy.wait(tries, 0, None, lambda: 0.0) for tries in range(1, 6)] == [0.5, 1.0, 2.0, 4.0, None]
    assert [policy.wait(tries, 0, None, lambda: 1.0) for tries in range(1, 6)] == [1.0, 2.0, 4.0, 8.0, None]


def test_no_wait_exceeds_the_cap() -> None:
    """No wait is longer than the cap, its random part included."""
    policy = RetryPolicy(tries=9, base=1.0, cap=3.0, total=100.0)
    assert [policy.wait(tries, 0, None, lambda: 1.0) for tries in (1, 2, 8)] == [2.0, 3.0, 3.0]


def test_the_retried_statuses_are_those_of_the_table() -> None:
    """The retried statuses are those of the retryable codes, and a code decides before its status."""
    answers = [entry for code, entry in ERRORS.items() if code not in ONLY_IN_FRAMES]
    final = {"action_used", "history_only"}
    by_status = [entry.code for entry in answers if is_retryable(entry.status) and entry.code not in final]
    assert by_status == [entry.code for entry in answers if entry.retryable]
    assert is_retryable(409)
    assert not any(is_retryable(409, code) for code in final)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        (" 17 ", 17.0),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        ("Sun, 06 Nov 1994 08:49:37 -0000", 0.0),
        ("soon", None),
        ("-3", None),
        ("1.5", None),
        ("", None),
        ("9" * 400, 999_999_999.0),
        ("\u0664", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(value: str | None, seconds: float | None) -> None:
    """Retry-After is read as seconds or as a date, and any other value counts as absent."""
    assert parse_retry_after(value, NOW) == seconds


@given(st.text())
def test_no_retry_after_raises(value: str) -> None:
    """No value of Retry-After raises an error."""
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or seconds >= 0
