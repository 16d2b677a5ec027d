"""One notification, step by step: `python -m bench.steps` prints the time of each step as a share.

The store's part of a send, a gateway and a client run in this process, with a Valkey of their own, so one
clock times all steps. HTTP is no part of it. The medians of a thousand sends, one at a time.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
import uvloop

from bench.notifications import to_user
from bench.server import free_ports
from bench.websocket import CAUGHT_UP, NOTIFICATION, client
from tests.support.valkey import running
from tidings.protocol.notifications import CreateNotification
from tidings_workers import gateway
from tidings_workers.config import Settings
from tidings_workers.gateway.hub import Hub
from tidings_workers.gateway.pending_writes import PendingWrites
from tidings_workers.registry import Registry
from tidings_workers.store import Store
from tidings_workers.store.pipeline import Pipeline
from tidings_workers.store.reader import Reader
from tidings_workers.tokens import make_token

_SENDS: Final = 1_000
_WARMING: Final = 100
_USER: Final = "user-0"
STEPS: Final = (
    ("packed", "the send is prepared and packed"),
    ("batched", "the loop starts a batch of commands"),
    ("read", "Redis runs the script and wakes the gateway, which parses the entry of its feed"),
    ("processed", "the gateway finds the connections and builds the frame"),
    ("written", "the gateway gives the frame to the socket"),
    ("received", "the kernel carries it to the client, which wakes up"),
)

_moments: Final[dict[str, float]] = {}


def _note(owner: type, method: str, name: str) -> None:
    """Note the time after each call of a method."""
    original: Callable[..., Any] = getattr(owner, method)

    def noted(*arguments: Any, **named: Any) -> Any:
        result = original(*arguments, **named)
        _moments[name] = time.perf_counter()
        return result

    setattr(owner, method, noted)


def _note_awaited(owner: type, method: str, name: str) -> None:
    """Note the time after each answer of a coroutine method."""
    original: Callable[..., Any] = getattr(owner, method)

    async def noted(*arguments: Any, **named: Any) -> Any:
        result = await original(*arguments, **named)
        _moments[name] = time.perf_counter()
        return result

    setattr(owner, method, noted)


async def _listen(store: Store, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that has caught up. The writer closes the connection when nothing refers to it."""
    registry = Registry(store.redis)
    await registry.create_tenant("demo")
    await registry.create_key("demo")
    key = await registry.signing_key("demo")
    assert key is not None
    token = make_token(key, "demo", _USER, frozenset({"inbox"}), 3600, time.time())
    opening = client(token, resume={"epoch": store.epoch, "positions": {}})
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(opening.request + opening.first)
    received = b""
    while CAUGHT_UP not in received:
        received += await reader.read(65_536)
    return reader, writer


async def _measure(url: str) -> list[dict[str, float]]:
    (port,) = free_ports(1)
    settings = Settings(redis_url=url, realtime_port=port)
    stop, ready = asyncio.Event(), asyncio.Event()
    taken = []
    body = msgspec.convert(to_user(_USER), CreateNotification)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(gateway.run(settings, stop, ready.set))
        await ready.wait()
        store = await Store.open(settings, name="steps")
        reader, writer = await _listen(store, port)
        for _ in range(_WARMING + _SENDS):
            start = time.perf_counter()
            sending = asyncio.ensure_future(store.sends.send("demo", [body]))
            while NOTIFICATION not in await reader.read(65_536):
                pass
            received = time.perf_counter()
            await sending
            moments = [start, *(_moments[name] for name, _ in STEPS[:-1]), received]
            spent = [after - before for before, after in pairwise(moments)]
            taken.append(dict(zip((name for name, _ in STEPS), spent, strict=True)))
            # The gateway blocks on its feeds again.
            await asyncio.sleep(0.002)
        writer.close()
        await store.close()
        stop.set()
    return taken[_WARMING:]


def main() -> None:
    """Print the share of each step, and the whole in milliseconds."""
    _note(Pipeline, "run", "packed")
    _note(Pipeline, "_start", "batched")
    _note_awaited(Reader, "read", "read")
    _note(Hub, "process", "processed")
    _note(PendingWrites, "write", "written")
    with tempfile.TemporaryDirectory(dir="/tmp") as home, running(Path(home)) as valkey:
        taken = uvloop.run(_measure(valkey.url))
    steps = {name: median(each[name] for each in taken) for name, _ in STEPS}
    whole = sum(steps.values())
    for name, description in STEPS:
        print(f"{steps[name] / whole:6.1%}  {description}")
    print(f"{whole * 1e3:.2f} ms in all")


if __name__ == "__main__":
    main()
