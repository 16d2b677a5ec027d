"""`python -m bench.work`: the work of hot paths, counted and compared with the recorded one.

Work is the number of function calls of Python that the server makes for one unit, and the number of commands
that Valkey runs for it, those inside scripts too. Unlike time it is the same on each machine and beside other
work, so a path that does more than before is found on any machine. It does not show that a call became
dearer: `python -m bench.costs` measures CPU time.

API, dispatcher and gateway run in one event loop with a Valkey of their own. The clients run in another
thread, which is not counted, and wait for each unit before the next one.
"""

import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import uvloop
from cyclopts import App, Parameter
from msgspec import Struct

from bench.audience import Audience
from bench.notifications import TO_ALL, to_user
from bench.poller import Poller
from bench.posting import Connection, request
from bench.server import free_ports
from bench.websocket import Client, client, open_all
from tests.support.valkey import Valkey, running
from tidings_api import server
from tidings_workers import dispatcher, gateway
from tidings_workers.config import Settings
from tidings_workers.registry import Key, Registry
from tidings_workers.store import Store
from tidings_workers.tokens import make_token

FILE: Final = Path(__file__).with_name("work.json")
LIMIT: Final = 1.15
"""A path may do this much more than recorded: an answer of the kernel may join or split a batch."""

# Many short ones: work of the background falls in some of them only, also on a busy machine.
_ROUNDS: Final = 12
_REPEATS: Final = 3
_UNITS: Final = 10
_SOCKETS: Final = 200
_BATCHES: Final = 2
_BATCH: Final = 100
_MISSED: Final = 20

app = App(name="work", help="Compare the work of hot paths with the recorded one.")


class Work(Struct, frozen=True):
    """The work of one unit: calls of functions in Python, and commands in Valkey."""

    calls: float
    commands: float

    def lowest(self, other: "Work") -> "Work":
        """The lower figures of two counts: work of the background may fall in each."""
        return Work(min(self.calls, other.calls), min(self.commands, other.commands))


class Recorded(Struct, frozen=True):
    """The accepted work by path. Other versions of Python make other calls for the same code."""

    python: str
    paths: dict[str, Work]


def python() -> str:
    """The version of Python without its last part."""
    return "{}.{}".format(*sys.version_info)


def recorded() -> Recorded:
    """The accepted work, of bench/work.json."""
    return msgspec.json.decode(FILE.read_bytes(), type=Recorded)


def over_limit(work: Mapping[str, Work], accepted: Mapping[str, Work]) -> list[str]:
    """A sentence for each path that does more than LIMIT of the accepted work."""
    return [
        f"{path} takes {now:g} {what} per unit, and {before:g} are recorded"
        for path, done in work.items()
        for what, now, before in (
            ("calls", done.calls, accepted[path].calls),
            ("commands", done.commands, accepted[path].commands),
        )
        if now > LIMIT * before
    ]


class _Counter:
    """Counts the work between its start and its end."""

    def __init__(self, valkey: Valkey) -> None:
        self._client = valkey.client()
        self._rounds: dict[str, list[tuple[float, float]]] = defaultdict(list)

    @contextmanager
    def counting(self, path: str, units: int) -> Iterator[None]:
        calls = 0

        def count(_frame: Any, event: str, _argument: Any) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        before = self._commands()
        sys.setprofile(count)
        try:
            yield
        finally:
            sys.setprofile(None)
        self._rounds[path].append((calls / units, (self._commands() - before) / units))

    def lowest(self) -> dict[str, Work]:
        """The lowest of all rounds: the first loads caches, and work of the background may fall in any."""
        return {
            path: Work(*(float(f"{min(counts):.3g}") for counts in zip(*rounds, strict=True)))
            for path, rounds in self._rounds.items()
        }

    def _commands(self) -> int:
        statistics: dict[str, dict[str, Any]] = self._client.info("commandstats")
        return sum(each["calls"] for name, each in statistics.items() if name != "cmdstat_info")

    def close(self) -> None:
        self._client.close()


class _Clients:
    """All that clients do. Its methods block, so they run in a thread."""

    def __init__(self, settings: Settings, key: Key) -> None:
        self.realtime_port = settings.realtime_port
        self._key = key
        self.poller = Poller()
        self.connection = Connection(self.poller, settings.port)

    def token(self, user: str, scope: str) -> str:
        return make_token(self._key, "demo", user, frozenset((scope,)), 3600, time.time())

    def post(self, path: str, body: object, times: int) -> None:
        data = request(path, self.token("bench", "send"), body)
        for _ in range(times):
            self.connection.post(data, lambda: None)
            self.poller.wait(lambda: self.connection.idle, f"answer of {path}")

    def listen(self, users: list[str]) -> Audience:
        each = [client(self.token(user, "inbox")) for user in users]
        return Audience(self.poller, self.realtime_port, each, len(each))

    def post_and_wait(
        self, path: str, body: object, audience: Audience, times: int, notifications: int
    ) -> None:
        for _ in range(times):
            before = audience.notifications
            self.post(path, body, 1)
            audience.wait_for(before + notifications)

    def open(self, clients: list[Client]) -> None:
        for each in clients:
            (opened,) = open_all(self.poller, self.realtime_port, [each], 1)
            opened.socket.close()

    def close(self) -> None:
        self.connection.close()
        self.poller.close()


async def _count(settings: Settings, valkey: Valkey) -> dict[str, Work]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for run in (dispatcher.run, server.run, gateway.run):
            ready = asyncio.Event()
            tasks.create_task(run(settings, stop, ready.set))
            await ready.wait()
        store = await Store.open(settings, name="work")
        registry = Registry(store.redis)
        await registry.create_tenant("demo")
        await registry.create_key("demo")
        key = await registry.signing_key("demo")
        assert key is not None
        clients = await asyncio.to_thread(_Clients, settings, key)
        counter = _Counter(valkey)
        try:
            await _paths(counter, clients, store.epoch)
        finally:
            counter.close()
            await asyncio.to_thread(clients.close)
            await store.close()
            stop.set()
    return counter.lowest()


async def _paths(counter: _Counter, clients: _Clients, epoch: str) -> None:
    async def count(path: str, units: int, function: Callable[..., object], *arguments: object) -> None:
        for _ in range(_ROUNDS):
            with counter.counting(path, units):
                await asyncio.to_thread(function, *arguments)

    async def send(to: object, users: list[str], single: str, batch: str) -> None:
        audience = await asyncio.to_thread(clients.listen, users)
        many = {"notifications": [to] * _BATCH}
        for path, route, body, times, notifications in (
            (single, "/v1/notifications", to, _UNITS, 1),
            (batch, "/v1/notifications/batch", many, _BATCHES, _BATCH),
        ):
            units = times * notifications * len(users)
            await count(path, units, clients.post_and_wait, route, body, audience, times, notifications)
        await asyncio.to_thread(audience.close)

    everyone = [f"user-{number}" for number in range(_SOCKETS)]
    resume: dict[str, object] = {"epoch": epoch, "positions": {"user": 0, "all": 0}}
    some = [client(clients.token(user, "inbox"), resume) for user in everyone[:_UNITS]]
    await count("connections opened", _UNITS, clients.open, some)
    await asyncio.to_thread(clients.post, "/v1/notifications", TO_ALL, _MISSED)
    await count("everybody resumes", _UNITS, clients.open, some)
    await send(to_user("ana"), ["ana"], "direct, one per request", "direct, batch")
    await send(TO_ALL, everyone, "fan-out, steady", "fan-out, burst")


def measure() -> dict[str, Work]:
    """The work of each path in this process; a few seconds."""
    port, realtime_port, operator_port = free_ports(3)
    with tempfile.TemporaryDirectory(dir="/tmp") as home, running(Path(home)) as valkey:
        settings = Settings(
            redis_url=valkey.url, port=port, realtime_port=realtime_port, operator_port=operator_port
        )
        return uvloop.run(_count(settings, valkey))


@app.default
def check(
    *,
    record: Annotated[bool, Parameter(negative="", help="Accept the work of this run.")] = False,
) -> int:
    """Count, and print the work of each path. Fails when one does more than 1.15 of the recorded work."""
    accepted = None if record else recorded()
    work = measure()
    if accepted is None:
        work = reduce(_lowest, (measure() for _ in range(_REPEATS)), work)
        data = msgspec.json.encode(Recorded(python(), work))
        FILE.write_bytes(msgspec.json.format(data, indent=1) + b"\n")
    elif accepted.python == python():
        for _ in range(_REPEATS):
            if over_limit(work, accepted.paths):
                work = _lowest(work, measure())
    for path, done in work.items():
        print(f"{path:28} {done.calls:8g} calls {done.commands:8g} commands")
    if accepted is None:
        return 0
    if accepted.python != python():
        print(f"work: recorded with Python {accepted.python}, so it is not compared", file=sys.stderr)
        return 0
    over = over_limit(work, accepted.paths)
    for sentence in over:
        print(f"work: {sentence}", file=sys.stderr)
    return 1 if over else 0


def _lowest(work: Mapping[str, Work], other: Mapping[str, Work]) -> dict[str, Work]:
    return {path: done.lowest(other[path]) for path, done in work.items()}


if __name__ == "__main__":
    sys.exit(app())
