"""When a live inbox reconnects, and when it does not."""

import pytest

from tidings import (
    APIError,
    ConfigurationError,
    ConnectionClosedError,
    ConnectionFailedError,
    ReconnectPolicy,
)
from tidings._errors import RequestInfo
from tidings._listen.backoff import Backoff, Ending, Reconnect
from tidings._problems import LaxProblem, error_of
from tidings.protocol.closing import CLOSE_CODES, Verdict, verdict_of

POLICY = ReconnectPolicy(base=1.0, spread=4.0, cap=10.0, stable=5.0)


def backoff() -> Backoff:
    """A backoff with the longest random waits."""
    return Backoff(POLICY, lambda: 1.0)


def refused(status: int, retry_after: float | None = None) -> APIError:
    return error_of(LaxProblem(), status, retry_after=retry_after)


@pytest.mark.parametrize("code", [*CLOSE_CODES, None, 1001, 1006, 1011, 4050, 4150, 4250, 4900])
def test_every_close_code_is_obeyed_by_its_verdict(code: int | None) -> None:
    """The verdict to stay away raises, later waits, and refresh and now reconnect at once."""
    match verdict_of(code):
        case Verdict.STAY_AWAY:
            with pytest.raises(ConnectionClosedError):
                backoff().after(Ending(code=code), renewable=True)
        case Verdict.REFRESH:
            assert backoff().after(Ending(code=code), renewable=True) == Reconnect(0.0, renew=True)
        case Verdict.NOW:
            assert backoff().after(Ending(code=code), renewable=True) == Reconnect(0.0)
        case _:
            first = POLICY.base if code is None else POLICY.spread
            assert backoff().after(Ending(code=code), renewable=True) == Reconnect(first)


def test_waits_double_up_to_the_cap_and_are_reset_after_a_stable_connection() -> None:
    """Waits grow with failures in a row, and a stable connection resets them."""
    policy = backoff()
    waits = [policy.after(Ending(), renewable=True).wait for _ in range(6)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert policy.after(Ending(open_seconds=4.9), renewable=True).wait == 10.0
    assert policy.after(Ending(open_seconds=5.0), renewable=True).wait == 1.0


@pytest.mark.parametrize("code", [4200, 4201])
def test_reconnecting_at_once_is_no_tight_loop(code: int) -> None:
    """The first reconnect after the verdict now does not wait, and later ones do."""
    policy = backoff()
    assert [policy.after(Ending(code=code), renewable=True).wait for _ in range(3)] == [0.0, 2.0, 4.0]


def test_an_immediate_reconnect_does_not_wait_for_earlier_failures() -> None:
    """After a long outage the verdict of the first close decides, and not the waits that have grown."""
    policy = backoff()
    for _ in range(9):
        policy.after(Ending(), renewable=True)
    assert policy.after(Ending(code=4200), renewable=True) == Reconnect(0.0, renew=True)
    assert policy.after(Ending(), renewable=True).wait == POLICY.cap


def test_a_token_that_cannot_be_renewed_is_final_when_it_expires() -> None:
    """4200 with a fixed token raises an error."""
    with pytest.raises(ConnectionClosedError):
        backoff().after(Ending(code=4200), renewable=False)


@pytest.mark.parametrize(
    "ending",
    [
        Ending(code=4001, fresh=False),
        Ending(code=4001, open_seconds=5.0),
        Ending(code=4002, fresh=False),
        Ending(code=4002, open_seconds=5.0),
        Ending(code=4007, fresh=False),
        Ending(error=refused(401), fresh=False),
    ],
)
def test_a_kept_token_that_is_refused_is_renewed_once(ending: Ending) -> None:
    """A refusal is final only for a token that was made for this connection and did not work for long."""
    assert backoff().after(ending, renewable=True) == Reconnect(0.0, renew=True)
    for final in (
        *(Ending(code=code, open_seconds=4.9) for code in (4001, 4002, 4007)),
        Ending(error=refused(401)),
    ):
        with pytest.raises((ConnectionClosedError, APIError)):
            backoff().after(final, renewable=True)
    with pytest.raises((ConnectionClosedError, APIError)):
        backoff().after(ending, renewable=False)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_servers_retry_after_is_obeyed(status: int) -> None:
    """The wait is at least Retry-After, plus jitter."""
    ending = Ending(error=refused(status, retry_after=7.0))
    assert backoff().after(ending, renewable=True) == Reconnect(11.0)


@pytest.mark.parametrize("error", [refused(403), refused(404), refused(422), ConfigurationError("no")])
def test_an_error_that_no_retry_can_fix_is_raised(error: Exception) -> None:
    """Errors that are not retryable reach the application at once."""
    with pytest.raises(type(error)):
        backoff().after(Ending(error=error), renewable=True)


def test_a_failed_connection_is_tried_again() -> None:
    """A connection that gets no answer is retried like a broken one."""
    error = ConnectionFailedError("gone", request=RequestInfo("GET", "ws://x"))
    assert backoff().after(Ending(error=error), renewable=False) == Reconnect(1.0)
