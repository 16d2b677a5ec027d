"""Shares a bounded number of calls among tenants. Pure, but for the futures that wait."""

import asyncio
from collections import Counter, deque
from typing import Final

CALLS_PER_TENANT: Final = 64
CALLS: Final = 512


class Slots:
    """The calls in progress, by tenant.

    A tenant has at most `CALLS_PER_TENANT`, and at most half of the free slots and one. So tenants with slow
    calls leave slots for the others.
    """

    def __init__(self, total: int = CALLS, per_tenant: int = CALLS_PER_TENANT) -> None:
        self._free = total
        self._per_tenant = per_tenant
        self._running: Counter[str] = Counter()
        # A tenant without waiting calls has no entry.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def acquire(self, tenant: str) -> None:
        """Take a slot, after the earlier calls of the tenant."""
        if tenant not in self._waiting and self._may_start(tenant):
            self._start(tenant)
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(tenant)
            else:
                self._forget(tenant, turn)
            raise

    def release(self, tenant: str) -> None:
        """Give a slot back."""
        self._free += 1
        self._running[tenant] -= 1
        if not self._running[tenant]:
            del self._running[tenant]
        self._start_waiting()

    def _start_waiting(self) -> None:
        # Each tenant in turn gets one slot. Those that got one wait behind the others.
        for tenant in list(self._waiting):
            if not self._free:
                return
            if self._may_start(tenant):
                turn = self._next(tenant)
                if turn is not None:
                    self._start(tenant)
                    turn.set_result(None)

    def _next(self, tenant: str) -> asyncio.Future[None] | None:
        """The next turn of a tenant that is not cancelled; the tenant moves to the end."""
        turns = self._waiting.pop(tenant)
        turn = None
        while turns and (turn is None or turn.done()):
            turn = turns.popleft()
        if turns:
            self._waiting[tenant] = turns
        return turn if turn is not None and not turn.done() else None

    def _may_start(self, tenant: str) -> bool:
        return self._free > 0 and self._running[tenant] < min(self._per_tenant, 1 + self._free // 2)

    def _start(self, tenant: str) -> None:
        self._free -= 1
        self._running[tenant] += 1

    def _forget(self, tenant: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(tenant)
        if turns is None or turn not in turns:
            return
        turns.remove(turn)
        if not turns:
            del self._waiting[tenant]
