"""One line when the store stops doing what it is asked, and one when it does so again."""

import time
from typing import Final

import structlog

from tidings_workers.store.errors import StorageUnavailable

# It works again when it has done so for this long: while one node of a cluster is away, the others answer.
QUIET_SECONDS: Final = 2.0

_log = structlog.get_logger()


class Outage:
    """Whether something that a process needs is away, as the process sees it.

    A part logs it, as `away` and `back`; a short command does not. What is back within `patience`
    seconds is not worth a line.
    """

    def __init__(
        self,
        *,
        logged: bool = False,
        away: str = "storage is unavailable",
        back: str = "storage is available again",
        patience: float = 0,
    ) -> None:
        self._logged = logged
        self._away, self._back = away, back
        self._patience = patience
        self._since: float | None = None
        self._last = 0.0
        self._said = False

    def failed(self, error: StorageUnavailable) -> None:
        """Something got this error."""
        self._last = time.monotonic()
        if self._since is None:
            self._since = self._last
        if self._logged and not self._said and self._last - self._since >= self._patience:
            self._said = True
            _log.warning(self._away, reason=error.reason, error=str(error), cure=error.cure)

    def answered(self) -> None:
        """Something got its answer."""
        if self._since is None:
            return
        now = time.monotonic()
        if now - self._last < QUIET_SECONDS:
            return
        if self._said:
            _log.info(self._back, seconds=round(now - self._since, 1))
        self._since, self._said = None, False
