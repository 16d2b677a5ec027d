"""Logs: one line per event, and a traceback only at level debug."""

import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from tidings_workers import logs
from tidings_workers.config import LogLevel


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Restores the logging of the process after each test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def no_way() -> None:
    raise ValueError("no\nway")


def fail(level: LogLevel, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    logs.configure("api", format="json", level=level)
    try:
        no_way()
    except ValueError:
        logs.get_logger(__name__).exception("failed")
        logging.getLogger("library").exception("failed too")
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_an_exception_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Our lines and those of libraries name the error in JSON, without a traceback."""
    lines = fail("info", capsys)
    assert [line["error"] for line in lines] == ["ValueError: no way"] * 2
    assert {line["process"] for line in lines} == {"api"}
    assert not any("exception" in line for line in lines)


def test_debug_adds_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """At level debug a line has the traceback as well."""
    assert all("Traceback" in line["exception"] for line in fail("debug", capsys))


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("", True), ("1", False)])
def test_colours_are_the_terminal_s_and_the_user_s_choice(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    no_color: str | None,
    *,
    coloured: bool,
) -> None:
    """Console lines have colours on a terminal, unless NO_COLOR is set."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    logs.configure("api", format="console", level="info")
    logs.get_logger(__name__).info("here")
    assert ("\x1b[" in capsys.readouterr().err) is coloured


def test_no_value_breaks_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes, lone surrogates and line breaks in a value stay in one line of JSON."""
    logs.configure("api", format="json", level="info")
    logs.get_logger(__name__).info("odd", user="\ud800\n", body=b"\xff", error=KeyError("x"))
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "odd"


def test_a_line_for_people_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for people has the time, the level, the event and the fields, and no value breaks it."""
    logs.configure("api", format="console", level="info")
    logs.get_logger(__name__).warning("odd", user="a\nb\x1b[2J", count=3, place="two words")
    (line,) = capsys.readouterr().err.splitlines()
    moment, rest = line.split(" ", 1)
    assert datetime.fromisoformat(moment).utcoffset() == timedelta()
    assert rest.split() == [
        *("[warning", "]", "odd", "count=3", "place=two", "words", "process=api", r"user='a\nb\x1b[2J'"),
    ]


def test_service_links_are_named_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables that Kubernetes set are one warning with its cure."""
    monkeypatch.setenv("TIDINGS_PORT", "tcp://10.96.0.7:8000")
    logs.configure("api", format="json", level="info")
    logs.warn_of_service_links()
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert line["variables"] == ["TIDINGS_PORT"]
    assert "enableServiceLinks: false" in line["cure"]
