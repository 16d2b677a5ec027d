"""Who is connected: every open connection in its user's slot, correct also after a gateway was killed.

A connection is registered by the call that attaches it (attach.lua) and taken out when it ends. One whose
gateway has died, which shows by its feed, counts no longer; whoever meets it takes it out.
"""

import asyncio
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec import Struct

from tidings.protocol.closing import CloseCode
from tidings_workers.store.core import Core
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import GATEWAYS, Log, closings, index, parse_base
from tidings_workers.store.packing import pack, text

KEPT_SECONDS: Final = 3600
"""How long what a gateway left behind is kept for others to take it out."""
_PER_CALL: Final = 500

_ID: Final = re.compile(r"(.+)-([0-9a-f]{3})-[0-9a-f]{16}").fullmatch


class OpenConnection(NamedTuple):
    """One connection; `connected_at` is ms since the epoch."""

    id: str
    device: str | None
    connected_at: int
    gateway: str


class UserPresence(NamedTuple):
    """The open connections of a user, oldest first, and when the last one ended (ms) if any ever did."""

    connections: list[OpenConnection]
    seen_at: int | None


class Closed(NamedTuple):
    """A connection that its gateway was told to close."""

    gateway: str
    id: str


def new_connection_id(gateway: str, partition: int) -> str:
    """An id that says where its connection is registered: gateway, partition of its user, random."""
    return f"{gateway}-{partition:03x}-{secrets.token_hex(8)}"


def place_of(connection: str) -> tuple[str, int] | None:
    """The gateway and the partition of a connection's id; None when the text is none of ours."""
    found = _ID(connection)
    return (found[1], int(found[2], 16)) if found else None


class CloseConnections(Struct, array_like=True, frozen=True):
    """The request of kick.lua: close these connections of a user, or all if there are no `ids`.

    `stopped`: gateways that have stopped, each followed by when it last renewed its feeds (ms).
    """

    base: str
    code: int
    ids: list[str]
    stopped: list[str | int]


class RemoveConnections(Struct, array_like=True, frozen=True):
    """The request of leave.lua; `rows` name a user's base and a connection each."""

    gateway: str
    at: int
    if_stopped: bool
    rows: list[tuple[str, str]]


class Sessions:
    """The connections of all users."""

    def __init__(self, core: Core) -> None:
        self._core = core

    # What the API asks

    async def presence(self, tenant: str, user: str) -> UserPresence:
        """Who is there now. Takes out what dead gateways left behind."""
        log = self._core.keys.user(tenant, user)
        seen, found, lost = await self._connections(log)
        for row, at in lost:
            await self.leave(row.gateway, {row.id: log.base}, at=at, if_dead=True)
            seen = max(seen, at)
        return UserPresence(found, seen or None)

    async def _connections(
        self, log: Log
    ) -> tuple[int, list[OpenConnection], list[tuple[OpenConnection, int]]]:
        """When the user was seen, what is open, and what dead gateways left, each with when it ended."""
        raw_seen, raw_open, raw_lost = await self._core.run("presence", log.partition, log.base)
        lost = []
        for row in map(_connection, raw_lost):
            beat = await self._core.connection.call("ZSCORE", GATEWAYS, row.gateway)
            lost.append((row, max(int(float(beat or 0)), row.connected_at)))
        found = sorted(map(_connection, raw_open), key=lambda row: (row.connected_at, row.id))
        return int(raw_seen), found, lost

    async def disconnect(self, tenant: str, user: str, code: CloseCode) -> list[Closed]:
        """Close every connection of a user: nobody is there when this returns; idempotent."""
        return await self._kick(self._core.keys.user(tenant, user), code, [])

    async def disconnect_one(self, tenant: str, connection: str, code: CloseCode) -> bool:
        """Close one connection; False when the tenant has none of this id."""
        place = place_of(connection)
        if place is None or place[1] >= self._core.partitions:
            return False
        gateway, partition = place
        raw = await self._core.connection.call("HGET", index(partition, gateway), connection)
        if raw is None:
            return False
        base = text(raw)
        if parse_base(base).tenant != tenant:
            return False
        return bool(await self._kick(self._core.keys.of(base), code, [connection]))

    async def _kick(self, log: Log, code: CloseCode, ids: list[str]) -> list[Closed]:
        # Only here, not in the user's slot, is it known when a dead gateway was last heard of.
        _, _, lost = await self._connections(log)
        stopped = [part for row, at in lost for part in (row.gateway, at)]
        request = CloseConnections(log.base, code.code, ids, stopped)
        rows = await self._core.run("kick", log.partition, pack(request))
        return [Closed(text(gateway), text(connection)) for gateway, connection in rows]

    async def unclosed(self, connections: Iterable[Closed]) -> list[Closed]:
        """Those of some connections that their gateways have not closed yet."""
        closed = list(connections)
        held = await asyncio.gather(
            *(
                self._core.connection.call("HEXISTS", closings(_partition(row.id), row.gateway), row.id)
                for row in closed
            )
        )
        return [row for row, waiting in zip(closed, held, strict=True) if waiting]

    # What gateways ask

    async def leave(
        self, gateway: str, connections: Mapping[str, str], *, at: int = 0, if_dead: bool = False
    ) -> None:
        """Connections of a gateway (id -> user's base) have ended at `at` (ms), or just now.

        With `if_dead` nothing happens while the gateway lives. Idempotent.
        """
        parts: dict[int, list[tuple[str, str]]] = {}
        for connection, base in connections.items():
            parts.setdefault(_partition(connection), []).append((base, connection))
        await asyncio.gather(
            *(
                self._core.run(
                    "leave",
                    partition,
                    pack(RemoveConnections(gateway, at, if_dead, rows[start : start + _PER_CALL])),
                )
                for partition, rows in parts.items()
                for start in range(0, len(rows), _PER_CALL)
            )
        )

    async def counts(self, gateway: str) -> list[int]:
        """How many connections of a gateway are registered in each partition; keeps them for an hour."""
        call, partitions = self._core.connection.call, range(self._core.partitions)
        lengths = await asyncio.gather(
            *(call("HLEN", index(partition, gateway)) for partition in partitions),
            *(call("PEXPIRE", index(partition, gateway), KEPT_SECONDS * 1000) for partition in partitions),
        )
        return lengths[: len(partitions)]

    async def registered(self, gateway: str, partition: int) -> tuple[dict[str, str], dict[str, int]]:
        """A gateway's connections in a partition (id -> user's base), and those to close (id -> code)."""
        call = self._core.connection.call
        there, closing = await asyncio.gather(
            call("HGETALL", index(partition, gateway)), call("HGETALL", closings(partition, gateway))
        )
        return (
            {text(connection): text(base) for connection, base in _pairs(there)},
            {text(connection): int(code) for connection, code in _pairs(closing)},
        )

    async def dead(self, silent_seconds: float) -> dict[str, int]:
        """Gateways that have not been heard of for so long, and when they last were (ms)."""
        before = milliseconds() - int(silent_seconds * 1000)
        rows = await self._core.connection.call("ZRANGE", GATEWAYS, "-inf", before, "BYSCORE", "WITHSCORES")
        return {text(gateway): int(float(beat)) for gateway, beat in rows}

    async def clear(self, gateway: str, beat: int) -> None:
        """Take out every connection that a dead gateway, last heard of at `beat` (ms), left behind."""
        for partition in range(self._core.partitions):
            there, _ = await self.registered(gateway, partition)
            await self.leave(gateway, there, at=beat, if_dead=True)
        await self._core.connection.call("ZREM", GATEWAYS, gateway)


def _partition(connection: str) -> int:
    place = place_of(connection)
    return place[1] if place is not None else 0


def _connection(row: Sequence[Any]) -> OpenConnection:
    identity, device, connected_at, gateway = row
    return OpenConnection(text(identity), text(device) or None, int(connected_at), text(gateway))


def _pairs(raw: Any) -> Iterable[tuple[Any, Any]]:
    return raw.items() if isinstance(raw, dict) else zip(raw[::2], raw[1::2], strict=True)
