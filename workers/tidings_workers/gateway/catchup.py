"""Bringing one connection from where it stands to the present, with backpressure.

While a connection catches up it is live on no topic; what comes meanwhile is read like the rest.
It goes live in one synchronous step, when it stands at the end of every log: so there is no
position that it could miss or get twice.
"""

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from tidings.protocol.frames import CaughtUp, Expired, Left, Stated
from tidings_workers import metrics
from tidings_workers.gateway.hub import Hub
from tidings_workers.gateway.states import stated
from tidings_workers.gateway.wire import moment, notification_frame, notification_head
from tidings_workers.store import Change
from tidings_workers.store.keys import milliseconds, milliseconds_of_id
from tidings_workers.store.logs import Ended, Entry, Part, ended, id_of, read

if TYPE_CHECKING:
    from tidings_workers.gateway.connection import Connection

PAGE_ENTRIES: Final = 100
PART_BYTES: Final = 64 * 1024
# Marks that are told one by one after a catch-up.
HELD: Final = 200


class CatchUp:
    """One connection's way to the present.

    `cursors`: per log, what the connection has been sent. `replay`: what is there now is marked as
    replayed and followed by `caught_up`, then by `states`. `departed`: logs whose end is to be told by
    `left`.
    """

    def __init__(
        self,
        hub: Hub,
        connection: "Connection",
        cursors: dict[str, int],
        departed: set[str],
        states: Sequence[Stated],
        reading: asyncio.Semaphore,
        *,
        replay: bool,
    ) -> None:
        self.cursors = cursors
        self.departed = departed
        self._hub = hub
        self._connection = connection
        self._replay = replay
        # Bounds how many read at once, so that those who catch up never starve the live ones.
        self._reading = reading
        self._states = states
        self._expired: list[Ended] = []
        # What was marked meanwhile; None when that was too much.
        self._held: list[tuple[int, Change]] | None = []
        # Up to here the counts of the welcome reach: it is sent in the same step.
        self._targets = {name: connection.user.end(name) for name in cursors}
        # The version of those counts; None while nothing can have changed since.
        self._version: int | None = None

    @property
    def reach(self) -> dict[str, int]:
        """Up to where counts for this connection hold each log."""
        return {name: max(self._targets.get(name, 0), cursor) for name, cursor in self.cursors.items()}

    def finish(self) -> bool:
        """Go live if there is nothing left to send; True when that was done."""
        connection = self._connection
        user = connection.user
        if any(cursor < user.end(name) for name, cursor in self.cursors.items()):
            if self._version is None:
                self._version = self._hub.counts(user).version
            return False
        self._tell_departures()
        if self._replay:
            self._caught_up(self.cursors)
        connection.go_live()
        if self._version is not None:
            self._tell_what_changed(self._version)
        return True

    def _tell_what_changed(self, version: int) -> None:
        """Tell of the marks that were held, and of counts that are not what the client has added up."""
        connection, user = self._connection, self._connection.user
        counts = self._hub.counts(user)
        if self._held is None:
            connection.send(Stated(counts=counts, state_version=user.state_version, changes=(), reload=True))
            return
        for number, change in self._held:
            connection.send(stated(change, number, counts))
        if counts.version != version and not self._held:
            # Of what was recalled or expired meanwhile it may have been told in part.
            connection.send(Stated(counts=counts, state_version=user.state_version, changes=()))

    def hold(self, version: int, change: Change) -> None:
        """Tell of a mark when the client has all that it may concern; of too many, that there were some."""
        if self._held is not None:
            self._held.append((version, change))
            if len(self._held) > HELD:
                self._held = None

    async def run(self) -> None:
        """Send what is missing, then go live."""
        connection = self._connection
        if self._replay:
            starts = dict(self.cursors)
            for name, target in self._targets.items():
                await self._send(name, target, replayed=True)
            await self._look_for_ended(starts)
            if connection.closed:
                return
            self._tell_departures()
            self._caught_up(self._targets)
        while not connection.closed and not self.finish():
            for name in list(self.cursors):
                await self._send(name, connection.user.end(name), replayed=False)

    def _caught_up(self, names: Iterable[str]) -> None:
        self._replay = False
        self._connection.send(CaughtUp({name: self.cursors[name] for name in names}, self._summary()))
        states, self._states = self._states, ()
        for frame in states:
            self._connection.send(frame)

    async def _look_for_ended(self, starts: dict[str, int]) -> None:
        """What ended by itself while the client was away is no longer in the logs, but noted there."""
        user, now = self._connection.user, milliseconds()
        for name, start in starts.items():
            holes = user.facts(name, now).holes
            passed = [start, self.cursors[name]]
            if bisect_right(holes, passed[0]) == bisect_right(holes, passed[1]):
                continue
            async with self._reading:
                found = await ended(self._hub.store.core, self._hub.log(user, name), passed)
            known = {each.position for each in self._expired if each.log == name}
            self._expired += [
                each for each in found if each.position not in known and user.may_see(name, each.position)
            ]

    def _tell_departures(self) -> None:
        for name in list(self.departed):
            end = self._connection.user.end(name)
            if self.cursors.get(name, 0) >= end:
                self.departed.discard(name)
                self._connection.send(Left(name, end))

    async def _send(self, name: str, target: int, *, replayed: bool) -> None:
        """Send one log up to a position, a page at a time, no faster than the socket takes it."""
        connection, head = self._connection, notification_head(name)
        for start, end in connection.user.spans(name, self.cursors[name], target):
            self.cursors[name] = max(self.cursors[name], start)
            while self.cursors[name] < end:
                entries, complete = await self._page(name, end)
                for part in _parts(entries):
                    await connection.writable()
                    if connection.closed:
                        return
                    self._write(name, head, part, replayed=replayed)
                    self.cursors[name] = part[-1].position
                if complete:
                    self.cursors[name] = end
        self.cursors[name] = max(self.cursors[name], target)

    def _write(self, name: str, head: bytes, entries: Sequence[Entry], *, replayed: bool) -> None:
        user, now = self._connection.user.name, milliseconds()
        frames = []
        for entry in entries:
            if entry.visible_to(user, now):
                frames.append(notification_frame(head, entry.position, entry.content, replayed=replayed))
            elif replayed and user not in entry.exclude:
                accepted_at = milliseconds_of_id(id_of(entry.content))
                self._expired.append(Ended(name, entry.position, accepted_at, entry.category))
        if not replayed and self._version is not None:
            self._version += len(frames)
        if frames:
            self._connection.write(b"".join(frames))
            metrics.DELIVERED.inc(len(frames))

    async def _page(self, name: str, end: int) -> tuple[list[Entry], bool]:
        """The next entries of a log, and whether they reach its end. From memory where they are."""
        user = self._connection.user
        after = self.cursors[name]
        topic = user.followed(name)
        remembered = topic.recent(after, end) if topic is not None else None
        if remembered is not None:
            return remembered, True
        log = self._hub.log(user, name)
        part = Part(log.base, [after, end], PAGE_ENTRIES)
        async with self._reading:
            (found,) = await read(self._hub.store.core, log.partition, [part])
        return found.entries, len(found.entries) < PAGE_ENTRIES

    def _summary(self) -> Expired | None:
        """What ended by its own expiry while the client was away."""
        if not self._expired:
            return None
        times = [each.accepted_at for each in self._expired]
        categories = Counter(each.category for each in self._expired)
        count, self._expired = len(self._expired), []
        return Expired(count, dict(categories), moment(min(times)), moment(max(times)))


def _parts(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Entries in parts of no more than a write may hold without looking like a slow consumer's."""
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
