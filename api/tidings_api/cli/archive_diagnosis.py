"""The checks of `doctor` for the archive: the database, and what the store has for it."""

from typing import Final

from tidings_api.cli.archive_state import ArchiveState, Backlog, archive_state
from tidings_api.cli.archive_texts import day, duration, size
from tidings_api.cli.findings import Finding, ok, warning, wrong
from tidings_workers.archive import ArchiveHealth, ArchiveMisconfigured, open_archive
from tidings_workers.archive.urls import place_of
from tidings_workers.config import NO_ARCHIVE, Settings
from tidings_workers.store.pipeline import Pipeline

# The sweep finds an old entry within the hour, and an archiver moves it within seconds.
_LATE_SECONDS: Final = 7_200
# The tenants that a finding names.
_NAMED: Final = 5


async def archive_findings(settings: Settings) -> list[Finding]:
    """Whether the database can be used. None where the settings name no archive."""
    if not settings.archives:
        return []
    url = settings.archive_url or NO_ARCHIVE
    try:
        archive = open_archive(url)
    except ArchiveMisconfigured as error:
        return [_fault("wrong", str(error))]
    if archive is None:
        return []
    try:
        health = await archive.health()
    finally:
        await archive.close()
    return [_of_database(place_of(url), health)]


def _of_database(place: str, health: ArchiveHealth) -> Finding:
    if not health.reachable:
        # Before the first start of an archiver there is nothing that it could have made.
        return _fault("warning" if " yet: " in health.fault else "wrong", health.fault)
    if not health.writable:
        return wrong(
            "archive",
            f"{place} answers, but this user may not write",
            "give the user of the archiver the rights in docs/history.md",
        )
    return ok("archive", f"{place} answers: {summary(health)}")


def summary(health: ArchiveHealth) -> str:
    """The facts about an archive that answers."""
    facts = f"version {health.version}, about {health.rows:,} entries, {size(health.size)}"
    if health.oldest is None or health.newest is None:
        return facts
    return f"{facts}, from {day(health.oldest)} to {day(health.newest)}"


def _fault(level: str, text: str) -> Finding:
    # The text is the fault, a colon, and the cure.
    fault, _, cure = text.rpartition(": ")
    judge = warning if level == "warning" else wrong
    return judge("archive", fault or cure, cure if fault else "see the log of the archiver")


async def moving_findings(
    pipeline: Pipeline, settings: Settings, partitions: int, *, embedded: bool
) -> list[Finding]:
    """Archivers at work, the entries that wait for them, and those that were removed without a copy.

    Raises the errors of the store.
    """
    state = await archive_state(pipeline, settings, partitions)
    if not settings.archives:
        return _elsewhere(state)
    part = "dev" if embedded else "archiver"
    found = [_archivers(state, f"start `tidings-server {part}`, or see the log of the archiver")]
    found.append(_backlog(state.backlog))
    if state.uncopied:
        found.append(_uncopied(state.uncopied))
    return found


def _elsewhere(state: ArchiveState) -> list[Finding]:
    if not state.archivers and not state.backlog.logs:
        return []
    return [
        warning(
            "archive",
            "parts on this store have an archive, and TIDINGS_ARCHIVE_URL is not set here: a part with these "
            "settings shows no history, and removes what the archive does not have",
            "set TIDINGS_ARCHIVE_URL to the same database for every part",
        )
    ]


def _archivers(state: ArchiveState, cure: str) -> Finding:
    if not state.archivers:
        return wrong("archiver", "none is at work: old notifications wait in the store", cure)
    return ok("archiver", f"{state.archivers} at work")


def _backlog(backlog: Backlog) -> Finding:
    check = "archive backlog"
    if not backlog.logs:
        return ok(check, "nothing waits for the archive")
    detail = (
        f"{backlog.logs:,} logs wait for the archive, with about {size(backlog.bytes)} of at most "
        f"{size(backlog.limit)}, the oldest entry for {duration(backlog.oldest_seconds)}"
    )
    if backlog.bytes >= backlog.limit:
        return wrong(
            check,
            f"{detail}: entries are removed without a copy",
            "repair the archive; until then raise TIDINGS_ARCHIVE_BACKLOG_BYTES of the dispatchers, if the "
            "store has the memory",
        )
    if backlog.bytes * 2 >= backlog.limit or backlog.oldest_seconds > _LATE_SECONDS:
        return warning(
            check, detail, "see the log of the archiver; if it works and can't keep up, start another one"
        )
    return ok(check, detail)


def _uncopied(uncopied: dict[str, int]) -> Finding:
    latest = max(uncopied.values())
    names = ", ".join(sorted(uncopied, key=lambda tenant: (-uncopied[tenant], tenant))[:_NAMED])
    more = f" and {len(uncopied) - _NAMED:,} more" if len(uncopied) > _NAMED else ""
    return warning(
        "archive copies",
        f"entries of {names}{more} were removed without a copy, last on {day(latest)}",
        "restore them from a backup of the store, if they matter; a larger TIDINGS_ARCHIVE_BACKLOG_BYTES "
        "gives the archive more time",
    )
