"""SIGKILL of parts of an installation under load."""

import asyncio
import os
import random
from collections.abc import Sequence

from tests.support.stack import Part, Stack
from tests.support.traffic import Account, Reference, send_steadily
from tidings import AsyncTidings

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "0"))


async def send_and_kill(
    stack: Stack,
    client: AsyncTidings,
    reference: Reference,
    account: Account,
    kills: Sequence[Part],
    *,
    rate: float,
    seconds: float,
    rest: int = 1,
) -> None:
    """Send at a steady rate, and kill these parts one after another, evenly spread over the sends.

    `rest`: after the last kill, so many times as long as between two kills.
    """
    async with asyncio.TaskGroup() as group:
        group.create_task(send_steadily(client, reference, account, rate=rate, seconds=seconds))
        for index, part in enumerate(kills):
            await account.reaches(round(rate * seconds * (index + 1) / (len(kills) + rest)))
            stack.kill(part)


def random_kills(parts: Sequence[Part]) -> tuple[int, list[Part]]:
    """A seed, from CHAOS_SEED or at random and printed, and its series of CHAOS_ROUNDS kills."""
    seed = int(os.environ.get("CHAOS_SEED", str(random.randrange(10**6))))
    print(f"CHAOS_SEED={seed}")  # noqa: T201 - to repeat the run
    return seed, random.Random(seed).choices(parts, k=ROUNDS)
