"""Actions that users use on notifications: the first one that a user uses on a notification is kept.

It changes the user's state, as a mark does, and neither seen, nor read, nor archived.
"""

import secrets
from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from tidings_workers.store import intervals
from tidings_workers.store.changes import ActedAt, Change
from tidings_workers.store.core import Core
from tidings_workers.store.entries import Part
from tidings_workers.store.errors import ActionUsed, NotInInbox, UnknownAction
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import Log
from tidings_workers.store.logs import read
from tidings_workers.store.operations import ACTION
from tidings_workers.store.state import LogState, use_field
from tidings_workers.store.surveys import read_view
from tidings_workers.store.swaps import Swaps, SwapState
from tidings_workers.store.uses import Use, read_uses
from tidings_workers.store.wanted import locate

_encode: Final = msgspec.json.Encoder().encode


class _Action(Struct):
    id: str


class _Actions(Struct):
    actions: tuple[_Action, ...] = ()


_decode: Final = msgspec.json.Decoder(_Actions).decode


class ActResult(Struct, frozen=True):
    """The action that the user used. `change` is None when it had been used before.

    Otherwise `change` led to `state_version`.
    """

    used: Use
    state_version: int
    change: Change | None


class _Attempt(NamedTuple):
    """The use of an action, the same in every try. `token` identifies it in the journal."""

    tenant: str
    user: str
    own: Log
    id: str
    action: str
    log: Log
    position: int
    floor: int
    origin: str
    token: str


class Acting:
    """The actions that users use."""

    def __init__(self, core: Core, swaps: Swaps) -> None:
        self._core = core
        self._swaps = swaps

    async def act(
        self, tenant: str, user: str, notification_id: str, action: str, origin: str = ""
    ) -> ActResult:
        """Keep that the user used an action of a notification; atomic per user, idempotent.

        The gateways get `origin` with the change. Raises NotInInbox, UnknownAction, ActionUsed when the user
        has used another action of the notification, and StorageUnavailable.
        """
        core = self._core
        located = (await locate(core, tenant, user, [notification_id])).get(notification_id)
        if located is None:
            raise NotInInbox
        log, position = located
        (found,) = await read(core, log.partition, [Part(log.base, [position - 1, position], 1)])
        if not found.entries or not found.entries[0].visible_to(user, milliseconds()):
            raise NotInInbox
        known = tuple(each.id for each in _decode(found.entries[0].content).actions)
        own = core.keys.user(tenant, user)
        attempt = _Attempt(
            tenant,
            user,
            own,
            notification_id,
            action,
            log,
            position,
            found.floor,
            origin,
            secrets.token_hex(8),
        )
        return await self._swaps.retry(own, partial(self._try, attempt, known))

    async def _try(self, attempt: _Attempt, known: Sequence[str]) -> ActResult | None:
        """Add the action to the current state. Returns None when the state changed during the try."""
        core = self._core
        tenant, user, own, _, action, log, position, *_ = attempt
        view = await read_view(core, own)
        if core.archive is not None and not await self._is_live(log, position):
            raise NotInInbox
        share = view.shares(core.keys, tenant, user).get(log.base)
        if share is None or not intervals.contains(share.visible, position):
            raise NotInInbox
        if action not in known:
            raise UnknownAction(tuple(known))
        state = view.states.get(log.base) or LogState()
        if intervals.contains(state.acted, position):
            used = (await read_uses(core, own, log.base, [position])).get(position)
            if used is None:
                # The entry has just been removed.
                raise NotInInbox
            if used.action != action:
                raise ActionUsed(used.action, used.at)
            return ActResult(used, view.version, None)
        at = max(milliseconds(), view.marked_at + 1)
        change = Change("seen", at, {}, ids=(), acted=ActedAt(attempt.id, action, log.base, position))
        intervals.put(state.acted, [position - 1, position])
        if core.archive is None or log.is_own:
            state.forget(attempt.floor)
        changes = -1 if core.archive is None else view.changes
        request = _swap_state(attempt, view.version, at, state, change, changes)
        swapped = await self._swaps.swap(own, request)
        return ActResult(Use(action, at), swapped.version, change) if swapped is not None else None

    async def _is_live(self, log: Log, position: int) -> bool:
        """Whether the log still has an entry at this position."""
        (found,) = await read(self._core, log.partition, [Part(log.base, [position - 1, position], 1)])
        return bool(found.entries)

    async def used(self, tenant: str, user: str, base: str, positions: Sequence[int]) -> dict[int, Use]:
        """The actions that the user used at these positions of the log with this base."""
        return await read_uses(self._core, self._core.keys.user(tenant, user), base, positions)


def _swap_state(
    attempt: _Attempt, version: int, at: int, state: LogState, change: Change, changes: int
) -> SwapState:
    base, position = attempt.log.base, attempt.position
    return SwapState(
        base=attempt.own.base,
        tenant=attempt.tenant,
        user=attempt.user,
        version=version,
        token=attempt.token,
        at=at,
        states=[(base, _encode(state).decode())],
        times=[(base, [use_field(position), f"{at} {attempt.action}"])],
        dropped=[],
        firsts=[(base, f"{ACTION}{attempt.action}", [(position - 1, position)])],
        archived=[],
        change=_encode(change).decode(),
        origin=attempt.origin,
        changes=changes,
        snoozes=[],
    )
