"""What `dev` says of its start and its end: for people lines on stderr, with --json events of the log."""

import sys
import time

import structlog

from tidings_workers.config import Settings, masked

_log = structlog.get_logger(__name__)


class Progress:
    """The steps of one `dev`, from `starting` to `stopped`, with the seconds that the start took."""

    def __init__(self, settings: Settings, *, as_json: bool) -> None:
        self.as_json = as_json
        self._began = time.monotonic()
        if settings.redis_url is None:
            self._field, self._place = "data", str(settings.data)
        else:
            self._field, self._place = "store", masked(settings.redis_url)

    @property
    def seconds(self) -> float:
        """How long ago `dev` was started."""
        return time.monotonic() - self._began

    def starting(self) -> None:
        """Say that it starts, before anything that takes time."""
        self._say("starting", f"starting Tidings, data in {self._place}")

    def stopped(self) -> None:
        """Say that all has ended, and where the data are."""
        self._say("stopped", f"stopped; your data is in {self._place}")

    def _say(self, event: str, line: str) -> None:
        if self.as_json:
            _log.info(event, **{self._field: self._place})
        else:
            print(line, file=sys.stderr, flush=True)
