"""Replays to one subscriber the entries that it missed, with backpressure.

While a subscriber catches up, it is live on no tail. Entries appended during the catch-up are read as well.
"""

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from tidings.protocol.frames import CaughtUp, Expired, Left, Stated
from tidings.protocol.notifications import UsedAction
from tidings.protocol.times import timestamp
from tidings_workers import metrics
from tidings_workers.gateway.states import state_frame
from tidings_workers.gateway.users import Subscriber
from tidings_workers.gateway.wire import moment
from tidings_workers.store import Change, Store, intervals
from tidings_workers.store.entries import Entry, category_of, id_of
from tidings_workers.store.ids import milliseconds, milliseconds_of_id
from tidings_workers.store.logs import ExpiredEntry

PAGE_ENTRIES: Final = 100
PART_BYTES: Final = 64 * 1024
# Marks that are sent one by one after a catch-up; when there are more, the client reloads.
DEFERRED: Final = 200


class Backlog(NamedTuple):
    """The entries and frames that a catch-up sends.

    `cursors`: the last position that the subscriber was sent, for every log that it follows. `departed`: logs
    whose part ends with a `left` frame. `replay`: the entries that are in the logs at the start are sent as
    `replayed`, followed by `caught_up` and `states`.
    """

    cursors: dict[str, int]
    departed: set[str]
    replay: bool
    states: Sequence[Stated] = ()


class CatchUp:
    """The catch-up of one subscriber. `reading` limits concurrent reads: live connections come first."""

    def __init__(
        self, store: Store, subscriber: Subscriber, backlog: Backlog, reading: asyncio.Semaphore
    ) -> None:
        # Also `Subscriber.cursors`: the same dict, which only this object changes.
        self._cursors = backlog.cursors
        self._departed, self._replay, self._states = backlog.departed, backlog.replay, backlog.states
        self.subscriber = subscriber
        self._store = store
        self._reading = reading
        self._expired: list[ExpiredEntry] = []
        # Marks during the catch-up; None after more than DEFERRED.
        self._deferred: list[tuple[int, Change]] | None = []
        # The ends of the logs at the welcome, whose counts include entries up to them.
        self._targets = {name: subscriber.user.log(name).end for name in self._cursors}
        # The version of the counts that the client has. None until a check finds something to send.
        self._counts_version: int | None = None

    @property
    def counted_up_to(self) -> dict[str, int]:
        """The position of each log up to which counts for this subscriber include it."""
        return {name: max(self._targets.get(name, 0), cursor) for name, cursor in self._cursors.items()}

    @property
    def is_complete(self) -> bool:
        """Whether the subscriber was sent every log up to its end."""
        user = self.subscriber.user
        if all(cursor >= user.log(name).end for name, cursor in self._cursors.items()):
            return True
        if self._counts_version is None:
            self._counts_version = user.counts(milliseconds()).version
        return False

    def joined(self, name: str, position: int) -> int:
        """The user joined a group: send its log after a position too. Returns the position after which.

        The cursor of an earlier membership stays, because the rest of that membership has to be sent.
        """
        self._departed.discard(name)
        return self._cursors.setdefault(name, position)

    def left(self, name: str) -> None:
        """The user left a group: send the rest of its log, then `left`."""
        self._departed.add(name)

    def conclude(self) -> None:
        """Send the frames that end the catch-up, before the subscriber becomes live."""
        self._send_departures()
        if self._replay:
            self._send_caught_up(self._cursors)

    def send_changes(self) -> None:
        """Send the deferred marks, and counts if they differ from what the client has added up."""
        if self._counts_version is None:
            return
        outlet, user = self.subscriber.outlet, self.subscriber.user
        counts = user.counts(milliseconds())
        if self._deferred is None:
            outlet.send(Stated(counts=counts, state_version=user.state_version, changes=(), reload=True))
            return
        for number, change in self._deferred:
            outlet.send(state_frame(change, number, counts))
        if counts.version != self._counts_version and not self._deferred:
            # An entry was recalled or expired during the catch-up; the client may have received it.
            outlet.send(Stated(counts=counts, state_version=user.state_version, changes=()))

    def defer(self, version: int, change: Change) -> None:
        """Keep a mark until the notifications that it concerns were sent. If there are too many, reload."""
        if self._deferred is not None:
            self._deferred.append((version, change))
            if len(self._deferred) > DEFERRED:
                self._deferred = None

    def replay_from_memory(self) -> None:
        """Send the entries that were in the logs at the start, if memory has them and they are not many.

        Sends all or none. Most clients that return have missed little, and need no read and no task.
        """
        if not self._replay:
            return
        outlet, user = self.subscriber.outlet, self.subscriber.user
        found: list[bytes] = []
        count = 0
        for name, target in self._targets.items():
            after = self._cursors[name]
            if after >= target:
                continue
            log = user.log(name)
            recent = log.recent
            if user.acted(name, after, target):
                return
            if recent is None or log.spans(after, target) != [(after, target)]:
                return
            frames = recent.replay(name, outlet.wire, after, target)
            if frames is None:
                return
            found.append(frames)
            count += target - after
        data = b"".join(found)
        if not data or len(data) > PART_BYTES:
            return
        outlet.write(data)
        self._cursors.update({name: max(self._cursors[name], end) for name, end in self._targets.items()})
        metrics.DELIVERED.inc(count)

    async def replay(self) -> None:
        """Send the entries that were in the logs at the start, if this is a replay."""
        if not self._replay:
            return
        starts = dict(self._cursors)
        for name, target in self._targets.items():
            await self._send(name, target, replayed=True)
        await self._find_expired(starts)
        if not self.subscriber.outlet.closed:
            self._send_departures()
            self._send_caught_up(self._targets)

    async def advance(self) -> None:
        """Send the entries that are in the logs now."""
        for name in list(self._cursors):
            await self._send(name, self.subscriber.user.log(name).end, replayed=False)

    def _send_caught_up(self, names: Iterable[str]) -> None:
        outlet = self.subscriber.outlet
        self._replay = False
        outlet.send(CaughtUp({name: self._cursors[name] for name in names}, self._summary()))
        states, self._states = self._states, ()
        for frame in states:
            outlet.send(frame)

    async def _find_expired(self, starts: dict[str, int]) -> None:
        """Read which entries expired while the client was away. The store keeps a note of each."""
        user, now = self.subscriber.user, milliseconds()
        for name, start in starts.items():
            log = user.log(name)
            holes = log.facts(now).holes
            end = self._cursors[name]
            if bisect_right(holes, start) == bisect_right(holes, end):
                continue
            async with self._reading:
                found = await self._store.logs.expired(log.log, start, end)
            known = {each.position for each in self._expired if each.log == name}
            self._expired += [
                each for each in found if each.position not in known and user.may_see(name, each.position)
            ]

    def _send_departures(self) -> None:
        for name in list(self._departed):
            end = self.subscriber.user.log(name).end
            if self._cursors.get(name, 0) >= end:
                self._departed.discard(name)
                self.subscriber.outlet.send(Left(name, end))

    async def _send(self, name: str, target: int, *, replayed: bool) -> None:
        """Send one log up to a position, a page at a time, no faster than the outlet accepts it."""
        outlet = self.subscriber.outlet
        for start, end in self.subscriber.user.log(name).spans(self._cursors[name], target):
            self._cursors[name] = max(self._cursors[name], start)
            while self._cursors[name] < end:
                entries, complete = await self._page(name, end)
                uses = await self._uses(name, entries)
                for part in parts(entries):
                    await outlet.writable()
                    if outlet.closed:
                        return
                    self._write(name, part, uses, replayed=replayed)
                    self._cursors[name] = part[-1].position
                if complete:
                    self._cursors[name] = end
        self._cursors[name] = max(self._cursors[name], target)

    async def _uses(self, name: str, entries: Sequence[Entry]) -> dict[int, UsedAction]:
        """The actions that the user used on some of these entries of a log, by position."""
        user = self.subscriber.user
        if not entries:
            return {}
        acted = user.acted(name, entries[0].position - 1, entries[-1].position)
        positions = [each.position for each in entries if intervals.contains(acted, each.position)]
        if not positions:
            return {}
        async with self._reading:
            base = user.log(name).log.base
            found = await self._store.acting.used(user.tenant, user.name, base, positions)
        return {position: UsedAction(use.action, timestamp(use.at)) for position, use in found.items()}

    def _write(
        self, name: str, entries: Sequence[Entry], uses: Mapping[int, UsedAction], *, replayed: bool
    ) -> None:
        outlet, user, now = self.subscriber.outlet, self.subscriber.name, milliseconds()
        frames = []
        for entry in entries:
            if entry.visible_to(user, now):
                frames.append(
                    outlet.wire.notification(
                        name,
                        entry.position,
                        entry.content,
                        replayed=replayed,
                        used=uses.get(entry.position),
                    )
                )
            elif replayed and user not in entry.exclude:
                accepted_at = milliseconds_of_id(id_of(entry.content))
                category = category_of(entry.content)
                self._expired.append(ExpiredEntry(name, entry.position, accepted_at, category))
        if not replayed and self._counts_version is not None:
            self._counts_version += len(frames)
        if frames:
            outlet.write(b"".join(frames))
            metrics.DELIVERED.inc(len(frames))

    async def _page(self, name: str, end: int) -> tuple[list[Entry], bool]:
        """The next entries of a log, from memory if possible, and whether they reach `end`."""
        log, after = self.subscriber.user.log(name), self._cursors[name]
        cached = log.recent.between(after, end) if log.recent is not None else None
        if cached is not None:
            return cached, True
        async with self._reading:
            found = await self._store.logs.read(log.log, after, end, PAGE_ENTRIES)
        return found.entries, len(found.entries) < PAGE_ENTRIES

    def _summary(self) -> Expired | None:
        """The summary of the entries that expired while the client was away; None without any."""
        if not self._expired:
            return None
        times = [each.accepted_at for each in self._expired]
        categories = Counter(each.category for each in self._expired)
        count, self._expired = len(self._expired), []
        return Expired(count, dict(categories), moment(min(times)), moment(max(times)))


def parts(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Entries in parts of about PART_BYTES, so that one write does not make the client a slow consumer."""
    part: list[Entry] = []
    size = 0
    for entry in entries:
        part.append(entry)
        size += len(entry.content)
        if size >= PART_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
