"""The load side's event loop: level-triggered epoll and one callback per socket, nothing else."""

import select
import time
from collections.abc import Callable


class Stalled(Exception):
    """An expected event did not happen in time."""


class Poller:
    """Calls the callback of each readable descriptor. Use it from one thread."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._ready: dict[int, Callable[[], None]] = {}

    def add(self, descriptor: int, ready: Callable[[], None]) -> None:
        """Watch a descriptor."""
        self._ready[descriptor] = ready
        self._epoll.register(descriptor, select.EPOLLIN)

    def remove(self, descriptor: int) -> None:
        """Stop watching a descriptor."""
        del self._ready[descriptor]
        self._epoll.unregister(descriptor)

    def step(self, timeout: float) -> None:
        """Wait for at most `timeout` seconds, then call the callback of each readable descriptor."""
        ready = self._ready
        for descriptor, _ in self._epoll.poll(timeout, 1024):
            call = ready.get(descriptor)
            if call is not None:  # an earlier callback of this step may have removed it
                call()

    def wait(self, done: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
        """Step until `done`. Raises Stalled with `what` after `seconds`."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise Stalled(f"no {what} within {seconds:g} s")
            self.step(0.05)

    def run(self, seconds: float) -> None:
        """Step for this many seconds."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.step(left)

    def close(self) -> None:
        """Close the epoll descriptor; the sockets belong to their owners."""
        self._epoll.close()
