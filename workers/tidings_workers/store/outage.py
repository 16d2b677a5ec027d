"""One log line when the store begins to fail, and one when it works again."""

import time
from typing import Final

from tidings_workers.logs import get_logger
from tidings_workers.store.errors import StorageUnavailable

# The time without a failure after which the store works again. While one node of a cluster fails, the others
# answer.
QUIET_SECONDS: Final = 2.0

_log = get_logger(__name__)


class Outage:
    """Whether the store fails, as this process sees it.

    A long-running process logs the texts `away` and `back`; a short command logs nothing. An outage of less
    than `patience` seconds is not logged.
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
        self._logged_failure = False

    def failed(self, error: StorageUnavailable) -> None:
        """Count a failure."""
        self._last = time.monotonic()
        if self._since is None:
            self._since = self._last
        if self._logged and not self._logged_failure and self._last - self._since >= self._patience:
            self._logged_failure = True
            _log.warning(self._away, reason=error.reason, error=str(error), cure=error.cure)

    def answered(self) -> None:
        """Count an answer. It ends the outage when there was no failure for two seconds."""
        if self._since is None:
            return
        now = time.monotonic()
        if now - self._last < QUIET_SECONDS:
            return
        if self._logged_failure:
            _log.info(self._back, seconds=round(now - self._since, 1))
        self._since, self._logged_failure = None, False
