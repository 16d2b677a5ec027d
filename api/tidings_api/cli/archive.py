"""`tidings-server archive`: the condition of the archive, its tables, and copies of it."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import App, Parameter
from msgspec import structs

from tidings.protocol.times import timestamp, timestamp_or_none
from tidings_api.cli.archive_diagnosis import summary
from tidings_api.cli.archive_state import ArchiveState, archive_state
from tidings_api.cli.archive_texts import duration, size
from tidings_api.cli.embedded_archive import with_own_archive
from tidings_api.cli.errors import CommandFailed, WrongUsage
from tidings_api.cli.output import DataOption, JsonOption, answer, note
from tidings_api.cli.stores import store_settings
from tidings_workers import logs
from tidings_workers.archive import (
    Archive,
    ArchiveHealth,
    ArchiveUnavailable,
    Copied,
    copy_archive,
    open_archive,
)
from tidings_workers.archive.urls import has_password, place_of
from tidings_workers.config import NO_ARCHIVE, Settings
from tidings_workers.config_checks import ConfigurationError
from tidings_workers.store.keys import META
from tidings_workers.store.packing import text
from tidings_workers.store.pipeline import Pipeline

app = App(name="archive", help="Look at the archive, make its tables, or copy it.")

_PROGRESS_SECONDS: Final = 1.0
# How long a copy tries again without any progress.
_PATIENCE_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 1.0

_EXAMPLE: Final = "sqlite:////var/lib/tidings/history.db"


@app.command
def status(*, data: DataOption = None, json: JsonOption = False) -> int:
    """Show whether the archive answers, what it has, and what waits for it in the store.

    It uses TIDINGS_ARCHIVE_URL, or the file of an embedded store, and changes nothing. Exit code 1 when the
    archive does not answer.
    """
    return asyncio.run(_status(data, as_json=json))


async def _status(data: Path | None, *, as_json: bool) -> int:
    logs.configure("archive", format="json", level="error")
    async with store_settings(data) as settings:
        url = _url(settings)
        async with _opened(url) as archive:
            health = await archive.health()
        state = await _state(settings)
    answer(_facts(url, health, state), _text(place_of(url), health, state), as_json=as_json)
    return 0 if health.reachable else 1


async def _state(settings: Settings) -> ArchiveState | None:
    """The entries that wait for the archive; None when no part has used the store yet."""
    pipeline = Pipeline(settings.redis_url or "", "tidings-archive")
    try:
        partitions = await pipeline.call("HGET", META, "partitions")
        if partitions is None:
            return None
        return await archive_state(pipeline, settings, int(text(partitions)))
    finally:
        await pipeline.close()


def _facts(url: str, health: ArchiveHealth, state: ArchiveState | None) -> dict[str, Any]:
    facts = structs.asdict(health)
    shown = {"archive": place_of(url), **facts}
    shown |= {name: timestamp_or_none(facts[name]) for name in ("oldest", "newest")}
    if state is not None:
        shown["archivers"] = state.archivers
        shown["backlog"] = structs.asdict(state.backlog)
        shown["uncopied"] = {tenant: timestamp(at) for tenant, at in state.uncopied.items()}
    return shown


def _text(place: str, health: ArchiveHealth, state: ArchiveState | None) -> str:
    if health.reachable:
        rights = "" if health.writable else ", and this user may not write"
        lines = [f"archive   {place} answers: {summary(health)}{rights}"]
    else:
        lines = [f"archive   {health.fault}"]
    if state is None:
        return "\n".join([*lines, "store     no part has used it yet"])
    backlog = state.backlog
    waits = f", the oldest entry for {duration(backlog.oldest_seconds)}" if backlog.logs else ""
    return "\n".join(
        [
            *lines,
            f"archivers {state.archivers} at work",
            f"backlog   {backlog.logs:,} logs, about {size(backlog.bytes)} of {size(backlog.limit)}{waits}",
        ]
    )


@app.command
def migrate(*, data: DataOption = None, json: JsonOption = False) -> None:
    """Make the tables of the archive, or bring them up to this version.

    The archiver does it at its start, too. It uses TIDINGS_ARCHIVE_URL, or the file of an embedded store.
    """
    settings = Settings.from_environment()
    if data is not None:
        settings = structs.replace(settings, data=data, redis_url=None)
    url = _url(settings if settings.redis_url is not None else with_own_archive(settings))
    version = asyncio.run(_migrated(url))
    place = place_of(url)
    answer({"archive": place, "version": version}, f"{place} has version {version}", as_json=json)


async def _migrated(url: str) -> int:
    async with _opened(url) as archive:
        return await archive.migrate()


@app.command
def copy(
    source: Annotated[
        str, Parameter(help=f"The archive to read, as a URL: {_EXAMPLE}, or postgresql://user@host/database.")
    ],
    target: Annotated[
        str | None, Parameter(help="The archive to write, as a URL. [default: TIDINGS_ARCHIVE_URL]")
    ] = None,
    /,
    *,
    after: Annotated[
        str | None,
        Parameter(help="Go on where an earlier copy stopped: TENANT/MILLISECONDS, as its last line says."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Copy an archive into another one, such as a file into PostgreSQL. Its tables are made where needed.

    It may be stopped and repeated: rows that are there stay as they are. If the archiver
    works during a copy, copy once more after it has stopped. Give a password by PGPASSWORD or ~/.pgpass,
    because others on this machine can read the command line.
    """
    target = target if target is not None else _url(Settings.from_environment())
    _check(source, target)
    begin = _point(after)
    copied = asyncio.run(_copy(source, target, begin))
    text = (
        f"copied {copied.notifications:,} notifications, {copied.entries:,} entries and "
        f"{copied.segments:,} states of {place_of(source)} to {place_of(target)}"
    )
    counts = {name: getattr(copied, name) for name in ("notifications", "entries", "segments")}
    answer({"source": place_of(source), "target": place_of(target), **counts}, text, as_json=json)


def _check(source: str, target: str) -> None:
    places = place_of(source), place_of(target)
    if NO_ARCHIVE in places:
        raise WrongUsage("name two archives: tidings-server archive copy FROM_URL TO_URL")
    if places[0] == places[1]:
        raise WrongUsage(f"{places[0]} is both archives: name two different ones")
    if any(url in sys.argv and has_password(url) for url in (source, target)):
        note(
            "a password on the command line is visible to others on this machine: use PGPASSWORD or ~/.pgpass"
        )


def _point(after: str | None) -> Copied | None:
    if after is None:
        return None
    tenant, _, at = after.partition("/")
    if not tenant or not at.isascii() or not at.isdigit():
        raise WrongUsage(f"--after is TENANT/MILLISECONDS, such as shop/1764500000000, not {after!r}")
    return Copied(tenant, int(at))


async def _copy(source_url: str, target_url: str, last: Copied | None) -> Copied:
    """Copy everything after a report; tries again after faults that may pass."""
    done = Copied("", 0)
    async with _opened(source_url) as source, _opened(target_url) as target:
        health = await source.health()
        if not health.reachable:
            raise CommandFailed(health.fault)
        await target.migrate()
        shown = moved_at = time.monotonic()
        while True:
            try:
                before = done
                async for report in copy_archive(source, target, last):
                    last, moved_at = report, time.monotonic()
                    done = Copied(report.tenant, report.at, *_sums(before, report))
                    if moved_at - shown >= _PROGRESS_SECONDS:
                        shown = moved_at
                        note(_progress(done))
            except ArchiveUnavailable as error:
                if time.monotonic() - moved_at > _PATIENCE_SECONDS:
                    raise CommandFailed(f"{error}{_to_go_on(last)}") from error
                await asyncio.sleep(_PAUSE_SECONDS)
            except asyncio.CancelledError:
                # The library reports each connection whose call this ends.
                asyncio.get_running_loop().set_exception_handler(lambda _, __: None)
                note(f"interrupted{_to_go_on(last)}")
                raise
            else:
                return done


def _sums(before: Copied, report: Copied) -> tuple[int, int, int]:
    """The rows of all tries: a report counts those of its own."""
    return (
        before.notifications + report.notifications,
        before.entries + report.entries,
        before.segments + report.segments,
    )


def _progress(done: Copied) -> str:
    return (
        f"copying {done.tenant}, up to {timestamp(done.at)}: {done.notifications:,} notifications, "
        f"{done.entries:,} entries, {done.segments:,} states"
    )


def _to_go_on(last: Copied | None) -> str:
    return "" if last is None else f"; to go on, repeat the command with --after {last.tenant}/{last.at}"


def _url(settings: Settings) -> str:
    if not settings.archives or settings.archive_url is None:
        raise ConfigurationError(f"TIDINGS_ARCHIVE_URL is not set: name a database, such as {_EXAMPLE}")
    return settings.archive_url


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Archive]:
    archive = open_archive(url)
    if archive is None:
        raise ConfigurationError(f"TIDINGS_ARCHIVE_URL is none: name a database, such as {_EXAMPLE}")
    try:
        yield archive
    finally:
        await archive.close()
