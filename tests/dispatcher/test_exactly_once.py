"""A compound notification reaches each user once, also when dispatchers are killed or cancelled."""

import asyncio
import random
import signal
from collections.abc import Sequence

import pytest

from tests.support.dispatching import copies, dispatcher_process, waiting
from tests.support.sending import eventually, notification
from tidings_workers.config import Settings
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.dispatcher.expansion import Expansion
from tidings_workers.store import Store
from tidings_workers.store.operations import AppendCopies, ByPartition, Compound, Step, Work

# 20,000 members, 100 of them in both groups, 50 more named, 80 excluded.
FIRST = [f"m{number}" for number in range(12_000)]
SECOND = [f"m{number}" for number in range(11_900, 20_000)]
NAMED = [f"n{number}" for number in range(40)] + FIRST[:10]
EXCLUDED = FIRST[100:150] + SECOND[-20:] + NAMED[:10]
RECIPIENTS = len({*FIRST, *SECOND, *NAMED} - {*EXCLUDED})

on_both = pytest.mark.parametrize("settings", ["node", "cluster"], indirect=True)


async def send_large(store: Store) -> str:
    """Send the compound notification; its id."""
    await store.groups.change("demo", "first", FIRST, [])
    await store.groups.change("demo", "second", SECOND, [])
    sent = notification("x", users=NAMED, groups=["first", "second"], exclude=EXCLUDED)
    return (await store.sends.send("demo", [sent])).ids[0]


async def progress(store: Store, identity: str) -> int:
    """How many users' copies a dispatcher has recorded as done."""
    return await store.plans.progress(int(identity[-3:], 16), "demo", identity)


async def assert_one_copy_each(store: Store, identity: str) -> None:
    """Each recipient has one copy, excluded users have none, and no work is left."""

    async def status() -> tuple[str, int | None]:
        record = await store.sends.notification("demo", identity)
        assert record is not None
        return record.status, record.recipients

    await eventually(status, ("stored", RECIPIENTS))
    await eventually(lambda: waiting(store), 0)
    recipients = sorted({*FIRST, *SECOND, *NAMED} - {*EXCLUDED})
    assert set(await copies(store, recipients)) == {(1, 1)}
    assert set(await copies(store, EXCLUDED)) == {(0, 0)}
    assert len(await store.redis.keys("*/plan")) == 1


async def test_killed_in_the_middle(settings: Settings, store: Store) -> None:
    """Dispatchers killed while they write 20,000 copies leave each user with exactly one copy."""
    identity = ""
    for done in (1, 9_000):
        with dispatcher_process(settings) as process:
            identity = identity or await send_large(store)
            while await progress(store, identity) < done:
                pass
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert (await progress(store, identity)) < RECIPIENTS
    with dispatcher_process(settings):
        await assert_one_copy_each(store, identity)


async def test_cancelled_anywhere(store: Store) -> None:
    """Dispatchers cancelled at any await, two on the same partitions, write each copy exactly once."""
    identity = await send_large(store)
    chance = random.Random(20_000)
    for _ in range(8):
        running = [Dispatcher(store), Dispatcher(store)]
        await running[0].beat()
        for partition in range(store.partitions):
            # The second dispatcher works on partitions that it has not leased.
            running[1]._start(partition)
        await asyncio.sleep(chance.random() * 0.1)
        await asyncio.gather(*(dispatcher.close() for dispatcher in running))
    last = Dispatcher(store)
    await last.beat()
    await assert_one_copy_each(store, identity)
    await last.close()


@on_both
async def test_two_make_one_plan(store: Store) -> None:
    """Two dispatchers that plan one notification at once use the same plan, which names each user once."""
    sent = notification("x", users=["ana"], groups=["first"])
    await store.groups.change("demo", "first", FIRST, [])
    identity = (await store.sends.send("demo", [sent])).ids[0]
    partition = int(identity[-3:], 16)
    batch = [Work(1, [Compound("demo", identity)])]

    async def planned() -> list[list[tuple[int, list[str]]]]:
        return [
            sorted(
                (target, operation.bases)
                for target, operations in step.operations.items()
                for operation in operations
                if isinstance(operation, AppendCopies)
            )
            async for step in Expansion(store, partition).steps(batch)
        ]

    first, second, third = await asyncio.gather(planned(), planned(), planned())
    assert first == second == third
    assert sum(len(bases) for step in first for _, bases in step) == 12_001
    plan = f"{{p{partition}}}/n/demo/{identity}/plan"
    members = await store.redis.execute_command("LRANGE", plan, 0, -1)
    assert len(members) == len(set(members)) == 12_001


async def test_members_who_leave_during_a_read(store: Store) -> None:
    """A user who leaves a group while its members are read removes no other member from the result."""
    await store.groups.change("demo", "first", FIRST, [])
    log = store.keys.group("demo", "first")
    expansion = Expansion(store, log.partition)
    found: list[str] = []
    async for users in expansion._members(log.partition, f"{log.base}/members", 1_000):
        found += users
        await store.groups.change("demo", "first", [], found[:10])
    assert found == FIRST


def steps_of(users: Sequence[str], store: Store, chance: random.Random) -> list[Step]:
    """Steps like those of an expansion: each user's copies in several entries and steps."""
    steps = []
    for entry in range(1, 13):
        for number in range(1, chance.randint(2, 6)):
            operations: ByPartition = {}
            identity = f"{entry}.{number}"
            for user in chance.sample(users, 10):
                log = store.keys.user("demo", user)
                copies = AppendCopies([log.base], identity, f'{{"id":"{identity}"}}', 0, "")
                operations.setdefault(log.partition, []).append(copies)
            steps.append(Step(entry, number, operations))
    return steps


async def logs_of(users: Sequence[str], store: Store) -> list[list[bytes]]:
    """The contents of the users' logs, oldest first."""
    found = []
    for user in users:
        log = store.keys.user("demo", user)
        key = f"{{p{log.partition}}}/{log.base}/log"
        entries = await store.redis.execute_command("XRANGE", key, "-", "+")
        found.append([fields[b"n"] if isinstance(fields, dict) else fields[1] for _, fields in entries])
    return found


@on_both
@pytest.mark.parametrize("seed", range(3))
async def test_steps_applied_again(store: Store, seed: int) -> None:
    """Steps applied concurrently, in other batches and repeatedly have the effect of one application."""
    chance = random.Random(seed)
    users = [f"u{number}" for number in range(25)]
    steps = steps_of(users, store, chance)
    expected: dict[str, list[bytes]] = {store.keys.user("demo", user).base: [] for user in users}
    for step in steps:
        for operations in step.operations.values():
            for operation in operations:
                assert isinstance(operation, AppendCopies)
                expected[operation.bases[0]].append(operation.content.encode())

    async def carry_out(own: random.Random) -> None:
        # From the start, in batches of random size, and sometimes from the start again.
        reached = 0
        while reached < len(steps):
            size = own.randint(1, 8)
            await store.ingress.apply(3, steps[reached : reached + size])
            reached = 0 if own.random() < 0.1 else reached + size

    await asyncio.gather(*(carry_out(random.Random(f"{seed}/{number}")) for number in range(4)))
    await store.ingress.apply(3, steps)
    assert await logs_of(users, store) == list(expected.values())


async def test_recalled_in_the_middle(store: Store) -> None:
    """A notification recalled while its copies are written has no copies and stays recalled."""
    identity = await send_large(store)
    running = Dispatcher(store)
    await running.beat()
    while await progress(store, identity) < 1_000:
        pass
    assert await store.sends.recall("demo", identity)
    await eventually(lambda: waiting(store), 0)
    await running.close()
    record = await store.sends.notification("demo", identity)
    assert record is not None
    assert record.status == "recalled"
    assert {length for length, _ in await copies(store, [*FIRST, *SECOND])} == {0}
