"""The messages of `dev` about its start and its stop: lines on stderr, or log events with --json."""

import sys
import time

from tidings_workers.addresses import masked
from tidings_workers.config import Settings
from tidings_workers.logs import get_logger

_log = get_logger(__name__)


class Progress:
    """The messages of one `dev`, and the time since its start."""

    def __init__(self, settings: Settings, *, as_json: bool) -> None:
        self.as_json = as_json
        self._started_at = time.monotonic()
        if settings.redis_url is None:
            self._field, self._place = "data", str(settings.data)
        else:
            self._field, self._place = "store", masked(settings.redis_url)

    @property
    def seconds(self) -> float:
        """Seconds since the start of `dev`."""
        return time.monotonic() - self._started_at

    def starting(self) -> None:
        """Report the start. Call it before any slow step."""
        self._report("starting", f"starting Tidings, data in {self._place}")

    def stopped(self) -> None:
        """Report that everything has stopped, and where the data is."""
        self._report("stopped", f"stopped; your data is in {self._place}")

    def _report(self, event: str, line: str) -> None:
        if self.as_json:
            _log.info(event, **{self._field: self._place})
        else:
            print(line, file=sys.stderr, flush=True)
