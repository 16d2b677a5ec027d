"""The retention of the archive: it removes what is older than the tenants want."""

from tidings_workers.archive import Archive, ArchiveError, ArchiveRules
from tidings_workers.logs import get_logger
from tidings_workers.registry import RegistryView
from tidings_workers.store.ids import milliseconds
from tidings_workers.tenants import ARCHIVE_DAYS, Tenant

_DAY_MS = 86_400_000

_log = get_logger(__name__)


class Upkeep:
    """Applies the rules of each tenant to the archive."""

    def __init__(self, archive: Archive, view: RegistryView) -> None:
        self._archive = archive
        self._view = view

    async def run(self) -> None:
        """Remove everything that is too old now. A failure is logged, and the next run repeats it."""
        try:
            await self._run(milliseconds())
        except ArchiveError as error:
            _log.warning("the retention of the archive failed", reason=str(error))

    async def _run(self, now: int) -> None:
        longest: int | None = 0
        for tenant in await self._archive.tenants():
            rules = rules_of(self._view.tenant(tenant))
            cursor: str | None = ""
            while cursor is not None:
                cursor = await self._archive.retire(tenant, rules, now, cursor)
            for kept in (rules.default, *(kept for _, kept in rules.categories)):
                longest = None if longest is None or kept is None else max(longest, kept)
        if longest:
            while not await self._archive.drop_months(now - longest):
                pass


def rules_of(tenant: Tenant | None) -> ArchiveRules:
    """How long the archive keeps the notifications of a tenant; the default for one that is not known."""
    if tenant is None:
        return ArchiveRules(ARCHIVE_DAYS * _DAY_MS)
    categories = sorted(tenant.category_archive_retention.items(), key=lambda rule: (-len(rule[0]), rule[0]))
    return ArchiveRules(
        _milliseconds(tenant.archive_retention),
        tuple((name, _milliseconds(days)) for name, days in categories),
    )


def _milliseconds(days: int | None) -> int | None:
    return None if days is None else days * _DAY_MS
