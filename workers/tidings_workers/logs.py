"""Logging of every process: one event per line on stderr, as JSON or for people.

stdout is only for the answers of commands. Lines of libraries have the same form. An exception is one line
with its type and text; only the level `debug` adds its traceback.

All of it is the standard library's logging: a logging library would take a fifth of the start of a process.
"""

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

from tidings_workers.config import LogFormat, LogLevel, service_links

# Libraries whose events repeat our own ones.
_QUIET = ("httpx", "httpcore", "asyncio", "_granian", "granian.access", "websockets")

_RESET: Final = "\x1b[0m"
_DIM: Final = "\x1b[2m"
_BOLD: Final = "\x1b[1m"
_GREEN: Final = "\x1b[32m"
_CYAN: Final = "\x1b[36m"
_LEVEL_COLOURS: Final = {
    "debug": "\x1b[34m",
    "info": _GREEN,
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[31m",
}
_LEVEL_WIDTH: Final = 9
_EVENT_WIDTH: Final = 30


class EventLogger:
    """Logs events with fields: `log.warning("part not started", part="api", reason="...")`.

    In a `logging.LogRecord` the event is the message, and `fields` has the fields.
    """

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **fields: object) -> None:
        """An event that only a developer needs."""
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """An expected event."""
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """An event that an operator should look at."""
        self._log(logging.WARNING, event, fields)

    def error(self, event: str, *, exc_info: BaseException | None = None, **fields: object) -> None:
        """A failure, with its exception if there is one."""
        self._log(logging.ERROR, event, fields, exc_info)

    def exception(self, event: str, **fields: object) -> None:
        """A failure, with the exception that is handled now."""
        self._log(logging.ERROR, event, fields, sys.exception())

    def _log(
        self, level: int, event: str, fields: dict[str, object], error: BaseException | None = None
    ) -> None:
        self._logger.log(level, event, exc_info=error, extra={"fields": fields})


def get_logger(name: str) -> EventLogger:
    """The logger of a module; `name` is its `__name__`."""
    return EventLogger(name)


def configure(process: str, *, format: LogFormat, level: LogLevel) -> None:  # noqa: A002  the setting's name
    """Set up the logging of a process. Each line has its name, `process`."""
    severity = logging.getLevelNamesMapping()[level.upper()]
    handler = logging.StreamHandler(sys.stderr)
    tracebacks = level == "debug"
    handler.setFormatter(
        _JsonLines(process, tracebacks=tracebacks)
        if format == "json"
        else _TextLines(process, tracebacks=tracebacks, coloured=_coloured())
    )
    logging.basicConfig(handlers=[handler], level=severity, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(severity, logging.WARNING))


def _coloured() -> bool:
    """Whether stderr is a terminal and the user has not switched colours off (https://no-color.org)."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def warn_of_service_links() -> None:
    """Log the settings that Kubernetes set instead of the operator. Call it once, after `configure`."""
    if names := service_links():
        get_logger(__name__).warning(
            "variables ignored",
            variables=names,
            reason="Kubernetes set them for a Service of that name",
            cure="set enableServiceLinks: false in the pod's spec, or rename the Service",
        )


def one_line(error: BaseException) -> str:
    """An exception as one line, with its type and text; for a group, those of its exceptions."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(one_line(inner) for inner in error.exceptions)
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class _Lines(logging.Formatter):
    """Turns a record into the fields of a line: those of the event, then the ones that every line has."""

    def __init__(self, process: str, *, tracebacks: bool) -> None:
        super().__init__()
        self._process = process
        self._tracebacks = tracebacks

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        moment = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
        fields: Mapping[str, Any] = getattr(record, "fields", {})
        line = {
            "process": self._process,
            **fields,
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "timestamp": f"{moment.isoformat(timespec='microseconds')}Z",
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line["error"] = one_line(error)
            if self._tracebacks:
                line["exception"] = self.formatException(_exc_info(error))
        return line


def _exc_info(error: BaseException) -> tuple[type[BaseException], BaseException, TracebackType | None]:
    return type(error), error, error.__traceback__


class _JsonLines(_Lines):
    """A line of JSON. A value that JSON does not have is written as its `repr`."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self._fields(record), default=repr)


class _TextLines(_Lines):
    """A line for people: time, level, event, and the fields in alphabetical order."""

    def __init__(self, process: str, *, tracebacks: bool, coloured: bool) -> None:
        super().__init__(process, tracebacks=tracebacks)
        self._is_coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        fields = self._fields(record)
        traceback = fields.pop("exception", None)
        level, event = fields.pop("level"), fields.pop("event")
        words = [
            self._painted(_DIM, fields.pop("timestamp")),
            f"[{self._painted(_LEVEL_COLOURS.get(level, _BOLD), level.ljust(_LEVEL_WIDTH))}]",
            self._painted(_BOLD, _shown(event).ljust(_EVENT_WIDTH)),
            *(
                f"{self._painted(_CYAN, name)}={self._painted(_GREEN, _shown(fields[name]))}"
                for name in sorted(fields)
            ),
        ]
        line = " ".join(words)
        return line if traceback is None else f"{line}\n{traceback}"

    def _painted(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_RESET}" if self._is_coloured else text


def _shown(value: object) -> str:
    """The value as text that stays in its line, and that a terminal does not obey."""
    return value if isinstance(value, str) and value.isprintable() else repr(value)
