"""Copying one archive into another: from SQLite to PostgreSQL, and back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.archive.conftest import opened
from tests.archive.support import DAY, JANUARY, entry, notification, segment
from tidings_workers.archive import (
    Archive,
    ArchiveUnavailable,
    Copied,
    SentQuery,
    copy_archive,
    copying,
)


@pytest.fixture
async def target(url: str, sqlite_url: str, postgresql_url: str) -> AsyncIterator[Archive]:
    """An empty archive of the other kind than `archive`."""
    target = opened(postgresql_url if url.startswith("sqlite") else sqlite_url)
    await target.migrate()
    yield target
    await target.close()


async def contents(archive: Archive) -> dict[str, object]:
    """Everything in an archive."""
    return {
        tenant: (
            (await archive.sent(SentQuery(tenant=tenant, limit=5_000))).items,
            [item async for item in archive.export(tenant)],
            [each async for each in archive.segments(tenant)],
        )
        for tenant in await archive.tenants()
    }


async def filled(archive: Archive) -> None:
    """Three tenants; several notifications in each millisecond, some of them with several entries."""
    for tenant in ("acme", "beta", "gamma"):
        sent = [notification(JANUARY + number // 4 * 3 * DAY, tenant=tenant) for number in range(30)]
        entries = [
            entry(each, number + 1, f"u/{tenant}/{user}")
            for number, each in enumerate(sent)
            for user in ("ana", "bob")[: number % 3]
        ]
        await archive.append(entries, sent)
        await archive.save_states(
            [segment(after, after + 5, tenant=tenant, log=f"a/{tenant}") for after in range(0, 50, 5)]
        )


async def test_a_copy_has_everything(
    archive: Archive, target: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All tenants, notifications, entries and states are copied, in pages that end within a millisecond."""
    monkeypatch.setattr(copying, "_PAGE", 3)
    await filled(archive)
    reports = [each async for each in copy_archive(archive, target)]
    assert await contents(target) == await contents(archive)
    assert (reports[-1].tenant, reports[-1].notifications, reports[-1].segments) == ("gamma", 90, 30)
    # A second copy changes nothing.
    assert [each.tenant async for each in copy_archive(archive, target)][-1] == "gamma"
    assert await contents(target) == await contents(archive)


async def test_a_copy_goes_on_after_its_last_report(
    archive: Archive, target: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that was interrupted at any report goes on there, and the target has everything at the end."""
    monkeypatch.setattr(copying, "_PAGE", 4)
    await filled(archive)
    last: Copied | None = None
    runs, finished = 0, False
    while not finished:
        runs, steps = runs + 1, 0
        async for report in copy_archive(archive, target, last):
            last, steps = report, steps + 1
            if steps == 3:
                break
        else:
            finished = True
    assert runs > 5
    assert await contents(target) == await contents(archive)


async def test_a_copy_into_a_database_without_tables_fails(archive: Archive, tmp_path: Path) -> None:
    """The target has to be migrated first, and the error says so."""
    await filled(archive)
    target = opened(f"sqlite://{tmp_path}/other.db")
    with pytest.raises(ArchiveUnavailable, match="does not exist yet"):
        async for _ in copy_archive(archive, target):
            pass
    await target.close()
