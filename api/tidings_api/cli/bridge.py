"""`tidings-server bridge`: runs the bridge, or checks its file."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from msgspec import Struct

from tidings_api.cli import parts
from tidings_api.cli.errors import WrongUsage
from tidings_api.cli.output import JsonOption, answer
from tidings_workers import logs
from tidings_workers.bridge import BrokerError, InvalidFile, open_broker, open_sink, read_file
from tidings_workers.bridge.configuration import AnySink, AnySource, Sink
from tidings_workers.config import Settings
from tidings_workers.config_checks import ConfigurationError


class Checked(Struct, frozen=True, omit_defaults=True):
    """The result for one source or sink, or for one line of a file."""

    detail: str
    ok: bool
    line: int = 0
    source: str = ""
    sink: str = ""


def bridge(
    file: Annotated[
        Path | None, Parameter(help="TOML file of sources and sinks. [default: TIDINGS_BRIDGE_FILE]")
    ] = None,
    *,
    check: Annotated[
        Path | None, Parameter(help="Check this file and try each connection, instead of running.")
    ] = None,
    json: JsonOption = False,
) -> int:
    """Send what message brokers have, and write events to them: RabbitMQ, Kafka, and STOMP for messages.

    It needs REDIS_URL. A message is acknowledged after its notification is durable. With --check it receives
    and changes nothing; exit code 1 when something is wrong.
    """
    if check is None:
        if json:
            raise WrongUsage("--json belongs to --check: write --check FILE --json")
        return parts.bridge(None if file is None else str(file))
    if file is not None:
        raise WrongUsage("name the file once: tidings-server bridge --check FILE")
    settings = Settings.from_environment()
    logs.configure("bridge", format=settings.log_format, level="error")
    found = _checked(check)
    good = all(each.ok for each in found)
    answer({"ok": good, "results": found}, "\n".join(_text(check, each) for each in found), as_json=json)
    return 0 if good else 1


def _checked(path: Path) -> list[Checked]:
    try:
        tables = read_file(path)
    except InvalidFile as error:
        return [Checked(fault.detail, ok=False, line=fault.line) for fault in error.faults]
    return asyncio.run(_tried(tables))


async def _tried(tables: tuple[AnySource | AnySink, ...]) -> list[Checked]:
    return list(await asyncio.gather(*map(_try, tables)))


async def _try(table: AnySource | AnySink) -> Checked:
    try:
        broker = open_sink(table) if isinstance(table, Sink) else open_broker(table)
        detail, good = await broker.probe(), True
    except (BrokerError, ConfigurationError) as error:
        detail, good = str(error), False
    if isinstance(table, Sink):
        return Checked(detail, ok=good, sink=table.name)
    return Checked(detail, ok=good, source=table.name)


def _text(path: Path, each: Checked) -> Any:
    if each.line:
        return f"{path}:{each.line}: {each.detail}"
    return f"{'ok   ' if each.ok else 'WRONG'}  {each.source or each.sink}: {each.detail}"
