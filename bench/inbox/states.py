"""Two ways to store which positions of a log a user has read: intervals, and bitmaps.

Both store `seen` and `read` in Valkey and answer the same questions. The server uses intervals:
its own core, one field, read and written whole. Bitmaps are one string per kind and one bit per
position, and get every advantage: no round trip to read before a write, no version, no journal, no
times, no receipts, and a log without holes, which bits alone could not count around.
"""

import asyncio
import random
from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

import msgspec
import uvloop

from bench import server
from bench.inbox.calls import opened, timed
from bench.measurement import Bench, Measurement
from bench.server import Server
from bench.websocket import Unexpected
from tidings_workers.store import Store, intervals
from tidings_workers.store.counting import unsettled
from tidings_workers.store.entries import END, Facts
from tidings_workers.store.state import LogState, apply

_SEED: Final = 5
_AT: Final = 1_800_000_000_000
_SKIPPED: Final = 1 / 3  # of the positions of a user who reads the newest, but not all
_RECENT: Final = 0.02  # of the log: as far back as that user reads


class _States(Protocol):
    """One way of storing states, at one key."""

    name: str

    def places(self) -> Sequence[str]:
        """Where it is all kept."""

    async def mark(self, position: int) -> None:
        """Mark one position as read."""

    async def mark_all(self) -> None:
        """Mark all positions as read."""

    async def unread(self) -> int:
        """The number of unread positions."""

    async def load(self, positions: Sequence[int]) -> None:
        """Store that these positions were read, and remove all other states."""


class _Intervals:
    """As the server stores them: one JSON text of all intervals."""

    name = "intervals"

    def __init__(self, store: Store, key: str, head: int) -> None:
        self._call = store._core.call
        self._key = f"{{p0}}/{key}/intervals"
        self._head = head

    def places(self) -> Sequence[str]:
        return [self._key]

    async def _read(self) -> LogState:
        raw = await self._call("HGET", self._key, "log")
        return msgspec.json.decode(raw, type=LogState) if raw else LogState()

    async def _apply(self, positions: intervals.Bounds) -> None:
        state = await self._read()
        apply(state, "read", positions, _AT)
        await self._call("HSET", self._key, "log", msgspec.json.encode(state))

    async def mark(self, position: int) -> None:
        await self._apply([position - 1, position])

    async def mark_all(self) -> None:
        await self._apply([0, self._head])

    async def unread(self) -> int:
        state = await self._read()
        return Facts(self._head, 0, []).present(unsettled([0, END], state, "read"))

    async def load(self, positions: Sequence[int]) -> None:
        bounds = intervals.of(positions)
        state = LogState(seen=bounds, read=bounds, ever_seen=bounds, ever_read=bounds)
        await self._call("HSET", self._key, "log", msgspec.json.encode(state))


class _Bitmaps:
    """With SETBIT: one string per kind, one bit per position."""

    name = "bitmaps"

    def __init__(self, store: Store, key: str, head: int) -> None:
        self._call = store._core.call
        self._keys = [f"{{p0}}/{key}/{kind}" for kind in ("seen", "read")]
        self._head = head

    def places(self) -> Sequence[str]:
        return self._keys

    async def mark(self, position: int) -> None:
        await asyncio.gather(*(self._call("SETBIT", key, position - 1, 1) for key in self._keys))

    async def mark_all(self) -> None:
        ones = b"\xff" * (self._head // 8)
        await asyncio.gather(*(self._call("SETRANGE", key, 0, ones) for key in self._keys))

    async def unread(self) -> int:
        return self._head - int(await self._call("BITCOUNT", self._keys[1]))

    async def load(self, positions: Sequence[int]) -> None:
        await self._call("DEL", *self._keys)
        bits = bytearray((max(positions, default=0) + 7) // 8)
        for position in positions:
            bits[(position - 1) // 8] |= 0x80 >> (position - 1) % 8
        if bits:
            await asyncio.gather(*(self._call("SET", key, bytes(bits)) for key in self._keys))


def states(bench: Bench) -> Sequence[Measurement]:
    """Both ways, for users with different habits, call by call in turn."""
    with server.running(bench.cores) as running:
        return uvloop.run(_measure(bench, running))


def _users(head: int, far: int) -> dict[str, tuple[int, Sequence[int]]]:
    """Per user the length of the log, and the read positions."""
    chance = random.Random(_SEED)
    recent = range(head - int(head * _RECENT) + 1, head + 1)
    return {
        "a user who has read nothing": (head, []),
        "a user who reads the newest with gaps": (head, [at for at in recent if chance.random() > _SKIPPED]),
        "a user who reads every second": (head, range(2, head + 1, 2)),
        "a user who reads one far up": (far, [far]),
    }


async def _measure(bench: Bench, running: Server) -> list[Measurement]:
    scale = bench.scale
    measured: list[Measurement] = []
    async with opened(running) as store:
        for number, (user, (head, positions)) in enumerate(
            _users(scale.positions, scale.far_position).items()
        ):
            ways: list[_States] = [way(store, f"b/{number}", head) for way in (_Intervals, _Bitmaps)]
            for way in ways:
                await way.load(positions)
            for way in ways:
                measured += await _way(store, running, way, user, head, positions, scale.calls)
    return measured


async def _way(
    store: Store, running: Server, way: _States, user: str, head: int, positions: Sequence[int], calls: int
) -> list[Measurement]:
    def name(what: str) -> str:
        return f"{way.name}: {what}, {user}"

    call = store._core.call
    used = sum([int(await call("MEMORY", "USAGE", key, "SAMPLES", 0) or 0) for key in way.places()])
    if await way.unread() != head - len(positions):
        raise Unexpected(f"{way.name} count {await way.unread()} unread of {user}")
    unread = await timed(name("unread"), running, [way.unread] * calls)
    read = set(positions)
    # Every second one of the newest unread positions: the marks of a user who reads only some.
    fresh = [at for at in range(head, max(head - 8 * calls, 0), -1) if at not in read][: 2 * calls : 2]
    one = await timed(name("mark one"), running, [partial(way.mark, at) for at in fresh])
    everything = await timed(
        name("mark all"), running, [way.mark_all] * calls, prepare=partial(way.load, positions)
    )
    return [one, everything, unread, Measurement(name("memory"), used, "bytes")]
