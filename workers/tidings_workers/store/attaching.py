"""Attaching connections to users: those that arrive together share one call per partition.

A call of a script costs several times as much as its part for one connection. A call has the connections of
one tick of the event loop. While it runs, those that arrive wait for the next one.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Struct

from tidings.protocol import limits
from tidings.protocol.frames import Resume
from tidings_workers.store.core import Core
from tidings_workers.store.entries import Facts, facts_of
from tidings_workers.store.errors import StorageUnavailable
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import Log
from tidings_workers.store.packing import Packed, pack
from tidings_workers.store.view import View, view_of

# A script delays all other commands, so one call attaches at most this many connections.
_PER_CALL: Final = 50

_Place: TypeAlias = tuple[str, int]


class Arrival(NamedTuple):
    """A connection that opens. If the user then has more than `limit`, the oldest are closed with `code`.

    A `limit` of 0 means no limit. With a `code` of 0 the new connection is refused instead.
    """

    id: str
    limit: int
    code: int


class Attached(NamedTuple):
    """Data from a user's partition: the facts of the own log, the view, and the positions of the device.

    `admitted`: whether the new connection was registered.
    """

    facts: Facts
    view: View
    device: Resume | None
    admitted: bool


class UserToAttach(Packed, frozen=True):
    """An item of attach.lua: a user, and the connection to register, if there is one."""

    base: str
    device: str
    id: str
    limit: int
    code: int


class Attaching:
    """The connections that wait to be attached, by the place of the call: gateway and partition."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._waiting: dict[_Place, list[tuple[UserToAttach, asyncio.Future[Attached]]]] = {}
        self._running: set[_Place] = set()

    def attach(
        self, gateway: str, log: Log, device: str | None, arrival: Arrival | None
    ) -> asyncio.Future[Attached]:
        """See `Feeds.attach`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Attached] = loop.create_future()
        place = (gateway, log.partition)
        waiting = self._waiting.get(place)
        if waiting is None:
            waiting = self._waiting[place] = []
            if place not in self._running:
                loop.call_soon(self._call, place)
        waiting.append((UserToAttach(log.base, device or "", *(arrival or ("", 0, 0))), future))
        return future

    def _call(self, place: _Place) -> None:
        waiting = self._waiting.pop(place)
        rows, rest = waiting[:_PER_CALL], waiting[_PER_CALL:]
        if rest:
            self._waiting[place] = rest
        self._running.add(place)
        gateway, partition = place
        call = self._core.run("attach", partition, gateway, pack([item for item, _ in rows]))
        call.add_done_callback(partial(self._called, place, [future for _, future in rows]))

    def _called(
        self, place: _Place, futures: Sequence[asyncio.Future[Attached]], call: asyncio.Future[Any]
    ) -> None:
        self._running.discard(place)
        if place in self._waiting:
            self._call(place)
        _resolve(futures, call)


def _resolve(futures: Sequence[asyncio.Future[Attached]], call: asyncio.Future[Any]) -> None:
    """Give each future its part of the answer, or the error. A future that was cancelled needs nothing."""
    if call.cancelled():
        for future in futures:
            future.cancel()
        return
    error = call.exception()
    now = milliseconds()
    for index, future in enumerate(futures):
        if future.done():
            continue
        if error is None:
            facts, view, known, admitted = call.result()[index]
            future.set_result(
                Attached(facts_of(*facts), view_of(view), _resume_of(known, now), bool(admitted))
            )
        else:
            # An error object for each future: raising adds a traceback to it.
            reason = error.reason if isinstance(error, StorageUnavailable) else "other"
            own = StorageUnavailable(str(error), reason)
            own.__cause__ = error
            future.set_exception(own)


class _Device(Struct, array_like=True, frozen=True):
    used: int
    # Lua packs an empty table as an empty list.
    positions: dict[str, int] | list[int]
    epoch: str = ""


def _resume_of(packed: bytes | None, now: int) -> Resume | None:
    if packed is None:
        return None
    device = msgspec.msgpack.decode(packed, type=_Device)
    if device.used < now - limits.DEVICE_KEPT_SECONDS * 1000:
        return None
    return Resume(device.epoch, device.positions if isinstance(device.positions, dict) else {})
