"""The whole at once: sends of every kind, many listeners, lost connections, lost answers.

The short form runs with all tests; `make acceptance` runs the full one: 10,000 notifications and
200 listeners.
"""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.support.listening import drop_at_random, listening
from tests.support.stack import Stack
from tests.support.traffic import (
    Account,
    Reference,
    Send,
    make_groups,
    out_of_order,
    settle,
    stubborn_client,
    wrong_inboxes,
    wrongs,
)
from tidings import AsyncTidings

FULL = "ACCEPTANCE" in os.environ
SENDS, LISTENERS = (10_000, 200) if FULL else (2_000, 60)
BATCH = 250
USERS = [f"user-{number}" for number in range(LISTENERS)]
GROUPS = {f"team-{number}": USERS[number::10] for number in range(10)}


async def send_batches(client: AsyncTidings, reference: Reference, account: Account) -> None:
    """Send batches, some of them twice under one key, and change members between them."""
    chance = random.Random(2)
    for start in range(0, SENDS, BATCH):
        batch = [reference.next() for _ in range(BATCH)]
        ids = await send_batch(client, batch, f"batch-{start}")
        if chance.random() < 0.3:
            # The same request again, as after a lost answer.
            assert await send_batch(client, batch, f"batch-{start}") == ids
        for send, identity in zip(batch, ids, strict=True):
            account.acknowledge(send, identity)
        await change_members(client, reference, chance)


async def send_batch(client: AsyncTidings, batch: Sequence[Send], key: str) -> list[str]:
    """The ids of a batch whose notifications were all accepted."""
    results = await client.send_batch([send.message for send in batch], idempotency_key=key)
    assert [result for result in results if not result.ok] == []
    return [result.id or "" for result in results]


async def change_members(client: AsyncTidings, reference: Reference, chance: random.Random) -> None:
    """One user leaves a group and one joins it; later sends follow the change."""
    group = chance.choice(sorted(reference.groups))
    members = reference.groups[group]
    leaving = chance.choice(sorted(members))
    joining = chance.choice(sorted(set(USERS) - members))
    await client.groups.remove(group, [leaving])
    await client.groups.add(group, [joining])
    reference.groups[group] = members - {leaving} | {joining}


@pytest.mark.timeout(300)
async def test_every_expected_copy_once_and_in_order(stack: Stack) -> None:
    """Each user gets exactly the expected copies, each once, in the order of sending."""
    reference, account = Reference(USERS, 1), Account()
    begun = time.monotonic()
    async with stubborn_client(stack) as client:
        await make_groups(client, reference, GROUPS)
        async with listening(stack, USERS) as listeners, asyncio.TaskGroup() as group:
            dropping = group.create_task(drop_at_random(listeners[: LISTENERS // 3], 0.02))
            await send_batches(client, reference, account)
            dropping.cancel()
            sent = time.monotonic()
            await settle(listeners, account)
        copies = sum(len(listener.arrivals) for listener in listeners)
        print(  # noqa: T201 - the figures of the run
            f"{SENDS} sends, {copies} copies to {LISTENERS} listeners, "
            f"{sum(listener.welcomes for listener in listeners) - LISTENERS} resumes: "
            f"sent in {sent - begun:.1f} s, the last arrived {time.monotonic() - sent:.2f} s later"
        )
        assert wrongs(listeners, account) == []
        assert out_of_order(listeners, account) == []
        assert Counter({listener.user: len(listener.arrivals) for listener in listeners}) == Counter(
            user for send in account.acknowledged.values() for user in send.audience
        )
        assert await wrong_inboxes(client, USERS, account) == []
    assert len(account.acknowledged) == SENDS
