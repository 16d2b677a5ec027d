"""The load side's event loop: level-triggered epoll and one callback per socket, nothing else."""

import select
import time
from collections.abc import Callable


class Stalled(Exception):
    """What was waited for did not come in time."""


class Poller:
    """Calls `ready` of whatever can be read. Use it from one thread."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._ready: dict[int, Callable[[], None]] = {}

    def add(self, descriptor: int, ready: Callable[[], None]) -> None:
        """Watch a descriptor."""
        self._ready[descriptor] = ready
        self._epoll.register(descriptor, select.EPOLLIN)

    def remove(self, descriptor: int) -> None:
        """Watch a descriptor no longer."""
        del self._ready[descriptor]
        self._epoll.unregister(descriptor)

    def step(self, timeout: float) -> None:
        """Wait for at most `timeout` seconds, then call for everything that is readable."""
        ready = self._ready
        for descriptor, _ in self._epoll.poll(timeout, 1024):
            call = ready.get(descriptor)
            if call is not None:  # an earlier callback of this step may have removed it
                call()

    def wait(self, done: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
        """Step until `done`; raises Stalled, naming what was waited for, after `seconds`."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise Stalled(f"no {what} within {seconds:g} s")
            self.step(0.05)

    def run(self, seconds: float) -> None:
        """Step for a time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.step(left)

    def close(self) -> None:
        """Give the epoll descriptor back; the sockets are their owners'."""
        self._epoll.close()
