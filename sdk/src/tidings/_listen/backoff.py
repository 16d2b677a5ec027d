"""When and how a listener comes back after a connection ended. Pure: chance is handed in."""

from collections.abc import Callable

import msgspec

from tidings import _publish
from tidings._api_errors import APIError
from tidings._errors import ConnectionFailedError
from tidings._listen.errors import ConnectionClosedError
from tidings._retries import is_retryable
from tidings.protocol.closing import INVALID_TOKEN, NO_INBOX_SCOPE, REVOKED, Verdict, verdict_of

_UNAUTHORIZED = 401
# With another token it may be different.
_TOKENS_FAULT = {close.code for close in (INVALID_TOKEN, REVOKED, NO_INBOX_SCOPE)}


class ReconnectPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How a live inbox comes back: after a random wait ("full jitter"), in seconds.

    The wait is up to `base` after a connection that just broke, and up to `spread` where the server
    asked to come later, so that a restart does not bring everybody back at once. It doubles with each
    failure, up to `cap`, and begins anew after a connection that held for `stable` seconds. Where the
    server says to come at once, with another token perhaps, only the second time waits, and counts apart.
    """

    base: float = 0.5
    spread: float = 2.0
    cap: float = 30.0
    stable: float = 10.0


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a connection ended: by a close code, or by an error before or instead of one.

    `lived` is how many seconds it stood after its welcome; `fresh` whether its token was made for it, or
    is what there was when another one was asked for.
    """

    code: int | None = None
    reason: str = ""
    error: Exception | None = None
    lived: float = 0.0
    fresh: bool = True


class Return(msgspec.Struct, frozen=True):
    """Come back after `wait` seconds; with another token if `renew`."""

    wait: float
    renew: bool = False


class Backoff:
    """Decides after each ending, and remembers how many there were in a row: `failures`."""

    def __init__(self, policy: ReconnectPolicy, chance: Callable[[], float]) -> None:
        self._policy = policy
        self._chance = chance
        self.failures = 0
        # Those of them that were to wait, and those that were to come at once.
        self._later = self._at_once = 0

    def after(self, ending: Ending, *, renewable: bool) -> Return:
        """When to come back. Raises what the application must know where coming back cannot help."""
        if ending.lived >= self._policy.stable:
            self.failures = self._later = self._at_once = 0
        if ending.error is not None:
            plan = self._after_error(ending, ending.error, renewable=renewable)
        else:
            plan = self._after_close(ending, renewable=renewable)
        self.failures += 1
        return plan

    def _after_error(self, ending: Ending, error: Exception, *, renewable: bool) -> Return:
        if isinstance(error, ConnectionFailedError):
            return Return(self._wait(self._policy.base))
        if not isinstance(error, APIError):
            raise error
        if error.status == _UNAUTHORIZED and renewable and not ending.fresh:
            return Return(0.0, renew=True)
        if not is_retryable(error.status):
            raise error
        return Return((error.retry_after or 0.0) + self._wait(self._policy.spread))

    def _after_close(self, ending: Ending, *, renewable: bool) -> Return:
        refused = ConnectionClosedError(ending.code, ending.reason)
        match verdict_of(ending.code):
            case Verdict.STAY_AWAY:
                # A token that did for a while, or was kept, may have been signed with what has changed since.
                old = ending.lived >= self._policy.stable or not ending.fresh
                if ending.code in _TOKENS_FAULT and renewable and old:
                    return Return(self._now(), renew=True)
                raise refused
            case Verdict.REFRESH:
                if not renewable:
                    raise refused
                return Return(self._now(), renew=True)
            case Verdict.NOW:
                return Return(self._now())
            case _:
                return Return(self._wait(self._policy.base if ending.code is None else self._policy.spread))

    def _now(self) -> float:
        """At once, but never in a tight loop."""
        wait = self._jitter(self._policy.base, self._at_once) if self._at_once else 0.0
        self._at_once += 1
        return wait

    def _wait(self, first: float) -> float:
        wait = self._jitter(first, self._later)
        self._later += 1
        return wait

    def _jitter(self, first: float, failures: int) -> float:
        return self._chance() * min(self._policy.cap, first * 2.0 ** min(failures, 32))


_publish(globals())
