"""How one source or sink works: its metrics, its report for `doctor`, and its lines in the log."""

import time
from typing import Final

from tidings_workers import metrics
from tidings_workers.logs import get_logger
from tidings_workers.store.bridges import Report
from tidings_workers.store.ids import milliseconds

# The last error in a report has at most this many characters.
_DETAIL_LENGTH: Final = 500

_log = get_logger(__name__)


class Status:
    """The counts and the state of a source or sink. It is paused until `works` is called.

    A reason of a pause is one of `broker` (no connection, or a fault of it), `storage`, `tenant`, `refused`
    (a message that is not valid, without dead letters) and `internal_error`.
    """

    def __init__(self, bridge: str, kind: str, name: str, type_: str) -> None:
        self.name = name
        self._bridge, self._kind, self._type = bridge, kind, type_
        labels = (kind, name)
        self._accepted = metrics.BRIDGE_ACCEPTED.labels(*labels)
        self._dead = metrics.BRIDGE_DEAD.labels(*labels)
        self._lag = metrics.BRIDGE_LAG.labels(*labels)
        self._paused = metrics.BRIDGE_PAUSED.labels(*labels)
        self.accepted = 0
        self.dead = 0
        self.lag: int | None = None
        self.paused = "starting"
        self.last_error = ""
        self._last_error_at = 0
        # The fault that is in the log already.
        self._logged = ""
        self.lags(None)
        self._paused.set(1)

    def accepts(self, count: int) -> None:
        """Count messages that were accepted and acknowledged, or events that the broker has confirmed."""
        self.accepted += count
        self._accepted.inc(count)

    def refuses(self, place: str, code: str, detail: str, dead_letter: str | None) -> None:
        """Count and log a message that is not valid."""
        self.dead += 1
        self._dead.inc()
        to = dead_letter or "none: the source pauses"
        _log.warning("message refused", source=self.name, message=place, code=code, reason=detail, to=to)

    def lags(self, lag: int | None) -> None:
        """Set how many messages wait at the broker, None where it does not say; or how many events wait."""
        self.lag = lag
        self._lag.set(float("nan") if lag is None else lag)

    def works(self) -> None:
        """It works: log it after a pause."""
        if self.paused:
            _log.info(f"{self._kind} works", name=self.name, type=self._type)
        self.paused = self._logged = ""
        self._paused.set(0)

    def pauses(self, reason: str, detail: str) -> None:
        """It does not work. The same fault is logged once."""
        self.paused = reason
        self._paused.set(1)
        self.last_error = detail[:_DETAIL_LENGTH]
        self._last_error_at = milliseconds()
        metrics.BRIDGE_LAST_ERROR.labels(self._kind, self.name, reason).set(time.time())
        if detail != self._logged:
            self._logged = detail
            _log.error(f"{self._kind} paused", name=self.name, type=self._type, cause=reason, reason=detail)

    def report(self) -> Report:
        """The state now."""
        return Report(
            bridge=self._bridge,
            kind=self._kind,
            name=self.name,
            type=self._type,
            at=milliseconds(),
            accepted=self.accepted,
            dead=self.dead,
            lag=self.lag,
            paused=self.paused,
            last_error=self.last_error,
            last_error_at=self._last_error_at,
        )
