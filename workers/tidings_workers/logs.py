"""Logging of every process: one event per line on stderr, as JSON or for people.

stdout is only for the answers of commands. Lines of libraries (stdlib logging) have the same form. An
exception is one line with its type and text; only the level `debug` adds its traceback.
"""

import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.typing import Processor

from tidings_workers.config import LogFormat, LogLevel, service_links

# Libraries whose events repeat our own ones.
_QUIET = ("httpx", "httpcore", "asyncio", "_granian", "granian.access", "websockets")


def configure(process: str, *, format: LogFormat, level: LogLevel) -> None:  # noqa: A002  the setting's name
    """Set up structlog and stdlib logging for a process. Each line has its name, `process`."""
    severity = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _named(process),
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _traceback if level == "debug" else _one_line,
    ]
    renderer: Processor
    if format == "json":
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=_coloured())
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(severity),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
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
        structlog.get_logger().warning(
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


def _named(process: str) -> Processor:
    def processor(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("process", process)
        return event

    return processor


def _exception(event: MutableMapping[str, Any]) -> BaseException | None:
    info = event.get("exc_info")
    if isinstance(info, BaseException):
        return info
    if isinstance(info, tuple):
        error: BaseException | None = info[1]
        return error
    return sys.exc_info()[1] if info else None


def _one_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    error = _exception(event)
    event.pop("exc_info", None)
    if error is not None:
        event["error"] = one_line(error)
    return event


def _traceback(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    error = _exception(event)
    if error is not None:
        event["error"] = one_line(error)
    return structlog.processors.format_exc_info(logger, method, event)
