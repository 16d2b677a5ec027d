"""Minutes of mixed load, with the memory of each process recorded: `make soak`."""

import asyncio
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.listening import drop_at_random, listening
from tests.support.stack import PARTS, Part, Stack
from tests.support.traffic import (
    Account,
    Reference,
    make_groups,
    send_steadily,
    settle,
    stubborn_client,
    wrong_inboxes,
    wrongs,
)

SECONDS = int(os.environ.get("SOAK_SECONDS", "0"))
RATE = 50
USERS = [f"user-{number}" for number in range(50)]
GROUPS = {"odd": USERS[1::2], "few": USERS[:3]}
# Caches fill in the first quarter; later a process must not grow. Valkey holds the data.
SETTLED = 0.25
GROWTH_MB = 15.0


class Sample(NamedTuple):
    """Resident megabytes of each part at one moment."""

    at: float
    megabytes: Mapping[Part, float]


def resident(pid: int) -> float:
    """Resident megabytes of a process."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


async def watch(stack: Stack, samples: list[Sample]) -> None:
    """Sample every few seconds, until cancelled."""
    while True:
        samples.append(Sample(time.monotonic(), {part: resident(pid) for part, pid in stack.pids().items()}))
        await asyncio.sleep(SECONDS / 40)


@pytest.mark.skipif(not SECONDS, reason="minutes long: make soak")
@pytest.mark.timeout(SECONDS + 120)
async def test_memory_does_not_grow(stack: Stack) -> None:
    """After the first quarter no part of ours grows, none restarts, and each copy arrives once."""
    reference, account = Reference(USERS, 1), Account()
    samples: list[Sample] = []
    async with stubborn_client(stack) as client:
        await make_groups(client, reference, GROUPS)
        before = stack.pids()
        async with listening(stack, USERS) as listeners, asyncio.TaskGroup() as group:
            recording = [group.create_task(watch(stack, samples))]
            recording.append(group.create_task(drop_at_random(listeners, 0.2)))
            await send_steadily(client, reference, account, rate=RATE, seconds=SECONDS)
            for task in recording:
                task.cancel()
            await settle(listeners, account)
        for sample in samples:
            print(  # noqa: T201 - the course of the run
                f"{sample.at - samples[0].at:6.0f} s "
                + "  ".join(f"{part} {sample.megabytes[part]:.1f} MB" for part in PARTS)
            )
        assert stack.pids() == before
        assert wrongs(listeners, account) == []
        assert await wrong_inboxes(client, USERS, account) == []
    assert account.unknown == {}
    settled = samples[round(len(samples) * SETTLED)]
    for part in ("api", "dispatcher", "gateway"):
        assert samples[-1].megabytes[part] - settled.megabytes[part] < GROWTH_MB, part
