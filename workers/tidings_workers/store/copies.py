"""The copies of compound notifications in users' own logs, by position."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from tidings_workers.store.core import Core
from tidings_workers.store.keys import Log
from tidings_workers.store.operations import ACTION
from tidings_workers.store.packing import text

_KINDS: Final = ("delivered", "seen", "read")


class Copies:
    """Finds the notification of a copy, for its receipts."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def between(self, log: Log, after: int, up_to: int, kind: str) -> list[str]:
        """The compound notifications with a copy at `after` < position <= `up_to` of a user's own log.

        A removed copy is included when it had reached `kind` (delivered, seen, read, or `action:` and the id
        of an action) before, as the user's receipts have it.
        """
        call = self._core.call
        # Read `copies` before `parted`: a copy that is removed between the two reads is then in `parted`.
        present, parted = await asyncio.gather(
            call("ZRANGE", log.key("copies"), f"({after}", up_to, "BYSCORE"),
            call("ZRANGE", log.key("parted"), f"({after}", up_to, "BYSCORE"),
        )
        ended = await call("HMGET", log.key("ended"), *parted) if parted else []
        found = [
            *present,
            *(
                id_
                for id_, row in zip(parted, ended, strict=True)
                if row and _has_reached(msgspec.json.decode(row), kind)
            ),
        ]
        return list(dict.fromkeys(map(text, found)))

    async def next_after(self, log: Log, after: int) -> int | None:
        """The first position after this one that has or had a copy; None when there is none."""
        call = self._core.call
        raw = await asyncio.gather(
            *(
                call("ZRANGE", key, f"({after}", "+inf", "BYSCORE", "LIMIT", 0, 1, "WITHSCORES")
                for key in (log.key("copies"), log.key("parted"))
            )
        )
        return min((int(float(row[0][1])) for row in raw if row), default=None)


def _has_reached(receipts: Sequence[Any], kind: str) -> bool:
    if kind.startswith(ACTION):
        return receipts[len(_KINDS) : len(_KINDS) + 1] == [kind.removeprefix(ACTION)]
    return bool(receipts[_KINDS.index(kind)])
