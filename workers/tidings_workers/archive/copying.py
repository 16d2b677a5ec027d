"""Copying an archive into another one, such as a file into PostgreSQL."""

from collections.abc import AsyncIterator
from typing import Final

from msgspec import Struct

from tidings_workers.archive.interface import Archive
from tidings_workers.archive.rows import ArchivedEntry, SentQuery, StateSegment

_PAGE: Final = 500


class Copied(Struct, frozen=True):
    """How far a copy has come: the tenant's notifications before `at` (ms), and the rows of this run."""

    tenant: str
    at: int
    notifications: int = 0
    entries: int = 0
    segments: int = 0


async def copy_archive(
    source: Archive, target: Archive, after: Copied | None = None
) -> AsyncIterator[Copied]:
    """Copy all tenants in order, each from its oldest notification on, and report after each page.

    Rows that the target has stay as they are; receipts and status are replaced. To go on after a failure,
    pass the last report as `after`; the repeated page does no harm. Memory is bounded. The target was
    migrated.
    """
    done = [0, 0, 0]
    for tenant in await source.tenants():
        if after is not None and tenant < after.tenant:
            continue
        at = after.at if after is not None and tenant == after.tenant else 0
        boundary, more = "", True
        while more:
            page = await source.sent(
                SentQuery(tenant=tenant, limit=_PAGE, newest_first=False, boundary=boundary, since=at)
            )
            boundary, more = page.boundary, bool(page.boundary)
            if page.items:
                await target.append((), page.items)
                done[0] += len(page.items)
                # The first millisecond may have been copied in part with the page before.
                last = page.items[-1].at
                done[1] += await _copy_entries(source, target, tenant, page.items[0].at, last + 1)
                at = last
            yield Copied(tenant, at, *done)
        done[2] += await _copy_segments(source, target, tenant)
        yield Copied(tenant, at, *done)


async def _copy_entries(source: Archive, target: Archive, tenant: str, since: int, until: int) -> int:
    count = 0
    entries: list[ArchivedEntry] = []
    async for item in source.export(tenant, since, until):
        entries.append(item.entry)
        if len(entries) == _PAGE:
            await target.append(entries, ())
            count += len(entries)
            entries = []
    await target.append(entries, ())
    return count + len(entries)


async def _copy_segments(source: Archive, target: Archive, tenant: str) -> int:
    count = 0
    segments: list[StateSegment] = []
    async for segment in source.segments(tenant):
        segments.append(segment)
        if len(segments) == _PAGE:
            await target.save_states(segments)
            count += len(segments)
            segments = []
    await target.save_states(segments)
    return count + len(segments)
