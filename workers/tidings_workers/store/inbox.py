"""What one user sees: own log, the groups' logs while a member, and the all-log, newest first.

The logs are merged by time of acceptance (the ids carry it) and within a millisecond by their names,
each log staying in its own order. A cursor is a boundary through all logs - what is below it is
older, the rest newer - so pages stay put while new items arrive at the top.
"""

import asyncio
import heapq
import re
from collections import deque
from typing import Final

import msgspec
from msgspec import Struct

from tidings_workers.store.core import Core, pack, text
from tidings_workers.store.groups import read_memberships
from tidings_workers.store.keys import Log, milliseconds, milliseconds_of_id, tag
from tidings_workers.store.logs import END, Entry, Facts, Part, facts_of, read

_READ: Final = 100

Span = tuple[int, int]


class InboxItem(Struct, frozen=True):
    """One item: the log as the user names it, its position, and the notification's JSON."""

    log: str
    position: int
    content: bytes


class InboxPage(Struct, frozen=True):
    """A page, newest first, and where the user stands.

    `total` counts all visible items, `version` rises with every change of it, and `positions` are
    the ends of the user's logs at the moment of reading: what to give to `resume`.
    """

    items: list[InboxItem]
    next: bytes | None
    previous: bytes | None
    total: int
    version: int
    positions: dict[str, int]


class _Boundary(Struct, array_like=True, frozen=True):
    """Items below these positions are older, the others newer. Logs unknown to it: by `edge`."""

    forward: bool
    edge: str
    below: dict[str, int]


class _Category(Struct):
    category: str | None = None


class _Head(Struct):
    id: str


_id: Final = re.compile(rb'^\{"id":"([0-9a-f-]{36})"')
_category: Final = msgspec.json.Decoder(_Category)


def id_of(content: bytes) -> str:
    """The id of a notification's JSON; the server writes it first."""
    found = _id.match(content)
    return found[1].decode() if found else msgspec.json.decode(content, type=_Head).id


def category_of(content: bytes) -> str | None:
    """The category of a notification's JSON, None without one."""
    return _category.decode(content).category


class _Walk:
    """Walks through the visible spans of one log in one direction."""

    def __init__(self, log: Log, spans: list[Span], *, newest_first: bool, newer_than: str = "") -> None:
        self.log = log
        self.newer_than = newer_than
        self.newest_first = newest_first
        self.buffer: deque[Entry] = deque()
        self._spans = deque(sorted((span for span in spans if span[1] > span[0]), reverse=newest_first))

    @property
    def hungry(self) -> bool:
        return not self.buffer and bool(self._spans)

    async def refill(self, core: Core, count: int) -> None:
        after, up_to = self._spans[0]
        part = Part(self.log.base, after, up_to, count, self.newest_first)
        (found,) = await read(core, self.log.partition, [part])
        self.buffer.extend(found.entries)
        if len(found.entries) < count:
            self._spans.popleft()
        elif self.newest_first:
            self._spans[0] = (after, found.entries[-1].position - 1)
        else:
            self._spans[0] = (found.entries[-1].position, up_to)


class Inbox:
    """Pages of users' inboxes."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def inbox(
        self, tenant: str, user: str, limit: int, cursor: bytes | None = None, category: str | None = None
    ) -> InboxPage:
        """A page of what the user may see now; `category` narrows it."""
        logs, facts, spans, hidden = await self._survey(tenant, user)
        total = sum(facts[name].between(*span) for name in logs for span in spans[name])
        total -= self._hidden_count(logs, spans, facts, hidden)
        positions = {name: max((span[1] for span in spans[name]), default=0) for name in logs}
        version = sum(positions.values()) + sum(len(known.holes) for known in facts.values()) + len(hidden)

        boundary = msgspec.msgpack.decode(cursor, type=_Boundary) if cursor is not None else None
        forward = boundary is None or boundary.forward
        start = self._start(boundary, positions)
        edge = boundary.edge if boundary else ""
        walks = [
            _Walk(
                log,
                _clip(spans[name], start.get(name), forward=forward),
                newest_first=forward,
                # Where the boundary names the log it decides by position: a copy may have an older id
                # than what stands before it.
                newer_than="" if name in start else edge,
            )
            for name, log in sorted(logs.items())
            if name in start or not forward
        ]
        items = await self._merge(walks, user, limit, category)
        more = len(items) > limit
        if more:
            walk, entry = items.pop()
            walk.buffer.appendleft(entry)
        reached = dict(start)
        for walk, entry in items:
            reached[walk.log.name] = entry.position if forward else entry.position + 1
        rows = [InboxItem(walk.log.name, entry.position, entry.content) for walk, entry in items]
        last = id_of(rows[-1].content) if rows else edge
        if forward:
            older = pack(_Boundary(forward=True, edge=last, below=reached)) if more else None
            newer = (
                pack(_Boundary(forward=False, edge=edge or last, below=start)) if boundary and rows else None
            )
        else:
            rows.reverse()
            older = pack(_Boundary(forward=True, edge=edge, below=start)) if rows else None
            newer = pack(_Boundary(forward=False, edge=last, below=reached)) if more else None
        return InboxPage(rows, older, newer, max(total, 0), version, positions)

    @staticmethod
    def _start(boundary: _Boundary | None, positions: dict[str, int]) -> dict[str, int]:
        if boundary is None:
            return {name: position + 1 for name, position in positions.items()}
        return boundary.below

    async def _merge(
        self, walks: list[_Walk], user: str, limit: int, category: str | None
    ) -> list[tuple[_Walk, Entry]]:
        """Up to limit + 1 visible entries in order of acceptance."""
        now = milliseconds()
        sign = -1 if not walks or walks[0].newest_first else 1
        taken: list[tuple[_Walk, Entry]] = []
        heap: list[tuple[int, int]] = []
        waiting = list(range(len(walks)))
        while len(taken) <= limit:
            hungry = [walks[index] for index in waiting if walks[index].hungry]
            while hungry:
                await asyncio.gather(*(walk.refill(self._core, min(limit + 1, _READ)) for walk in hungry))
                hungry = [walk for walk in hungry if walk.hungry]
            for index in waiting:
                if walks[index].buffer:
                    heapq.heappush(heap, (sign * _time(walks[index].buffer[0]), -sign * index))
            if not heap:
                break
            _, index = heapq.heappop(heap)
            index = abs(index)
            walk = walks[index]
            entry = walk.buffer.popleft()
            waiting = [index]
            if not entry.visible_to(user, now) or id_of(entry.content) <= walk.newer_than:
                continue
            if category is None or category_of(entry.content) == category:
                taken.append((walk, entry))
        return taken

    @staticmethod
    def _hidden_count(
        logs: dict[str, Log], spans: dict[str, list[Span]], facts: dict[str, Facts], hidden: list[str]
    ) -> int:
        names = {log.base: name for name, log in logs.items()}
        count = 0
        for mark in hidden:
            base, last = mark.rsplit("/", 1)
            name, position = names.get(base), int(last)
            if name is not None and any(after < position <= up_to for after, up_to in spans[name]):
                # Nothing when it was recalled as well.
                count += facts[name].between(position - 1, position)
        return count

    async def _survey(
        self, tenant: str, user: str
    ) -> tuple[dict[str, Log], dict[str, Facts], dict[str, list[Span]], list[str]]:
        """The user's logs, their facts, what of them is visible, and the hidden marks."""
        keys, call = self._core.keys, self._core.connection.call
        own = keys.user(tenant, user)
        raw_groups, raw_hidden = await asyncio.gather(
            call("HGETALL", f"{tag(own.partition)}/{own.base}/groups"),
            call("ZRANGE", f"{tag(own.partition)}/{own.base}/hidden", 0, -1),
        )
        memberships = read_memberships(raw_groups)
        logs = {
            log.name: log for log in (own, keys.all(tenant), *(keys.group(tenant, g) for g in memberships))
        }
        found: dict[str, Facts] = dict(
            zip(logs, await asyncio.gather(*(self._facts(log) for log in logs.values())), strict=True)
        )
        spans: dict[str, list[Span]] = {
            name: [(found[name].floor, found[name].head)] for name in (own.name, "all")
        }
        for group, intervals in memberships.items():
            name = keys.group(tenant, group).name
            head, floor = found[name].head, found[name].floor
            spans[name] = [(max(after, floor), head if up_to < 0 else up_to) for after, up_to in intervals]
        return logs, found, spans, [text(mark) for mark in raw_hidden]

    async def _facts(self, log: Log) -> Facts:
        key = f"{tag(log.partition)}/{log.base}"
        call = self._core.connection.call
        facts, holes, expired = await asyncio.gather(
            call("HMGET", key, "head", "floor"),
            call("ZRANGE", f"{key}/holes", 0, -1),
            call("ZRANGE", f"{key}/expiring", "-inf", milliseconds(), "BYSCORE"),
        )
        return facts_of(facts[0], facts[1], [*holes, *expired])


def _clip(spans: list[Span], boundary: int | None, *, forward: bool) -> list[Span]:
    """The part of spans below the boundary (forward: older) or from it on."""
    if boundary is None:
        return spans
    if forward:
        return [(after, min(up_to, boundary - 1)) for after, up_to in spans]
    return [(max(after, boundary - 1), min(up_to, END)) for after, up_to in spans]


def _time(entry: Entry) -> int:
    # Not the whole id: within a millisecond only the order of the log counts.
    return milliseconds_of_id(id_of(entry.content))
