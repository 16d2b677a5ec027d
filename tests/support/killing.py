"""SIGKILL of parts of an installation under load."""

import asyncio
import os
import random
import secrets
import signal
from collections.abc import Sequence

from tests.support.stack import Part, Stack
from tests.support.traffic import Account, Reference, change_and_send, send_steadily
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

    `rest`: after the last kill, so many times as long as between two kills. The gateway also stops for
    moments, and the members of a group change all the time.
    """
    ended = asyncio.Event()
    async with asyncio.TaskGroup() as others:
        group = f"changing-{secrets.token_hex(4)}"
        others.create_task(change_and_send(client, reference, account, group, ended))
        others.create_task(stall(stack, "gateway", ended))
        async with asyncio.TaskGroup() as sending:
            sending.create_task(send_steadily(client, reference, account, rate=rate, seconds=seconds))
            for index, part in enumerate(kills):
                await account.reaches(round(rate * seconds * (index + 1) / (len(kills) + rest)))
                stack.kill(part)
        ended.set()


async def stall(stack: Stack, part: Part, ended: asyncio.Event) -> None:
    """Stop a part for moments, as a busy machine does. Then it reads many changes at once."""
    while not ended.is_set():
        pid = stack.pids().get(part)
        try:
            if pid is not None:
                os.kill(pid, signal.SIGSTOP)
                await asyncio.sleep(random.uniform(0.05, 0.3))
                os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass  # It was killed.
        await asyncio.sleep(0.2)


def random_kills(parts: Sequence[Part]) -> tuple[int, list[Part]]:
    """A seed, from CHAOS_SEED or at random and printed, and its series of CHAOS_ROUNDS kills."""
    seed = int(os.environ.get("CHAOS_SEED", str(random.randrange(10**6))))
    print(f"CHAOS_SEED={seed}")  # noqa: T201 - to repeat the run
    return seed, random.Random(seed).choices(parts, k=ROUNDS)
