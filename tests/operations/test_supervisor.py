"""The supervisor: it restarts crashed processes, keeps stopped ones down, and leaves none behind."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.operations.support import eventually
from tests.support.stack import clean_environment, is_running
from tidings_workers.data_directory import DataDirectory
from tidings_workers.embedded import EmbeddedValkey
from tidings_workers.supervisor import Backoff, Part, PartFailed, Supervisor

# It writes its pid to a file when it is ready, and on SIGTERM its name to a list that all parts share.
CHILD = """
import os, pathlib, signal, sys
name, here, stubborn = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3] == "stubborn"
def end(*_):
    with (here / "ended").open("a") as file:
        file.write(name + "\\n")
    if not stubborn:
        sys.exit(0)
signal.signal(signal.SIGTERM, end)
(here / (name + ".new")).write_text(str(os.getpid()))
(here / (name + ".new")).rename(here / (name + ".pid"))
os.write(int(os.environ["TIDINGS_READY_FD"]), b"r")
while True:
    signal.pause()
"""


def child(name: str, here: Path, *, rank: int = 0, manner: str = "") -> Part:
    command = (sys.executable, "-c", CHILD, name, str(here), manner)
    return Part(name=name, command=command, environment=clean_environment(), rank=rank)


def failing(code: int) -> Part:
    command = (sys.executable, "-c", f"import sys; sys.exit({code})")
    return Part(name="failing", command=command, environment=clean_environment(), rank=0)


def pid_of(name: str, here: Path) -> int:
    return int((here / f"{name}.pid").read_text())


async def nothing() -> None:
    """A hook that does nothing."""


def supervisor(
    *parts: Part, valkey: EmbeddedValkey | None = None, on_ready: Callable[[], Awaitable[None]] = nothing
) -> Supervisor:
    return Supervisor(parts, valkey=valkey, drain_seconds=1, before_parts=nothing, on_ready=on_ready)


@asynccontextmanager
async def running(*parts: Part, valkey: EmbeddedValkey | None = None) -> AsyncIterator[Supervisor]:
    """A supervisor whose parts are all ready; stopped at the end."""
    ready, stop = asyncio.Event(), asyncio.Event()

    async def on_ready() -> None:
        ready.set()

    supervising = supervisor(*parts, valkey=valkey, on_ready=on_ready)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervising.run(stop))
        await ready.wait()
        yield supervising
        stop.set()


async def test_a_killed_part_is_restarted_within_a_second(tmp_path: Path) -> None:
    """After SIGKILL of a part another process of it is ready within a second."""
    async with running(child("a", tmp_path)) as supervising:
        before = pid_of("a", tmp_path)
        os.kill(before, signal.SIGKILL)
        started = time.monotonic()
        await eventually(lambda: pid_of("a", tmp_path) != before, "the restart")
        await eventually(lambda: not supervising.unready, "being ready again")
        assert time.monotonic() - started < 1


async def test_a_killed_store_is_restarted_with_its_data(tmp_path: Path) -> None:
    """After SIGKILL Valkey is restarted on the same socket with its data, while the parts keep running."""
    directory = DataDirectory.acquire(tmp_path / "data")
    valkey = EmbeddedValkey(directory, "everysec")
    async with running(child("a", tmp_path), valkey=valkey):
        part, before = pid_of("a", tmp_path), valkey.pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        await eventually(lambda: valkey.pid != before, "the restart", 1)
        assert pid_of("a", tmp_path) == part
    assert not is_running(valkey.pid or before)
    directory.release()


async def test_parts_stop_by_rank(tmp_path: Path) -> None:
    """The parts of the first rank have stopped before the second rank gets SIGTERM."""
    async with running(child("late", tmp_path, rank=1), child("a", tmp_path), child("b", tmp_path)):
        pass
    ended = (tmp_path / "ended").read_text().split()
    assert sorted(ended[:2]) == ["a", "b"]
    assert ended[2:] == ["late"]


async def test_a_part_that_ignores_sigterm_is_killed_in_time(tmp_path: Path) -> None:
    """A part that ignores SIGTERM is killed after the drain time."""
    async with running(child("a", tmp_path, manner="stubborn")):
        pid, started = pid_of("a", tmp_path), time.monotonic()
    assert time.monotonic() - started < 3
    assert not is_running(pid)


async def test_kill_now_does_not_wait_for_the_drain(tmp_path: Path) -> None:
    """`kill_now` kills the parts that still drain at once."""
    async with running(child("a", tmp_path, manner="stubborn")) as supervising:
        supervising.kill_now.set()
        started = time.monotonic()
    assert time.monotonic() - started < 0.9


async def test_a_wrong_configuration_is_not_retried(tmp_path: Path) -> None:
    """Exit code 78 of a part stops all parts at once."""
    with pytest.raises(PartFailed, match=r"failing can't start \(exit code 78\)"):
        await supervisor(child("a", tmp_path), failing(78)).run(asyncio.Event())
    assert not (tmp_path / "a.pid").exists() or not is_running(pid_of("a", tmp_path))


async def test_a_part_that_never_starts_stops_all() -> None:
    """A part that was not ready in five tries gives an error and not a loop."""
    with pytest.raises(PartFailed, match=r"exit code 3"):
        await supervisor(failing(3)).run(asyncio.Event())


async def test_a_stop_during_the_start_starts_no_part(tmp_path: Path) -> None:
    """A stop during the preparation starts no part, also when a library swallows the cancellation."""
    stop = asyncio.Event()

    async def swallowing() -> None:
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    supervising = Supervisor(
        [child("a", tmp_path)], valkey=None, drain_seconds=1, before_parts=swallowing, on_ready=nothing
    )
    await supervising.run(stop)
    assert not (tmp_path / "a.pid").exists()


def test_restarts_slow_down_only_while_failing() -> None:
    """The first restart is immediate, the pauses grow while it fails, and a healthy run resets them."""
    backoff = Backoff()
    assert [backoff.after(0.1) for _ in range(4)] == [0.0, 0.1, 0.2, 0.4]
    assert max(backoff.after(0.1) for _ in range(20)) == 5.0
    assert backoff.after(60) == 0.0


HOST = """
import asyncio, sys
from pathlib import Path
from tests.operations.test_supervisor import child, nothing
from tidings_workers.data_directory import DataDirectory
from tidings_workers.embedded import EmbeddedValkey
from tidings_workers.supervisor import Supervisor
here = Path(sys.argv[1])
valkey = EmbeddedValkey(DataDirectory.acquire(here / "data"), "everysec")
async def on_ready():
    print(valkey.pid, flush=True)
asyncio.run(Supervisor([child("a", here, manner="stubborn")], valkey=valkey, drain_seconds=1,
                       before_parts=nothing, on_ready=on_ready).run(asyncio.Event()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
async def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    """After SIGKILL of the supervisor no part and no store runs, and the directory can be acquired."""
    host = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOST, str(tmp_path), stdout=asyncio.subprocess.PIPE, env=clean_environment()
    )
    assert host.stdout is not None
    valkey = int(await host.stdout.readline())
    part = pid_of("a", tmp_path)
    host.kill()
    await host.wait()
    await eventually(lambda: not is_running(part) and not is_running(valkey), "the end of all")
    DataDirectory.acquire(tmp_path / "data").release()


STARVED = """
import asyncio, contextlib, os, resource, signal, sys
from pathlib import Path
from tests.operations.test_supervisor import child, nothing
from tidings_workers import embedded
from tidings_workers.data_directory import DataDirectory
from tidings_workers.embedded import EmbeddedValkey
from tidings_workers.supervisor import Supervisor
here = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
valkey = EmbeddedValkey(DataDirectory.acquire(here / "data"), "everysec")
async def starve():
    part, store = (here / "a.pid").read_text(), valkey.pid
    taken = []
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    # Longer than a round of syncing, with no file left to open.
    await asyncio.sleep(embedded.SYNC_SECONDS * 1.5)
    assert valkey.pid == store
    os.kill(store, signal.SIGKILL)
    os.kill(int(part), signal.SIGKILL)
    await asyncio.sleep(0.5)
    for descriptor in taken:
        os.close(descriptor)
    while supervisor.unready or valkey.pid == store or (here / "a.pid").read_text() == part:
        await asyncio.sleep(0.01)
    print("recovered", flush=True)
    stop.set()
async def on_ready():
    tasks.append(asyncio.create_task(starve()))
tasks = []
async def main():
    global stop, supervisor
    stop = asyncio.Event()
    supervisor = Supervisor([child("a", here)], valkey=valkey, drain_seconds=1,
                            before_parts=nothing, on_ready=on_ready)
    await supervisor.run(stop)
asyncio.run(main())
"""


async def test_a_lack_of_files_stops_nothing(tmp_path: Path) -> None:
    """Without free files nothing starts or syncs, and everything continues when files are available."""
    host = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STARVED, str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=clean_environment(),
    )
    try:
        out, errors = await asyncio.wait_for(host.communicate(), 30)
    except TimeoutError:
        host.kill()
        raise
    assert out.endswith(b"recovered\n"), errors.decode()
    assert b"store not started" in errors
    assert host.returncode == 0
