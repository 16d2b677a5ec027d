"""When and how a live inbox reconnects. Pure: the caller passes random numbers."""

from collections.abc import Callable

import msgspec

from tidings._api_errors import APIError
from tidings._errors import ConnectionFailedError
from tidings._listen.errors import ConnectionClosedError
from tidings._public import publish
from tidings._retries import is_retryable
from tidings.protocol.closing import INVALID_TOKEN, NO_INBOX_SCOPE, REVOKED, Verdict, verdict_of

_UNAUTHORIZED = 401
# After these, another token may be accepted.
_TOKENS_FAULT = {close.code for close in (INVALID_TOKEN, REVOKED, NO_INBOX_SCOPE)}


class ReconnectPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The waits before a live inbox reconnects: random ("full jitter"), in seconds.

    The wait is at most `base` after a connection that broke without a close code. It is at most `spread` if
    the code says to reconnect later, so that not all clients reconnect at once after a restart. These limits
    double with each failure, up to `cap`, and are reset after a connection that was open for `stable`
    seconds. If the code says to reconnect now, or with another token, the first reconnect does not wait;
    later ones wait, and their failures are counted apart.
    """

    base: float = 0.5
    spread: float = 2.0
    cap: float = 30.0
    stable: float = 10.0


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a connection: a close code, or an error without one.

    `open_seconds` is the time from its welcome to its end. `fresh`: its token was made for it, or was the
    only one available when another one was requested.
    """

    code: int | None = None
    reason: str = ""
    error: Exception | None = None
    open_seconds: float = 0.0
    fresh: bool = True


class Reconnect(msgspec.Struct, frozen=True):
    """Reconnect after `wait` seconds; with another token if `renew`."""

    wait: float
    renew: bool = False


class Backoff:
    """Decides after each end of a connection. `failures` counts those in a row."""

    def __init__(self, policy: ReconnectPolicy, chance: Callable[[], float]) -> None:
        self._policy = policy
        self._chance = chance
        self.failures = 0
        # Of these failures: reconnects after a wait, and reconnects at once.
        self._later = self._at_once = 0

    def after(self, ending: Ending, *, renewable: bool) -> Reconnect:
        """When to reconnect. Raises the error for the application if reconnecting cannot help."""
        if ending.open_seconds >= self._policy.stable:
            self.failures = self._later = self._at_once = 0
        if ending.error is not None:
            plan = self._after_error(ending, ending.error, renewable=renewable)
        else:
            plan = self._after_close(ending, renewable=renewable)
        self.failures += 1
        return plan

    def _after_error(self, ending: Ending, error: Exception, *, renewable: bool) -> Reconnect:
        if isinstance(error, ConnectionFailedError):
            return Reconnect(self._wait(self._policy.base))
        if not isinstance(error, APIError):
            raise error
        if error.status == _UNAUTHORIZED and renewable and not ending.fresh:
            return Reconnect(0.0, renew=True)
        if not is_retryable(error.status):
            raise error
        return Reconnect((error.retry_after or 0.0) + self._wait(self._policy.spread))

    def _after_close(self, ending: Ending, *, renewable: bool) -> Reconnect:
        refused = ConnectionClosedError(ending.code, ending.reason)
        match verdict_of(ending.code):
            case Verdict.STAY_AWAY:
                # A token that worked for a while, or was kept, may be of a key that was revoked since.
                old = ending.open_seconds >= self._policy.stable or not ending.fresh
                if ending.code in _TOKENS_FAULT and renewable and old:
                    return Reconnect(self._now(), renew=True)
                raise refused
            case Verdict.REFRESH:
                if not renewable:
                    raise refused
                return Reconnect(self._now(), renew=True)
            case Verdict.NOW:
                return Reconnect(self._now())
            case _:
                first = self._policy.base if ending.code is None else self._policy.spread
                return Reconnect(self._wait(first))

    def _now(self) -> float:
        """No wait the first time, then a random one: never a tight loop."""
        wait = self._jitter(self._policy.base, self._at_once) if self._at_once else 0.0
        self._at_once += 1
        return wait

    def _wait(self, first: float) -> float:
        wait = self._jitter(first, self._later)
        self._later += 1
        return wait

    def _jitter(self, first: float, failures: int) -> float:
        return self._chance() * min(self._policy.cap, first * 2.0 ** min(failures, 32))


publish(globals())
