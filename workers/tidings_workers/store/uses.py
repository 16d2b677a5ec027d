"""The actions that a user used, as the store has them: `<ms> <id of the action>` for each position."""

from collections.abc import Sequence
from typing import NamedTuple

from tidings_workers.store.core import Core
from tidings_workers.store.keys import Log
from tidings_workers.store.packing import text
from tidings_workers.store.state import use_field


class Use(NamedTuple):
    """The action that a user used on a notification, and the time in Unix ms."""

    action: str
    at: int


def parse_use(raw: bytes) -> Use:
    """The use that a field of a user's times has."""
    at, action = raw.split(b" ", 1)
    return Use(text(action), int(at))


async def read_uses(core: Core, own: Log, base: str, positions: Sequence[int]) -> dict[int, Use]:
    """The actions that the user of `own` used at some of these positions of the log with this base."""
    if not positions:
        return {}
    raw = await core.call("HMGET", own.key("times", base), *map(use_field, positions))
    return {
        position: parse_use(value)
        for position, value in zip(positions, raw, strict=True)
        if value is not None
    }
