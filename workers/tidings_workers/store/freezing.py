"""Moving the details of old states into the archive: those of a user in the logs of groups and of all."""

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec

from tidings_workers.archive import Archive, StateSegment
from tidings_workers.store.bases import parse_base
from tidings_workers.store.core import Core
from tidings_workers.store.frozen_states import freeze
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import Log
from tidings_workers.store.packing import Packed, pack, text
from tidings_workers.store.state import LogState

_state: Final = msgspec.json.Decoder(LogState).decode
_encode: Final = msgspec.json.Encoder().encode


class ReplaceStates(Packed, frozen=True):
    """The request of replace_states.lua: the base of a user's log, and states by the base of a log."""

    base: str
    states: list[tuple[str, str, str]]


async def freeze_states(core: Core, archive: Archive, user: Log) -> Mapping[str, int]:
    """Save a user's states below the floors of shared logs, then forget their details in Redis.

    It may be repeated: a position is in one segment only. Returns the floors, by the base of the log, up to
    which the archive has the states; a floor in Redis may be higher by then. Raises ArchiveError.
    """
    # Before the states are read: then those of a former epoch never seem to be of this one.
    now = milliseconds()
    found = await core.call("HGETALL", user.key("state"))
    states = {text(base): packed for base, packed in found.items() if text(base) != user.base}
    logs = [core.keys.of(base) for base in states]
    raw = await asyncio.gather(*(core.call("HGET", log.root, "floor") for log in logs))
    floors = {log.base: int(floor) for log, floor in zip(logs, raw, strict=True) if floor}
    if not floors:
        return {}
    name = parse_base(user.base).id
    # A former epoch has states at the same positions, of other entries.
    await archive.remove_states(user.tenant, name, await core.read_began())
    saved = await archive.latest_state(user.tenant, name, list(floors))
    new = {base: floor for base, floor in floors.items() if floor > saved.get(base, 0)}
    times = await _times(core, user, new)
    await archive.save_states(
        [
            StateSegment(
                tenant=user.tenant,
                user=name,
                log=base,
                after=saved.get(base, 0),
                up_to=floor,
                saved_at=now,
                state=freeze(_state(states[base]), times[base], saved.get(base, 0), floor),
            )
            for base, floor in new.items()
        ]
    )
    changes = []
    for base, floor in floors.items():
        state = _state(states[base])
        state.forget(floor)
        after = _encode(state)
        if after != states[base]:
            changes.append((base, text(states[base]), after.decode()))
    if changes:
        await core.run("replace_states", user.partition, pack(ReplaceStates(user.base, changes)))
    return floors


async def _times(core: Core, user: Log, floors: Mapping[str, int]) -> dict[str, dict[str, str]]:
    """The single times and used actions of each log, by the name of the field."""
    found = await asyncio.gather(*(core.call("HGETALL", user.key("times", base)) for base in floors))
    return {
        base: {text(name): text(value) for name, value in raw.items()}
        for base, raw in zip(floors, found, strict=True)
    }
