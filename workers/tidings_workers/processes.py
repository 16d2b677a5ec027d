"""Child processes that end with their parent, and say when they are ready.

A child is tied to the parent by the kernel (prctl(2), PR_SET_PDEATHSIG), so not even a SIGKILL of
the parent leaves it behind; where the kernel has no such thing (macOS) an orphan is left to the
next start, which finds it by the lock of the data directory. Each child leads a session of
its own: a Ctrl-C at the terminal reaches the parent alone, which then ends its children in order.
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
# Loaded before any fork: between fork and exec nothing may be imported.
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
    """Start a child that gets `death_signal` when the calling thread ends; call it in the main thread.

    `output` takes its stdout and stderr; without it the child writes to our stderr, since stdout
    belongs to the parent. It inherits `descriptors` and no others. What a `private` child writes can
    be read by its owner alone.
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
            if os.getppid() != parent:  # it ended before the tie held
                os._exit(1)

    return in_child


async def end(process: asyncio.subprocess.Process, seconds: float) -> bool:
    """Ask the process to end, and kill it after `seconds`; whether it ended by itself."""
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
    """The parent's half of a child's readiness: the child writes one byte into `descriptor`."""

    def __init__(self) -> None:
        self._read, self.descriptor = os.pipe()
        os.set_blocking(self._read, False)
        self.environment = {READY_VARIABLE: str(self.descriptor)}

    def started(self) -> None:
        """Give the writing end to the child alone, so that its death ends the pipe."""
        os.close(self.descriptor)

    def discard(self) -> None:
        """Close what `wait` would have read: there is no child."""
        os.close(self._read)

    async def wait(self) -> bool:
        """Wait for the byte; False when the child closed the pipe without it."""
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
    """Tell the parent that started us, if one did, that we serve. Once."""
    descriptor = os.environ.pop(READY_VARIABLE, None)
    if descriptor is not None:
        with contextlib.suppress(BrokenPipeError):
            os.write(int(descriptor), b"r")
        os.close(int(descriptor))


def is_supervised() -> bool:
    """Whether a supervisor waits for our readiness; false once it has been told."""
    return READY_VARIABLE in os.environ


def raise_open_files(wanted: int) -> int:
    """Raise the limit of open files as far as the system lets us; the limit that now holds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limits in ((max(wanted, soft), max(wanted, hard)), (hard, hard)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            break
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
