"""Carries out the marks of connections, and their uses of actions: in order, each answered with its `ref`.

A connection without marks in progress has no state here.
"""

from collections import deque
from typing import Final

from tidings.protocol.errors import FieldError
from tidings.protocol.frames import Act, Counts, ErrorFrame, Mark, Stated
from tidings.protocol.marks import faults
from tidings_workers.gateway.catchups import CatchUps
from tidings_workers.gateway.directory import Directory
from tidings_workers.gateway.held_changes import HeldChanges
from tidings_workers.gateway.interest import Spawn
from tidings_workers.gateway.states import acted, state_frame
from tidings_workers.gateway.users import Subscriber
from tidings_workers.refused_actions import refusal
from tidings_workers.store import (
    ActionUsed,
    ActResult,
    MarkResult,
    NotInInbox,
    StorageUnavailable,
    Store,
    UnknownAction,
)

# How many marks of one connection may wait for the store.
WAITING: Final = 500


class Marking:
    """The marks of one gateway's connections."""

    def __init__(
        self, store: Store, directory: Directory, catchups: CatchUps, held: HeldChanges, spawn: Spawn
    ) -> None:
        self._store = store
        self._directory = directory
        self._catchups = catchups
        self._held = held
        self._spawn = spawn
        self._waiting: dict[Subscriber, deque[Mark | Act]] = {}

    def add(self, subscriber: Subscriber, mark: Mark | Act) -> None:
        """Carry out a mark, or the use of an action, after the earlier ones of the connection."""
        wrong = faults(mark) if isinstance(mark, Mark) else ()
        waiting = self._waiting.get(subscriber)
        if wrong:
            subscriber.outlet.send(ErrorFrame("invalid_request", " ".join(map(_text, wrong)), mark.ref))
        elif waiting is None:
            self._waiting[subscriber] = deque([mark])
            self._spawn(self._work(subscriber))
        elif len(waiting) >= WAITING:
            subscriber.outlet.send(
                ErrorFrame("overloaded", "too many marks are waiting: mark several ids at once", mark.ref)
            )
        else:
            waiting.append(mark)

    async def _work(self, subscriber: Subscriber) -> None:
        waiting = self._waiting[subscriber]
        try:
            # Every received mark is carried out, also after the connection has closed.
            while waiting:
                mark = waiting.popleft()
                self._held.hold(subscriber)
                try:
                    if isinstance(mark, Mark):
                        await self._mark(subscriber, mark)
                    else:
                        await self._act(subscriber, mark)
                finally:
                    self._held.release(subscriber)
        finally:
            del self._waiting[subscriber]

    async def _mark(self, subscriber: Subscriber, mark: Mark) -> None:
        user, outlet = subscriber.user, subscriber.outlet
        try:
            result = await self._store.marks.mark(user.tenant, user.name, mark, subscriber.id)
            version, counts = await self._settle(subscriber, result)
        except StorageUnavailable:
            outlet.send(ErrorFrame("storage_unavailable", "the storage is unavailable: mark again", mark.ref))
            return
        if result.change is not None:
            outlet.send(state_frame(result.change, version, counts, mark.ref, result.unknown))
        else:
            frame = Stated(
                counts=counts, state_version=version, changes=(), unknown=result.unknown, ref=mark.ref
            )
            outlet.send(frame)

    async def _act(self, subscriber: Subscriber, act: Act) -> None:
        user, outlet = subscriber.user, subscriber.outlet
        try:
            result = await self._store.acting.act(user.tenant, user.name, act.id, act.action, subscriber.id)
            version, counts = await self._settle(subscriber, result)
        except StorageUnavailable:
            detail = "the storage is unavailable: use the action again"
            outlet.send(ErrorFrame("storage_unavailable", detail, act.ref))
        except (NotInInbox, UnknownAction, ActionUsed) as error:
            outlet.send(ErrorFrame(*refusal(error, act.id, act.action), act.ref))
        else:
            used = acted(act.id, result.used.action, result.used.at)
            outlet.send(Stated(counts=counts, state_version=version, changes=(), acted=used, ref=act.ref))

    async def _settle(self, subscriber: Subscriber, result: MarkResult | ActResult) -> tuple[int, Counts]:
        """Send the changes before the answer. Returns the state version and the counts of the answer."""
        user, version = subscriber.user, result.state_version
        if not subscriber.outlet.closed:
            await self._directory.wait_for_version(user, version)
        if result.change is None:
            # The answer reports no change, so it may follow later ones.
            self._held.flush(subscriber)
            return max(user.state_version, version), self._catchups.counts(subscriber)
        counts = self._held.settle(subscriber, version)
        return version, counts or self._catchups.counts(subscriber)


def _text(fault: FieldError) -> str:
    return fault.detail if fault.pointer == "#" else f"{fault.pointer}: {fault.detail}"
