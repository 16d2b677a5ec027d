"""The state of webhook endpoints: positions, deliveries with their attempts, and replays.

All of an endpoint is in one partition. Its settings are in the record of its tenant (`registry`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, get_args

import msgspec
from msgspec import Struct

from tidings_workers.store.core import Core
from tidings_workers.store.keys import (
    partition_of,
    webhook_deliveries,
    webhook_failed,
    webhook_pending,
    webhook_succeeded,
)
from tidings_workers.store.packing import Packed, pack, text
from tidings_workers.store.paging import Page, page_of, read_cursor

Status = Literal["pending", "succeeded", "failed"]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)

_LISTS: Final = {"pending": webhook_pending, "succeeded": webhook_succeeded, "failed": webhook_failed}

# Deliveries that have ended, of each status, and how long they are kept.
KEPT: Final = 500
KEPT_MS: Final = 7 * 24 * 3600 * 1000
# The attempts of a delivery that are kept: the automatic ones and the last that somebody asked for.
ATTEMPTS: Final = 20


class Attempt(Struct, array_like=True, frozen=True):
    """One request. `at` is Unix ms; `status` is 0 without an answer, and `error` empty after a success."""

    at: int
    seconds: float
    status: int
    error: str


class Delivery(Struct, array_like=True, frozen=True):
    """An event for an endpoint. `at` is the time of the event, `tries` how often it was sent."""

    type: str
    at: int
    user: str
    tries: int = 0
    attempts: list[Attempt] = []


class Replay(Struct, array_like=True, frozen=True):
    """Events between two times (Unix ms), up to the last numbers `ends`. `at` is None at its beginning."""

    since: int
    until: int
    ends: dict[int, int]
    at: dict[int, int] | None


class Due(NamedTuple):
    """A delivery whose time has come."""

    id: str
    delivery: Delivery
    body: bytes


class State(NamedTuple):
    """The state of an endpoint. `failing_since` and `next_due` are Unix ms, 0 for none.

    `due` is in the order of the events.
    """

    positions: dict[int, int]
    replay: Replay | None
    token: str
    failing_since: int
    pending: int
    next_due: int
    due: list[Due]


class Item(Packed, frozen=True):
    """An item of webhook_commit.lua."""

    id: str
    status: Status
    time: int
    delivery: str
    body: str


class Commit(Packed, frozen=True):
    """The request of webhook_commit.lua."""

    owner: str
    now: int
    positions: str
    replay: str
    token: str
    answers: int
    hasten: bool
    kept: int
    life: int
    items: Sequence[Item]


class Listed(NamedTuple):
    """A delivery in a list. `time` is that of the next try of a pending one, else of the last one."""

    id: str
    status: Status
    time: int
    delivery: Delivery


_decode_positions: Final = msgspec.json.Decoder(dict[int, int])
_decode_delivery: Final = msgspec.json.Decoder(Delivery)
_decode_replay: Final = msgspec.json.Decoder(Replay)


class Webhooks:
    """The endpoints of all tenants."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def partition(self, tenant: str, webhook: str) -> int:
        """The partition of an endpoint's state."""
        return partition_of(tenant, f"webhook/{webhook}", self._core.partitions)

    async def open(self, tenant: str, webhook: str, positions: Mapping[int, int]) -> None:
        """Create the state of an endpoint that gets the events after these positions."""
        await self._run("webhook_open", tenant, webhook, _text(dict(positions)))

    async def forget(self, tenant: str, webhook: str) -> None:
        """Remove the state of an endpoint; idempotent."""
        await self._run("webhook_forget", tenant, webhook)

    async def state(
        self, tenant: str, webhook: str, now: int, limit: int, *, probe: bool = False
    ) -> State | None:
        """The state of an endpoint, with up to `limit` deliveries that are due; None after its removal.

        With `probe` it has the next delivery, whatever its time.
        """
        fields, pending, first, rows = await self._run("webhook_due", tenant, webhook, now, limit, int(probe))
        found = {text(name): value for name, value in zip(fields[::2], fields[1::2], strict=True)}
        if not found:
            return None
        replay = found.get("replay")
        return State(
            positions=_decode_positions.decode(found["positions"]),
            replay=None if replay is None else _decode_replay.decode(replay),
            token=text(found.get("token", "")),
            failing_since=int(found.get("failing", 0)),
            pending=int(pending),
            next_due=int(float(text(first) or "0")),
            due=[
                Due(text(id_), _decode_delivery.decode(packed), body) for id_, packed, body in rows if packed
            ],
        )

    async def commit(
        self,
        tenant: str,
        webhook: str,
        now: int,
        items: Sequence[Item] = (),
        *,
        positions: Mapping[int, int] | None = None,
        replay: Replay | None = None,
        token: str = "",
        answers: int = 0,
        hasten: bool = False,
    ) -> bool:
        """Store outcomes and positions, durably. Returns False when the endpoint was removed.

        `token` names the replay that `replay` continues, or that has ended. `answers` is 1 after a success,
        -1 after a failure. With `hasten` all pending deliveries are due now.
        """
        request = Commit(
            _owner(tenant, webhook),
            now,
            "" if positions is None else _text(dict(positions)),
            "" if replay is None else _text(replay),
            token,
            answers,
            hasten,
            KEPT,
            KEPT_MS,
            items,
        )
        partition = self.partition(tenant, webhook)
        return bool(await self._core.run("webhook_commit", partition, pack(request), durable=True))

    async def known(self, tenant: str, webhook: str, ids: Sequence[str]) -> set[str]:
        """Those of the deliveries whose outcome is stored."""
        if not ids:
            return set()
        key = webhook_deliveries(self.partition(tenant, webhook), _owner(tenant, webhook))
        found = await self._core.call("HMGET", key, *ids)
        return {name for name, packed in zip(ids, found, strict=True) if packed is not None}

    async def retry(self, tenant: str, webhook: str, delivery: str, now: int) -> str:
        """Make a delivery due now. Returns `due`, `succeeded` when its body is not kept any more, or ''."""
        return text(await self._run("webhook_retry", tenant, webhook, delivery, now))

    async def replay(self, tenant: str, webhook: str, replay: Replay, token: str) -> bool:
        """Begin a replay, in place of another one. Returns False when there is no such endpoint."""
        return bool(await self._run("webhook_replay", tenant, webhook, _text(replay), token))

    async def page(
        self, tenant: str, webhook: str, status: Status | None, limit: int, cursor: bytes | None
    ) -> Page[Listed]:
        """Deliveries with a status, or all, the latest time first.

        The lists are short (`KEPT`, and the limit of pending ones), so they are read as a whole.
        """
        partition, owner = self.partition(tenant, webhook), _owner(tenant, webhook)
        statuses = STATUSES if status is None else (status,)
        lists = await asyncio.gather(
            *(
                self._core.call("ZRANGE", _LISTS[each](partition, owner), 0, -1, "WITHSCORES")
                for each in statuses
            )
        )
        rows = sorted(
            (-time, name, each)
            for each, found in zip(statuses, lists, strict=True)
            for name, time in _scored(found)
        )
        place = read_cursor(cursor)
        edges = [f"{-time:015d}/{name}" for time, name, _ in rows]
        start, end = 0, limit + 1
        if place is not None:
            at = next((i for i, edge in enumerate(edges) if _after(edge, place.edge)), len(edges))
            if place.forward:
                start, end = at, at + limit + 1
            else:
                before = sum(_after(place.edge, edge) for edge in edges)
                start, end = max(0, before - limit - 1), before
        picked, marks = rows[start:end], edges[start:end]
        if place is not None and not place.forward:
            picked, marks = picked[::-1], marks[::-1]
        packed = (
            await self._core.call(
                "HMGET", webhook_deliveries(partition, owner), *(name for _, name, _ in picked)
            )
            if picked
            else []
        )
        items = [
            Listed(name, each, -time, _decode_delivery.decode(raw) if raw else Delivery("", -time, ""))
            for (time, name, each), raw in zip(picked, packed, strict=True)
        ]
        return page_of(items, marks, place, limit)

    def _run(self, script: str, tenant: str, webhook: str, *arguments: Any) -> asyncio.Future[Any]:
        partition = self.partition(tenant, webhook)
        return self._core.run(script, partition, _owner(tenant, webhook), *arguments, durable=True)


def outcome(id_: str, status: Status, time: int, delivery: Delivery, body: bytes) -> Item:
    """An item of a commit. `time`: of the next try of a pending delivery, else of the last one."""
    kept = msgspec.structs.replace(delivery, attempts=delivery.attempts[-ATTEMPTS:])
    return Item(id_, status, time, _text(kept), "" if status == "succeeded" else body.decode())


def _text(value: Any) -> str:
    """A value as JSON: scripts read no bytes of msgpack."""
    return msgspec.json.encode(value).decode()


def _owner(tenant: str, webhook: str) -> str:
    return f"{tenant}/{webhook}"


def _after(edge: str, other: str) -> bool:
    """Whether an edge is behind another one in a list: earlier, or of the same time with a later id."""
    (time, name), (than, by) = (each.split("/", 1) for each in (edge, other))
    return (-int(time), name) > (-int(than), by)


def _scored(found: Any) -> list[tuple[str, int]]:
    """Members and scores of a reply, flat or in pairs."""
    if found and isinstance(found[0], (list, tuple)):
        return [(text(name), int(float(score))) for name, score in found]
    return [(text(name), int(float(score))) for name, score in zip(found[::2], found[1::2], strict=True)]
