"""When a listener comes back, and when it does not."""

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
    """Waits the longest that chance allows."""
    return Backoff(POLICY, lambda: 1.0)


def refused(status: int, retry_after: float | None = None) -> APIError:
    return error_of(LaxProblem(), status, retry_after=retry_after)


@pytest.mark.parametrize("code", [*CLOSE_CODES, None, 1001, 1006, 1011, 4050, 4150, 4250, 4900])
def test_every_close_code_is_obeyed_by_its_verdict(code: int | None) -> None:
    """Stay away is raised, later waits, refresh and now come back at once."""
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


def test_waits_double_up_to_the_cap_and_begin_anew_after_a_stable_connection() -> None:
    """Failures in a row wait longer; a connection that held forgets them."""
    policy = backoff()
    waits = [policy.after(Ending(), renewable=True).wait for _ in range(6)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert policy.after(Ending(open_seconds=4.9), renewable=True).wait == 10.0
    assert policy.after(Ending(open_seconds=5.0), renewable=True).wait == 1.0


@pytest.mark.parametrize("code", [4200, 4201])
def test_coming_back_at_once_is_no_tight_loop(code: int) -> None:
    """Now means now once; again and again it waits."""
    policy = backoff()
    assert [policy.after(Ending(code=code), renewable=True).wait for _ in range(3)] == [0.0, 2.0, 4.0]


def test_what_is_to_come_at_once_does_not_wait_for_what_was_unreachable() -> None:
    """After a long outage the first answer of the server is followed, whatever the waits had grown to."""
    policy = backoff()
    for _ in range(9):
        policy.after(Ending(), renewable=True)
    assert policy.after(Ending(code=4200), renewable=True) == Reconnect(0.0, renew=True)
    assert policy.after(Ending(), renewable=True).wait == POLICY.cap


def test_a_token_that_cannot_be_renewed_ends_with_its_time() -> None:
    """4200 with a fixed token is for the application to solve."""
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
    """Only a token made for this very connection, and not good for long, is refused for good."""
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
def test_a_busy_server_is_given_the_time_it_asks_for(status: int) -> None:
    """Retry-After is waited out, and jitter comes on top."""
    ending = Ending(error=refused(status, retry_after=7.0))
    assert backoff().after(ending, renewable=True) == Reconnect(11.0)


@pytest.mark.parametrize("error", [refused(403), refused(404), refused(422), ConfigurationError("no")])
def test_what_cannot_get_better_is_raised(error: Exception) -> None:
    """Errors that trying again cannot mend reach the application at once."""
    with pytest.raises(type(error)):
        backoff().after(Ending(error=error), renewable=True)


def test_a_failed_connection_is_tried_again() -> None:
    """No answer is the same as a broken connection."""
    error = ConnectionFailedError("gone", request=RequestInfo("GET", "ws://x"))
    assert backoff().after(Ending(error=error), renewable=False) == Reconnect(1.0)
