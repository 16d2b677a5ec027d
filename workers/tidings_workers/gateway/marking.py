"""Marks that connections ask for: one after the other per connection, each answered with its `ref`.

Nothing of it belongs to a connection that marks nothing.
"""

from collections import deque
from typing import TYPE_CHECKING, Final

from tidings.protocol.errors import FieldError
from tidings.protocol.frames import ErrorFrame, Mark, Stated
from tidings.protocol.marks import faults
from tidings_workers.gateway.hub import Hub
from tidings_workers.gateway.interest import Spawn
from tidings_workers.gateway.states import stated
from tidings_workers.store import StorageUnavailable

if TYPE_CHECKING:
    from tidings_workers.gateway.connection import Connection

# Marks of one connection that may wait for the store.
WAITING: Final = 500


class Marking:
    """The marks of one gateway's connections."""

    def __init__(self, hub: Hub, spawn: Spawn) -> None:
        self._hub = hub
        self._spawn = spawn
        self._waiting: dict[Connection, deque[Mark]] = {}

    def add(self, connection: "Connection", mark: Mark) -> None:
        """Carry out a mark after those that the connection asked for before."""
        wrong = faults(mark)
        waiting = self._waiting.get(connection)
        if wrong:
            connection.send(ErrorFrame("invalid_request", " ".join(map(_text, wrong)), mark.ref))
        elif waiting is None:
            self._waiting[connection] = deque([mark])
            self._spawn(self._work(connection))
        elif len(waiting) >= WAITING:
            connection.send(
                ErrorFrame("overloaded", "too many marks are waiting: mark many at once", mark.ref)
            )
        else:
            waiting.append(mark)

    async def _work(self, connection: "Connection") -> None:
        waiting = self._waiting[connection]
        try:
            # What was asked for is done, also when the connection has closed meanwhile.
            while waiting:
                await self._mark(connection, waiting.popleft())
        finally:
            del self._waiting[connection]

    async def _mark(self, connection: "Connection", mark: Mark) -> None:
        hub, user = self._hub, connection.user
        try:
            result = await hub.store.mark(user.tenant, user.name, mark, connection.id)
            if result.change is not None and not connection.closed:
                # Its counts are then those that everybody is told with this version.
                await hub.directory.reach(user, result.state_version)
        except StorageUnavailable:
            connection.send(ErrorFrame("storage_unavailable", "the storage is away: mark again", mark.ref))
            return
        version, counts = max(user.state_version, result.state_version), hub.told(connection)
        if result.change is not None:
            connection.send(stated(result.change, version, counts, mark.ref, result.unknown))
        else:
            frame = Stated(
                counts=counts, state_version=version, changes=(), unknown=result.unknown, ref=mark.ref
            )
            connection.send(frame)


def _text(fault: FieldError) -> str:
    return fault.detail if fault.pointer == "#" else f"{fault.pointer}: {fault.detail}"
