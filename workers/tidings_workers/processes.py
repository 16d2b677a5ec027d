"""Child processes that stop with their parent, and report when they are ready.

On Linux the kernel signals the child when the parent stops (prctl(2), PR_SET_PDEATHSIG), also after a
SIGKILL. On macOS an orphan may remain: the next start finds it by the lock of the data directory. Each
child has a session of its own, so only the parent gets a Ctrl-C at the terminal. It then stops its
children in order.
"""

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Final

READY_VARIABLE: Final = "TIDINGS_READY_FD"

_PR_SET_PDEATHSIG: Final = 1
# Loaded before any fork, because no import is possible between fork and exec.
_libc: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


async def spawn(
    command: Sequence[str],
    *,
    death_signal: signal.Signals,
    environment: Mapping[str, str] | None = None,
    output: IO[bytes] | None = None,
    descriptors: Sequence[int] = (),
    private: bool = False,
) -> asyncio.subprocess.Process:
    """Start a child that gets `death_signal` when the calling thread stops. Call it in the main thread.

    Its stdout and stderr go to `output`, else to the parent's stderr, because stdout is only for the
    parent's answers. It inherits only `descriptors`. Only the owner may read the files of a `private` child.
    """
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output or sys.stderr.fileno(),
        stderr=output,
        env=environment,
        pass_fds=descriptors,
        start_new_session=True,
        preexec_fn=_prepared(os.getpid(), death_signal, private=private),
    )


def _prepared(parent: int, death_signal: signal.Signals, *, private: bool) -> Callable[[], None]:
    def in_child() -> None:
        if private:
            os.umask(0o077)
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
            if os.getppid() != parent:  # it stopped before the call of prctl
                os._exit(1)

    return in_child


async def stop_process(process: asyncio.subprocess.Process, seconds: float) -> bool:
    """Send SIGTERM, and SIGKILL after `seconds`. Returns whether SIGTERM was enough."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return False
    return True


class ReadyPipe:
    """The parent's end of a pipe: the child writes one byte into `descriptor` when it is ready."""

    def __init__(self) -> None:
        self._read, self.descriptor = os.pipe()
        os.set_blocking(self._read, False)
        self.environment = {READY_VARIABLE: str(self.descriptor)}

    def started(self) -> None:
        """Close the parent's copy of the writing end, so that the pipe closes when the child stops."""
        os.close(self.descriptor)

    def discard(self) -> None:
        """Close the reading end, because no child was started and `wait` is not called."""
        os.close(self._read)

    async def wait(self) -> bool:
        """Wait until the child is ready. Returns False when it closed the pipe before."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._read, readable.set)
        try:
            await readable.wait()
            return bool(os.read(self._read, 1))
        finally:
            loop.remove_reader(self._read)
            os.close(self._read)


def report_ready() -> None:
    """Report to the supervisor that this process serves. Does nothing without one, or when repeated."""
    descriptor = os.environ.pop(READY_VARIABLE, None)
    if descriptor is not None:
        with contextlib.suppress(BrokenPipeError):
            os.write(int(descriptor), b"r")
        os.close(int(descriptor))


def is_supervised() -> bool:
    """Whether a supervisor waits for this process to be ready; False after `report_ready`."""
    return READY_VARIABLE in os.environ


def raise_open_files(wanted: int) -> int:
    """Raise the limit of open files to `wanted`, or as far as the system allows. Returns the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limits in ((max(wanted, soft), max(wanted, hard)), (hard, hard)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            break
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
