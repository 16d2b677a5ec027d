"""Moves the old entries of one partition into the archive, batch by batch.

The order keeps each notification in one place or in both, never in none: a batch is stored in the archive,
and only then removed from Redis. A batch may stop at any point. The next one begins with the removal of what
it left in the archive, and moves the entries again.

Two archivers may work on a partition, because one of them was paused. The later claim on the partition
decides: the archive refuses what the other one still writes.
"""

import secrets
from collections.abc import Mapping

from tidings_workers import metrics
from tidings_workers.archive import Archive, Claim, ClaimLost
from tidings_workers.archiver.rows import is_to_one_user, row_of, rows_of
from tidings_workers.store import Store, intervals
from tidings_workers.store.archiving import Batch, by_tenant
from tidings_workers.store.bases import parse_base
from tidings_workers.store.batches import BatchUnderWay
from tidings_workers.store.intervals import Bounds


class Mover:
    """Moves entries of one partition. It may be cancelled, or repeated, at any await."""

    def __init__(self, store: Store, archive: Archive, partition: int) -> None:
        self._store = store
        self._archive = archive
        self._partition = partition
        self._claim: Claim | None = None

    async def move(self, *, now: int = 0) -> int:
        """Move all entries that wait. Returns their number.

        `now`: Unix ms, instead of the clock of Redis. Raises StorageUnavailable and ArchiveError.
        """
        try:
            return await self._move_all(now)
        except ClaimLost:
            # Another archiver works on the partition; the next call claims it, if this one is to go on.
            self._claim = None
            return 0
        except BaseException:
            # A write that failed may still reach the archive. It does not after the next claim.
            self._claim = None
            raise

    async def _move_all(self, now: int) -> int:
        archiving, moved = self._store.archiving, 0
        if await archiving.under_way(self._partition) is not None:
            await self._take_over(await self._claimed())
        # Logs whose users changed the state during a batch wait for the next call.
        changing: set[str] = set()
        while waiting := await archiving.waiting(self._partition):
            # Before the batch begins: what an earlier claim writes is then known to the takeover.
            claim = await self._claimed()
            lists = [base for base in waiting if parse_base(base).kind == "s"]
            for base in lists:
                await self._move_sends(base, now, claim)
            bases = [base for base in waiting if base not in lists and base not in changing]
            if not bases:
                if lists:
                    continue
                break
            batch = await archiving.begin(self._partition, bases, secrets.token_hex(8), now=now)
            if isinstance(batch, BatchUnderWay):
                await self._take_over(claim)
            elif batch.entries:
                moved += await self._move(batch, claim, changing)
        return moved

    async def _claimed(self) -> Claim:
        if self._claim is None:
            self._claim = await self._archive.claim(self._partition)
        return self._claim

    async def _take_over(self, claim: Claim) -> None:
        """End the batch that is under way. The claim is older than the look at the batch."""
        left = await self._store.archiving.take_over(self._partition)
        if left is not None:
            await self._end(left.token, left.positions, claim)

    async def _move_sends(self, base: str, now: int, claim: Claim) -> None:
        """Move some old sends from the list of a tenant.

        Most are in the archive with their entries. This adds those without an entry, such as a send to an
        empty group, and those whose entries have not moved yet. It leaves out notifications to one user: by
        its entry alone an erasure finds such a notification in the archive.
        """
        archiving, tenant = self._store.archiving, parse_base(base).tenant
        old = await archiving.old_sends(self._partition, base, now=now)
        found = await archiving.records(tenant, [each for some in old for each in some.ids])
        stored = [each for each in found if each.status != "recalled" and not is_to_one_user(each)]
        await self._archive.append([], [row_of(tenant, each) for each in stored], claim)
        again = await archiving.records(tenant, [each.id for each in stored])
        recalled = [each.id for each in again if each.status == "recalled"]
        if recalled:
            await self._archive.remove(tenant, recalled)
        await archiving.trim_sends(self._partition, base, [each.entry for each in old])

    async def _move(self, batch: Batch, claim: Claim, changing: set[str]) -> int:
        entries, notifications = await rows_of(batch.entries, self._store.sends.notification)
        await self._archive.append(entries, notifications, claim)
        excess = await self._store.archiving.remove(self._partition, batch.token)
        if excess is None:
            # Another archiver took over this batch.
            return 0
        moved = len(batch.entries) - sum(map(intervals.size, excess.values()))
        if excess:
            changing.update(excess)
            await self._end(batch.token, excess, claim)
        metrics.ARCHIVED.inc(moved)
        return moved

    async def _end(self, token: str, excess: Mapping[str, Bounds], claim: Claim) -> None:
        """Remove from the archive the entries of this epoch at these positions, then end the batch."""
        since = await self._store.archiving.since()
        for tenant, positions in by_tenant(excess).items():
            await self._archive.remove_entries(tenant, positions, since, claim)
        await self._store.archiving.end(self._partition, token)
