"""One line when the store stops doing what it is asked, and one when it does so again."""

import time
from typing import Final

import structlog

from tidings_workers.store.errors import StorageUnavailable

# It works again when it has done so for this long: while one node of a cluster is away, the others answer.
QUIET_SECONDS: Final = 2.0

_log = structlog.get_logger()


class Outage:
    """Whether the store is away, as one process sees it. A part logs it, a short command does not."""

    def __init__(self, *, logged: bool = False) -> None:
        self._logged = logged
        self._since: float | None = None
        self._last = 0.0

    def failed(self, error: StorageUnavailable) -> None:
        """Something got this error."""
        self._last = time.monotonic()
        if self._since is not None:
            return
        self._since = self._last
        if self._logged:
            _log.warning("storage is unavailable", reason=error.reason, error=str(error), cure=error.cure)

    def answered(self) -> None:
        """Something got its answer."""
        if self._since is None:
            return
        now = time.monotonic()
        if now - self._last < QUIET_SECONDS:
            return
        if self._logged:
            _log.info("storage is available again", seconds=round(now - self._since, 1))
        self._since = None
