"""Sends that are killed, or delayed, between two of their calls of the store."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from tidings.protocol.notifications import CreateNotification
from tidings_workers.config import Settings
from tidings_workers.store import Store

_PROGRAM = """
import asyncio, os, signal, sys
import msgspec
from tidings.protocol.notifications import CreateNotification
from tidings_workers.config import Settings
from tidings_workers.store import Idempotency, Store

script, answered, key = sys.argv[1], int(sys.argv[2]), sys.argv[3]
sent = msgspec.json.decode(sys.argv[4], type=list[CreateNotification])

async def main():
    store = await Store.open(Settings.from_environment(), name="doomed")
    run, calls = store._core.run, []

    def die(_=None):
        os.kill(os.getpid(), signal.SIGKILL)

    def doomed(name, *arguments, **options):
        if name != script:
            return run(name, *arguments, **options)
        if len(calls) < answered:
            calls.append(run(name, *arguments, **options))
            if len(calls) == answered:
                calls[-1].add_done_callback(die)
            return calls[-1]
        if not answered:
            die()
        return asyncio.get_running_loop().create_future()

    store._core.run = doomed
    await store.sends.send("demo", sent, idempotency=Idempotency(key, b"digest"))

asyncio.run(main())
"""


def killed_sending(
    settings: Settings, sent: Sequence[CreateNotification], *, script: str, answered: int = 0, key: str = "k"
) -> None:
    """Send to `demo` from a process that is killed (SIGKILL) at a call of a script.

    It is killed before the first call when `answered` is 0, else after that many answers; later calls are not
    made. The idempotency key's digest is `b"digest"`.
    """
    finished = subprocess.run(
        [sys.executable, "-c", _PROGRAM, script, str(answered), key, msgspec.json.encode(sent).decode()],
        env=os.environ | settings.to_environment(),
        check=False,
    )
    assert finished.returncode == -signal.SIGKILL


class Held:
    """Delayed calls of a script: `reached` is set at the first one, and all are made after `release`."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.release = asyncio.Event()


@asynccontextmanager
async def held_calls(store: Store, script: str) -> AsyncIterator[Held]:
    """Delay the calls of a script by a store, like a slow network."""
    held, run = Held(), store._core.run

    async def later(arguments: Any, options: Any) -> Any:
        held.reached.set()
        await held.release.wait()
        return await run(script, *arguments, **options)

    def hold(name: str, *arguments: Any, **options: Any) -> asyncio.Future[Any]:
        if name == script:
            return asyncio.ensure_future(later(arguments, options))
        return run(name, *arguments, **options)

    store._core.run = hold  # type: ignore[method-assign, assignment]
    try:
        yield held
    finally:
        held.release.set()
        store._core.run = run  # type: ignore[method-assign]
