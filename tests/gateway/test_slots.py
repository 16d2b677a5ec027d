"""The slots for calls of upstreams: how tenants share them."""

import asyncio
from collections import Counter

import pytest

from tidings_workers.slots import Slots


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


class Calls:
    """Calls that take slots until they are ended."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.order: list[str] = []
        self.running: Counter[str] = Counter()
        self.tasks: list[asyncio.Task[None]] = []

    def start(self, tenant: str, count: int = 1) -> list[asyncio.Task[None]]:
        """Calls of a tenant, which begin when they get a slot."""
        started = [asyncio.create_task(self._run(tenant)) for _ in range(count)]
        self.tasks += started
        return started

    async def _run(self, tenant: str) -> None:
        await self.slots.acquire(tenant)
        self.order.append(tenant)
        self.running[tenant] += 1

    def end(self, tenant: str) -> None:
        """End one running call."""
        self.running[tenant] -= 1
        self.slots.release(tenant)


async def test_the_limit_of_a_tenant() -> None:
    """A tenant has at most its limit, and its calls get slots in their order."""
    calls = Calls(Slots(100, 3))
    tasks = calls.start("a", 5)
    await settle()
    assert [task.done() for task in tasks] == [True, True, True, False, False]
    calls.end("a")
    await settle()
    assert [task.done() for task in tasks] == [True, True, True, True, False]
    calls.end("a")
    await settle()
    assert tasks[4].done()


async def test_slots_are_left_for_others() -> None:
    """Tenants that keep all their slots leave one for each of many others."""
    calls = Calls(Slots(64, 64))
    for tenant in "abc":
        calls.start(tenant, 64)
    await settle()
    assert calls.running["a"] > calls.running["b"] > calls.running["c"] > 0
    others = [f"t{number}" for number in range(8)]
    for tenant in others:
        calls.start(tenant)
    await settle()
    assert all(calls.running[tenant] == 1 for tenant in others)
    assert sum(calls.running.values()) <= 64
    for task in calls.tasks:
        task.cancel()
    await asyncio.gather(*calls.tasks, return_exceptions=True)


async def test_tenants_take_turns() -> None:
    """When slots are free again, waiting tenants get one each before any gets a second one."""
    calls = Calls(Slots(1, 10))
    calls.start("a")
    await settle()
    calls.start("a", 3)
    calls.start("b", 2)
    calls.start("c")
    await settle()
    while len(calls.order) < 7:
        calls.end(calls.order[-1])
        await settle()
    assert calls.order == ["a", "a", "b", "c", "a", "b", "a"]


async def test_cancelled_calls() -> None:
    """A call that is cancelled while it waits takes no slot, and the next one gets its turn."""
    calls = Calls(Slots(1, 1))
    calls.start("a")
    await settle()
    first, second, third = calls.start("a", 3)
    await settle()
    first.cancel()
    # Before the cancelled task has run.
    calls.end("a")
    await settle()
    assert (first.cancelled(), second.done(), third.done()) == (True, True, False)
    third.cancel()
    with pytest.raises(asyncio.CancelledError):
        await third
    calls.end("a")
    (last,) = calls.start("b")
    await settle()
    assert last.done()


async def test_a_call_that_is_cancelled_with_its_slot() -> None:
    """A call that is cancelled in the moment when it gets a slot gives it back."""
    calls = Calls(Slots(1, 1))
    calls.start("a")
    await settle()
    (waiting,) = calls.start("a")
    await settle()
    calls.end("a")
    waiting.cancel()
    await settle()
    assert waiting.cancelled()
    (last,) = calls.start("b")
    await settle()
    assert last.done()
