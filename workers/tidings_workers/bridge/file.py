"""Reads the file of the bridge, and finds all its faults, each with its line.

A text may have `${NAME}`, which is the environment variable NAME: passwords need not be in the file.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from tidings.protocol.errors import FieldError
from tidings.protocol.events import EVENT_TYPES
from tidings.protocol.names import TENANT_RULE, is_tenant
from tidings_workers.addresses import masked
from tidings_workers.bridge.configuration import (
    SINKS,
    SOURCES,
    AnySink,
    AnySource,
    KafkaSink,
    KafkaSource,
    RabbitmqSource,
    Sink,
    StompSource,
    Table,
)
from tidings_workers.bridge.lines import Lines
from tidings_workers.bridge.tls import InvalidTls, context_of
from tidings_workers.config_checks import ConfigurationError
from tidings_workers.refused import Refused
from tidings_workers.strict_json import BodyDecoder
from tidings_workers.webhook_endpoints import matching

FILE_BYTES: Final = 1024 * 1024
TABLES: Final = 100

_is_name: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}").fullmatch
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

_TYPES: Final[dict[str, dict[str, type[Table]]]] = {"source": dict(SOURCES), "sink": dict(SINKS)}
_DECODE: Final = {
    (kind, name): BodyDecoder(type_).decode for kind, types in _TYPES.items() for name, type_ in types.items()
}
_SCHEMES: Final = {
    "rabbitmq": (("amqp", "amqps"), "amqp://user:password@host:5672/"),
    "stomp": (("stomp", "stomps"), "stomp://host:61613"),
}


class Fault(Struct, frozen=True):
    """One fault of a file: its line, from 1, and what to write instead."""

    line: int
    detail: str


class InvalidFile(ConfigurationError):
    """A file of the bridge has faults. The text names the first one, `faults` has all."""

    def __init__(self, path: Path, faults: list[Fault]) -> None:
        first = f"{path}:{faults[0].line}: {faults[0].detail}"
        rest = f" ({len(faults) - 1} more: tidings-server bridge --check {path})" if len(faults) > 1 else ""
        super().__init__(first + rest)
        self.faults = faults


def read_file(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[AnySource | AnySink, ...]:
    """The sources and the sinks of a file.

    Raises InvalidFile, or ConfigurationError when the file can't be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"{path} can't be read ({error.strerror}): name the TOML file of the bridge"
        ) from None
    if len(content) > FILE_BYTES:
        raise ConfigurationError(f"{path} has more than {FILE_BYTES:,} bytes: name the file of the bridge")
    tables, faults = parse(content, environ)
    if faults:
        raise InvalidFile(path, faults)
    return tables


def parse(content: bytes, environ: Mapping[str, str]) -> tuple[tuple[AnySource | AnySink, ...], list[Fault]]:
    """The sources and the sinks of a file, and its faults in the order of their lines."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return (), [Fault(1, "the file is not UTF-8: save it as UTF-8")]
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return (), [_of_syntax(str(error), len(text.splitlines()))]
    except RecursionError:
        return (), [
            Fault(1, "the file nests too deep: write [[source]] and [[sink]] tables with keys and values")
        ]
    reading = _Reading(Lines(text), environ)
    tables = tuple(reading.tables(document))
    return tables, sorted(reading.faults, key=lambda fault: fault.line)


def _of_syntax(message: str, end: int) -> Fault:
    found = re.search(r"\(at line (\d+), column \d+\)", message)
    return Fault(int(found[1]) if found else end, f"this is not TOML: {message}")


class _Reading:
    """The faults that were found so far."""

    def __init__(self, lines: Lines, environ: Mapping[str, str]) -> None:
        self._lines = lines
        self._environ = environ
        self.faults: list[Fault] = []

    def tables(self, document: Mapping[str, Any]) -> Iterator[Any]:
        for key in document.keys() - _TYPES.keys():
            detail = f"{key} has no meaning here: the file has [[source]] and [[sink]] tables"
            self._add(max(self._lines.of("", 0, key), self._lines.of(key)), detail)
        if not any(_tables(document, kind) for kind in _TYPES):
            self._add(
                1, "there is no source and no sink: write a table [[source]] with name, tenant and type"
            )
        for kind in _TYPES:
            yield from self._of_kind(kind, _tables(document, kind))

    def _of_kind(self, kind: str, tables: list[Any]) -> Iterator[Table]:
        if len(tables) > TABLES:
            self._add(1, f"there are more than {TABLES} {kind}s: divide them among several files")
        names: dict[str, int] = {}
        for number, table in enumerate(tables):
            found = self._table(kind, number, table)
            if found is None:
                continue
            if found.name in names:
                line = self._lines.of(kind, names[found.name], "name")
                self._at(kind, number, "name", f"{found.name} is the name of the {kind} in line {line}, too")
            names.setdefault(found.name, number)
            yield found

    def _table(self, kind: str, number: int, table: Any) -> Table | None:
        if not isinstance(table, dict):
            self._at(
                kind, number, "", f"a {kind} is a table: write [[{kind}]], and its keys in the lines below"
            )
            return None
        type_ = table.get("type")
        if not isinstance(type_, str) or type_ not in _TYPES[kind]:
            types = ", ".join(_TYPES[kind])
            self._at(kind, number, "type", f'type is one of {types}: write type = "rabbitmq", for example')
            return None
        before = len(self.faults)
        table = {key: self._expanded(kind, number, key, value) for key, value in table.items()}
        if len(self.faults) > before:
            return None
        try:
            found: Any = _DECODE[kind, type_](msgspec.json.encode(table))
        except Refused as refused:
            for error in refused.errors:
                self._refused(kind, number, error)
            if not refused.errors:
                self._at(kind, number, "", refused.detail)
            return None
        self._check(number, found)
        return found if len(self.faults) == before else None

    def _refused(self, kind: str, number: int, error: FieldError) -> None:
        key, _, place = error.pointer.removeprefix("#/").partition("/")
        shown = f"{key}[{place}]" if place else key
        detail = error.detail[:1].lower() + error.detail[1:]
        self._at(kind, number, key, f"{shown}: {detail}")

    def _expanded(self, kind: str, number: int, key: str, value: Any) -> Any:
        """The value with the variables of the environment in its texts."""
        if isinstance(value, list):
            return [self._expanded(kind, number, key, each) for each in value]
        if not isinstance(value, str):
            return value

        def variable(match: re.Match[str]) -> str:
            found = self._environ.get(match[1])
            if found is None:
                detail = f"{key} names the variable {match[1]}, which is not set: set it"
                self._at(kind, number, key, detail)
            return found or ""

        return _VARIABLE.sub(variable, value)

    def _check(self, number: int, table: AnySource | AnySink) -> None:
        """Check the rules that the types can't express."""
        for key, detail in _faults_of(table):
            self._at(table.kind, number, key, detail)

    def _at(self, kind: str, number: int, key: str, detail: str) -> None:
        self._add(self._lines.of(kind, number, key), detail)

    def _add(self, line: int, detail: str) -> None:
        self.faults.append(Fault(line, detail))


def _tables(document: Mapping[str, Any], kind: str) -> list[Any]:
    found = document.get(kind, [])
    return found if isinstance(found, list) else [found]


def _faults_of(table: AnySource | AnySink) -> Iterator[tuple[str, str]]:
    """The keys with a fault, and what to write instead."""
    if not _is_name(table.name):
        yield "name", "name has 1 to 64 of A-Z a-z 0-9 _ . -: choose another"
    if not is_tenant(table.tenant):
        yield "tenant", f"tenant is {TENANT_RULE}: name a tenant of `tidings-server tenants list`"
    if isinstance(table, (KafkaSource, KafkaSink)):
        if (table.user is None) != (table.password is None):
            yield "user", "user and password belong together: give both or none"
    elif not _is_url(table.type, table.url):
        _, example = _SCHEMES[table.type]
        yield "url", f"url is {masked(table.url)!r}: write it as {example}"
        return
    try:
        context_of(table)
    except InvalidTls as error:
        yield error.key, str(error)
    if isinstance(table, Sink):
        yield from _faults_of_events(table.events)
    else:
        yield from _faults_of_dead_letter(table)


def _is_url(type_: str, url: str) -> bool:
    schemes, _ = _SCHEMES[type_]
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _faults_of_events(patterns: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        if not matching((pattern,)):
            types = ", ".join(EVENT_TYPES)
            yield "events", f"{pattern!r} is no event: write some of {types}, or patterns as user.* and *"


def _faults_of_dead_letter(source: AnySource) -> Iterator[tuple[str, str]]:
    match source:
        case KafkaSource(topics=topics):
            if source.dead_letter is not None and source.dead_letter in topics:
                yield "dead_letter", "dead_letter is one of the topics: name another topic"
        case RabbitmqSource(queue=place) | StompSource(destination=place):
            if source.dead_letter == place:
                yield "dead_letter", "dead_letter is the place that is read: name another one"
