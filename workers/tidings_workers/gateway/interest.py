"""The logs that a gateway follows: acquires, heals and releases their tails.

Interest is registered in the store before the head of a log is read. So each entry
after that head is in the feed. If the feed loses one, its position is missing, and the log is read.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final

from tidings_workers import metrics
from tidings_workers.gateway.tails import Tail
from tidings_workers.store import Store
from tidings_workers.store.entries import END, Facts
from tidings_workers.store.keys import Log

UNUSED_SECONDS: Final = 10.0
HEAL_ENTRIES: Final = 200
SWEEP_LOGS: Final = 500
# Under load, many logs have feed items on the way when a sweep compares heads. They arrive within this time.
ARRIVAL_SECONDS: Final = 0.1

Spawn = Callable[[Coroutine[Any, Any, None]], None]
"""Runs a coroutine in the background, under supervision."""


class Interest:
    """The tails of one gateway.

    `healed` is called with each tail to which healing appended entries, `changed` with each tail that had
    changes which the feeds did not report.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        spawn: Spawn,
        healed: Callable[[Tail[Any]], None],
        changed: Callable[[Tail[Any]], None],
    ) -> None:
        self.tails: dict[str, Tail[Any]] = {}
        self._store = store
        self._name = name
        self._spawn = spawn
        self._healed = healed
        self._changed = changed
        self._unwatching: dict[str, asyncio.Future[None]] = {}

    async def acquire(self, log: Log) -> Tail[Any]:
        """Follow a log: its tail, to be given back with `release`. Raises StorageUnavailable."""
        await self.wait_unwatched(log)
        tail = self.tails.get(log.base)
        if tail is not None:
            tail.acquire()
            try:
                await asyncio.shield(tail.ready)
            except BaseException:
                self.release(tail)
                raise
            return tail
        tail = self.new_tail(log)
        try:
            (facts,) = await self._store.feeds.watch(self._name, log.partition, [log.base])
        except BaseException as error:
            self.fail(tail, error)
            raise
        self.start(tail, facts)
        return tail

    async def wait_unwatched(self, log: Log) -> None:
        """Wait until the store has removed an earlier interest in the log, if that is in progress."""
        while (unwatching := self._unwatching.get(log.base)) is not None:
            await asyncio.wait([unwatching])

    def new_tail(self, log: Log) -> Tail[Any]:
        """A tail with one use, whose facts are not read yet: `start` or `fail` follows."""
        tail: Tail[Any] = Tail(log, asyncio.get_running_loop().create_future())
        self.tails[log.base] = tail
        return tail

    def start(self, tail: Tail[Any], facts: Facts) -> None:
        """Start a tail with the facts of its log."""
        tail.start(facts)
        if tail.is_behind:
            self.heal_soon(tail)

    def fail(self, tail: Tail[Any], error: BaseException) -> None:
        """Remove a tail whose facts cannot be read; every waiting `acquire` raises the error."""
        self.tails.pop(tail.log.base, None)
        tail.fail(error)

    def release(self, tail: Tail[Any]) -> None:
        """Undo one `acquire`. An unused tail stays UNUSED_SECONDS, for a user who reconnects soon."""
        tail.release(time.monotonic())

    # Healing

    def heal_soon(self, tail: Tail[Any]) -> None:
        """Like `heal`, but in the background. Does nothing while the tail is new or is healing."""
        if tail.ready.done() and tail.healing is None:
            tail.start_healing()
            self._spawn(self._read_missing(tail))

    async def heal(self, tail: Tail[Any]) -> None:
        """Read the entries that a tail missed; the tail has reached the head of its log on return."""
        while tail.healing is not None:
            await asyncio.wait([tail.healing])
        tail.start_healing()
        await self._read_missing(tail)

    async def _read_missing(self, tail: Tail[Any]) -> None:
        try:
            while True:
                wanted = tail.reported_head
                found = await self._store.logs.read(tail.log, tail.position, END, HEAL_ENTRIES)
                tail.append_read(found.entries)
                # No await between `append_read` and this flush. Otherwise a subscriber could become live with
                # entries pending.
                self._healed(tail)
                metrics.HEALED.inc(len(found.entries))
                if len(found.entries) < HEAL_ENTRIES:
                    # Entries missing from the log were removed. Changes that the feed lost leave no gap in
                    # positions, so compare the change counters.
                    (facts,) = await self._store.feeds.watch(self._name, tail.log.partition, [tail.log.base])
                    if facts.changes != tail.changes:
                        self._changed(tail)
                    if tail.finish_read(found.head, wanted):
                        return
        finally:
            tail.finish_healing()

    async def sweep(self) -> None:
        """Compare all tails with their logs: heal those behind, report those changed, renew interest.

        Raises DataLost when a log is shorter than its tail, and StorageUnavailable.
        """
        parts: dict[int, list[Tail[Any]]] = {}
        for tail in self.tails.values():
            if tail.ready.done() and tail.healing is None:
                parts.setdefault(tail.log.partition, []).append(tail)
        await asyncio.gather(*(self._sweep(partition, tails) for partition, tails in parts.items()))

    async def _sweep(self, partition: int, tails: list[Tail[Any]]) -> None:
        for start in range(0, len(tails), SWEEP_LOGS):
            some = tails[start : start + SWEEP_LOGS]
            known = [(tail.log.base, tail.position, tail.changes) for tail in some]
            behind, changed = await self._store.feeds.compare(self._name, partition, known)
            if behind:
                self._spawn(self._heal_behind([(some[index], head) for index, head in behind.items()]))
            for index in changed:
                self._changed(some[index])

    async def _heal_behind(self, behind: Sequence[tuple[Tail[Any], int]]) -> None:
        """Heal the tails that have not reached these heads when the feed items on the way have arrived."""
        await asyncio.sleep(ARRIVAL_SECONDS)
        for tail, head in behind:
            if tail.position < head and self.tails.get(tail.log.base) is tail:
                self.heal_soon(tail)

    # Releasing

    def remove_unused(self) -> list[Tail[Any]]:
        """Remove the tails that were unused for UNUSED_SECONDS; the caller calls `unwatch` with them."""
        before = time.monotonic() - UNUSED_SECONDS
        unused = [tail for tail in self.tails.values() if tail.is_unused_since(before)]
        self.remove(unused)
        return unused

    def remove(self, tails: Sequence[Tail[Any]]) -> None:
        """Remove tails. An `acquire` of one of them waits until `unwatch` has run."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for tail in tails:
            del self.tails[tail.log.base]
            self._unwatching[tail.log.base] = done

    async def unwatch(self, tails: Sequence[Tail[Any]]) -> None:
        """Remove the store's interest in tails that were removed here."""
        parts: dict[int, list[str]] = {}
        for tail in tails:
            parts.setdefault(tail.log.partition, []).append(tail.log.base)
        try:
            await asyncio.gather(
                *(
                    self._store.feeds.unwatch(self._name, partition, bases)
                    for partition, bases in parts.items()
                )
            )
        finally:
            # After an error, feed items of these logs still arrive. They are ignored.
            self._finish_unwatch(tails)

    def _finish_unwatch(self, tails: Iterable[Tail[Any]]) -> None:
        for tail in tails:
            done = self._unwatching.pop(tail.log.base)
            if not done.done():
                done.set_result(None)
