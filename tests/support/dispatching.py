"""A dispatcher in its own process, and queries about the work of dispatchers."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from tidings_workers.config import Settings
from tidings_workers.store import Store
from tidings_workers.store.keys import lease, tag

_PROGRAM = """
import asyncio, uvloop
from tidings_workers.config import Settings
from tidings_workers.dispatcher import run
with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(run(Settings.from_environment(), asyncio.Event(), lambda: print("ready", flush=True)))
"""


@contextlib.contextmanager
def dispatcher_process(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A running dispatcher; it is killed at the end if it still runs."""
    environment = os.environ | settings.to_environment()
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM], env=environment, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        process.communicate()


async def owners(store: Store) -> list[str | None]:
    """The name of the dispatcher with the lease of each partition, or None."""
    call = store._core.call
    held: list[bytes | None] = await asyncio.gather(
        *(call("GET", lease(partition)) for partition in range(store.partitions))
    )
    return [owner.decode() if owner is not None else None for owner in held]


async def waiting(store: Store) -> int:
    """How many ingress entries are not done in all partitions."""
    call = store._core.call
    lengths = await asyncio.gather(
        *(call("XLEN", f"{tag(partition)}/ingress") for partition in range(store.partitions))
    )
    return sum(lengths)


async def copies(store: Store, users: Sequence[str]) -> list[tuple[int, int]]:
    """Per user of `demo`: how many entries the own log has, and its head."""

    def commands(user: str) -> list[Any]:
        log = store.keys.user("demo", user)
        key, call = f"{tag(log.partition)}/{log.base}", store._core.call
        return [call("XLEN", f"{key}/log"), call("HGET", key, "head")]

    found: list[tuple[int, int]] = []
    for start in range(0, len(users), 500):
        futures = [future for user in users[start : start + 500] for future in commands(user)]
        answers = await asyncio.gather(*futures)
        found += [(length, int(head or 0)) for length, head in zip(answers[::2], answers[1::2], strict=True)]
    return found
