"""The registrations of open connections, beside the data of their users.

The call that attaches a connection registers it (attach.lua), and its gateway removes the registration after
the close. When the feed of a gateway has expired, the gateway has stopped: its registrations no longer count,
and the next reader or another gateway removes them.
"""

import asyncio
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tidings.protocol.closing import CloseCode
from tidings_workers.store.bases import parse_base
from tidings_workers.store.core import Core
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import GATEWAYS, Log, closings, index
from tidings_workers.store.packing import Packed, pack, text

KEPT_SECONDS: Final = 3600
"""Registrations of a silent gateway are kept this long, so that others can remove them."""
_PER_CALL: Final = 500

_ID: Final = re.compile(r"(.+)-([0-9a-f]{3})-[0-9a-f]{16}").fullmatch


class OpenConnection(NamedTuple):
    """One connection; `connected_at` is Unix ms."""

    id: str
    device: str | None
    connected_at: int
    gateway: str


class UserPresence(NamedTuple):
    """The open connections of a user, the oldest first, and when one last closed (ms), if any."""

    connections: list[OpenConnection]
    seen_at: int | None


class CloseRequest(NamedTuple):
    """A connection that its gateway is to close."""

    gateway: str
    id: str


def new_connection_id(gateway: str, partition: int) -> str:
    """An id that names the place of the registration: gateway, partition of the user, 64 random bits."""
    return f"{gateway}-{partition:03x}-{os.urandom(8).hex()}"


def place_of(connection: str) -> tuple[str, int] | None:
    """The gateway and the partition in the id of a connection; None when the text is not an id."""
    found = _ID(connection)
    return (found[1], int(found[2], 16)) if found else None


class CloseConnections(Packed, frozen=True):
    """The request of kick.lua: close these connections of a user, or all if there are no `ids`.

    `stopped`: gateways that have stopped, each followed by when it last renewed its feeds (ms).
    """

    base: str
    code: int
    ids: list[str]
    stopped: list[str | int]


class RemoveConnections(Packed, frozen=True):
    """The request of leave.lua; `rows` name a user's base and a connection each."""

    gateway: str
    at: int
    if_stopped: bool
    rows: list[tuple[str, str]]


class Connections:
    """The connections of all users."""

    def __init__(self, core: Core) -> None:
        self._core = core

    # For the API

    async def presence(self, tenant: str, user: str) -> UserPresence:
        """The presence of a user now. Removes registrations of gateways that have stopped."""
        log = self._core.keys.user(tenant, user)
        seen, found, lost = await self._connections(log)
        for row, at in lost:
            await self.remove(row.gateway, {row.id: log.base}, at=at, if_stopped=True)
            seen = max(seen, at)
        return UserPresence(found, seen or None)

    async def _connections(
        self, log: Log
    ) -> tuple[int, list[OpenConnection], list[tuple[OpenConnection, int]]]:
        """When the user was last seen; open connections; those of stopped gateways, with their ends."""
        raw_seen, raw_open, raw_lost = await self._core.run("presence", log.partition, log.base)
        lost = []
        for row in map(_connection, raw_lost):
            beat = await self._core.call("ZSCORE", GATEWAYS, row.gateway)
            lost.append((row, max(int(float(beat or 0)), row.connected_at)))
        found = sorted(map(_connection, raw_open), key=lambda row: (row.connected_at, row.id))
        return int(raw_seen), found, lost

    async def disconnect(self, tenant: str, user: str, code: CloseCode) -> list[CloseRequest]:
        """Close every connection of a user; none is registered when this returns. Idempotent."""
        return await self._close(self._core.keys.user(tenant, user), code, [])

    async def disconnect_one(self, tenant: str, connection: str, code: CloseCode) -> bool:
        """Close one connection; False when the tenant has none of this id."""
        place = place_of(connection)
        if place is None or place[1] >= self._core.partitions:
            return False
        gateway, partition = place
        raw = await self._core.call("HGET", index(partition, gateway), connection)
        if raw is None:
            return False
        base = text(raw)
        if parse_base(base).tenant != tenant:
            return False
        return bool(await self._close(self._core.keys.of(base), code, [connection]))

    async def _close(self, log: Log, code: CloseCode, ids: list[str]) -> list[CloseRequest]:
        # The script cannot read when a stopped gateway last renewed its feeds: that is in another slot.
        _, _, lost = await self._connections(log)
        stopped = [part for row, at in lost for part in (row.gateway, at)]
        request = CloseConnections(log.base, code.code, ids, stopped)
        rows = await self._core.run("kick", log.partition, pack(request))
        return [CloseRequest(text(gateway), text(connection)) for gateway, connection in rows]

    async def unclosed(self, connections: Iterable[CloseRequest]) -> list[CloseRequest]:
        """The connections that their gateways have not closed yet."""
        closed = list(connections)
        held = await asyncio.gather(
            *(self._core.call("HEXISTS", closings(_partition(row.id), row.gateway), row.id) for row in closed)
        )
        return [row for row, waiting in zip(closed, held, strict=True) if waiting]

    # For gateways

    async def remove(
        self, gateway: str, connections: Mapping[str, str], *, at: int = 0, if_stopped: bool = False
    ) -> None:
        """Remove registrations of a gateway (id -> user's base) that closed at `at` (ms; 0 is now).

        With `if_stopped` this does nothing while the gateway runs. Idempotent.
        """
        parts: dict[int, list[tuple[str, str]]] = {}
        for connection, base in connections.items():
            parts.setdefault(_partition(connection), []).append((base, connection))
        await asyncio.gather(
            *(
                self._core.run(
                    "leave",
                    partition,
                    pack(RemoveConnections(gateway, at, if_stopped, rows[start : start + _PER_CALL])),
                )
                for partition, rows in parts.items()
                for start in range(0, len(rows), _PER_CALL)
            )
        )

    async def counts(self, gateway: str) -> list[int]:
        """The number of a gateway's registrations in each partition. Keeps them for another hour."""
        call, partitions = self._core.call, range(self._core.partitions)
        lengths = await asyncio.gather(
            *(call("HLEN", index(partition, gateway)) for partition in partitions),
            *(call("PEXPIRE", index(partition, gateway), KEPT_SECONDS * 1000) for partition in partitions),
        )
        return lengths[: len(partitions)]

    async def registered(self, gateway: str, partition: int) -> tuple[dict[str, str], dict[str, int]]:
        """A gateway's registrations in a partition (id -> user's base), and those to close (id -> code)."""
        call = self._core.call
        registered, closing = await asyncio.gather(
            call("HGETALL", index(partition, gateway)), call("HGETALL", closings(partition, gateway))
        )
        return (
            {text(connection): text(base) for connection, base in _pairs(registered)},
            {text(connection): int(code) for connection, code in _pairs(closing)},
        )

    async def silent(self, seconds: float) -> dict[str, int]:
        """The gateways that renewed no feed for so long, each with its last renewal (ms)."""
        before = milliseconds() - int(seconds * 1000)
        rows = await self._core.call("ZRANGE", GATEWAYS, "-inf", before, "BYSCORE", "WITHSCORES")
        return {text(gateway): int(float(beat)) for gateway, beat in rows}

    async def remove_all(self, gateway: str, beat: int) -> None:
        """Remove every registration of a stopped gateway whose last renewal was at `beat` (ms)."""
        for partition in range(self._core.partitions):
            registered, _ = await self.registered(gateway, partition)
            await self.remove(gateway, registered, at=beat, if_stopped=True)
        await self._core.call("ZREM", GATEWAYS, gateway)


def _partition(connection: str) -> int:
    place = place_of(connection)
    return place[1] if place is not None else 0


def _connection(row: Sequence[Any]) -> OpenConnection:
    connection_id, device, connected_at, gateway = row
    return OpenConnection(text(connection_id), text(device) or None, int(connected_at), text(gateway))


def _pairs(raw: Any) -> Iterable[tuple[Any, Any]]:
    return raw.items() if isinstance(raw, dict) else zip(raw[::2], raw[1::2], strict=True)
