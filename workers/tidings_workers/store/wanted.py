"""The positions that a mark names: by ids, by the ends of logs, or all of a user's logs.

Notifications that are not the user's are left out and listed as unknown. Positions may reach past the ends of
the logs.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from tidings.protocol.frames import Mark
from tidings.protocol.notifications import Target
from tidings.protocol.rest import MarkInbox
from tidings_workers.store import intervals
from tidings_workers.store.core import Core
from tidings_workers.store.ids import milliseconds, partition_of_id
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log
from tidings_workers.store.packing import Packed, pack, text
from tidings_workers.store.targets import log_of
from tidings_workers.store.view import Share, View

_POSITIONS: Final = 10_000
# The status letters of a record whose one log has the notification.
_IN_A_LOG: Final = ("s", "x")

_target: Final = msgspec.json.Decoder(Target)


class FindPositions(Packed, frozen=True):
    """The request of positions.lua: the positions `after` < p <= `up_to` with this category."""

    base: str
    category: str
    after: int
    up_to: int
    limit: int


class Wanted(Struct):
    """The positions of a mark by base. `ids`: the id at each position, when the mark names ids."""

    positions: dict[str, Bounds]
    ids: dict[tuple[str, int], str]
    unknown: list[str]


async def locate(core: Core, tenant: str, user: str, ids: Sequence[str]) -> dict[str, tuple[Log, int]]:
    """The logs and positions of notifications that may be this user's. Memberships are checked later."""
    own = core.keys.user(tenant, user)
    names = list(dict.fromkeys(ids))
    parts: dict[int, list[str]] = {}
    for notification_id in names:
        partition = partition_of_id(notification_id)
        if partition is not None and partition < core.partitions:
            parts.setdefault(partition, []).append(notification_id)
    if not parts:
        return {}
    known = [notification_id for part in parts.values() for notification_id in part]
    copies, *answers = await asyncio.gather(
        core.call("ZMSCORE", own.key("copies"), *known),
        *(
            core.run("locate", partition, pack([[tenant, notification_id] for notification_id in part]))
            for partition, part in parts.items()
        ),
    )
    now = milliseconds()
    found: dict[str, tuple[Log, int]] = {}
    for notification_id, copy, row in zip(
        known, copies, (row for rows in answers for row in rows), strict=True
    ):
        if row is None or (row[3] and _ms(row[3]) <= now):
            continue
        status, position, to = text(row[0]), int(row[1]), _target.decode(row[2])
        if copy is not None:
            found[notification_id] = (own, int(float(copy)))
        elif status in _IN_A_LOG and position and user not in to.exclude:
            log = log_of(core.keys, tenant, to)
            if log is not None:
                found[notification_id] = (log, position)
    return found


def wanted_by(
    view: View, shares: Mapping[str, Share], mark: Mark | MarkInbox, located: Mapping[str, tuple[Log, int]]
) -> Wanted:
    """The positions of a mark. Ids that `locate` did not find are unknown.

    `up_to` and `all` skip archived notifications, unless the mark unarchives, and snoozed ones.
    """
    if mark.ids is not None:
        return by_ids(shares, mark.ids, located)
    unknown: list[str] = []
    if mark.up_to is not None:
        names = {share.log.name: share for share in shares.values()}
        positions = {
            names[name].log.base: intervals.below(names[name].visible, position)
            for name, position in mark.up_to.items()
            if name in names
        }
        unknown = [name for name in mark.up_to if name not in names]
    else:
        positions = {base: share.visible for base, share in shares.items()}
    if mark.state != "unarchived":
        for base, state in view.states.items():
            aside = state.put_aside()
            if aside and base in positions:
                positions[base] = intervals.minus(positions[base], aside)
    return Wanted(positions, {}, unknown)


def by_ids(shares: Mapping[str, Share], ids: Iterable[str], located: Mapping[str, tuple[Log, int]]) -> Wanted:
    """The positions of those of the ids that are in the user's shares."""
    positions: dict[str, list[int]] = {}
    names: dict[tuple[str, int], str] = {}
    unknown: list[str] = []
    for notification_id in dict.fromkeys(ids):
        log, position = located.get(notification_id, (None, 0))
        share = shares.get(log.base) if log is not None else None
        if share is not None and intervals.contains(share.visible, position):
            positions.setdefault(share.log.base, []).append(position)
            names[share.log.base, position] = notification_id
            continue
        unknown.append(notification_id)
    return Wanted({base: intervals.of(found) for base, found in positions.items()}, names, unknown)


async def retired_among(core: Core, log: Log, positions: Bounds) -> Bounds:
    """The retired positions of a log between the first and the last of these."""
    if not positions:
        return []
    span = positions[0] + 1, positions[-1]
    return intervals.of(map(int, await core.call("ZRANGE", log.key("retired"), *span, "BYSCORE")))


async def leave_out_retired(core: Core, wanted: Wanted) -> None:
    """Leave out the positions that the retention removed, because the archive keeps their state.

    Their ids are unknown.
    """
    logs = [core.keys.of(base) for base in wanted.positions]
    floors, retired = await asyncio.gather(
        asyncio.gather(*(core.call("HGET", log.root, "floor") for log in logs)),
        asyncio.gather(*(retired_among(core, log, wanted.positions[log.base]) for log in logs)),
    )
    for log, floor, positions in zip(logs, floors, retired, strict=True):
        live = intervals.above(wanted.positions[log.base], int(floor or 0))
        wanted.positions[log.base] = intervals.minus(live, positions)
    for (base, position), notification_id in list(wanted.ids.items()):
        if not intervals.contains(wanted.positions[base], position):
            del wanted.ids[base, position]
            wanted.unknown.append(notification_id)


async def narrow(core: Core, wanted: Wanted, shares: Mapping[str, Share], category: str) -> None:
    """Keep only the positions of a category."""

    async def of_log(base: str, bounds: Bounds) -> Bounds:
        found: list[int] = []
        for after, up_to in intervals.pairs(bounds):
            while True:
                request = FindPositions(base, category, after, up_to, _POSITIONS)
                part = await core.run("positions", shares[base].log.partition, pack(request))
                found += part
                if len(part) < _POSITIONS:
                    break
                after = part[-1]  # noqa: PLW2901 - the rest of the interval
        return intervals.of(found)

    narrowed = await asyncio.gather(*(of_log(*item) for item in wanted.positions.items()))
    wanted.positions = dict(zip(wanted.positions, narrowed, strict=True))


def _ms(moment: bytes) -> int:
    return round(datetime.fromisoformat(text(moment)).timestamp() * 1000)
