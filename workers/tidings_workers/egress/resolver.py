"""Host names to addresses. A slow name server delays only requests to its own host."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Final

# The look-ups of different hosts that run at a time; one host has one.
THREADS: Final = 32


class Resolver:
    """Looks up hosts in threads: the C library has no other way, and it cannot be interrupted."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="resolve")
        self._running: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of a host, in the order in which to try them. Raises OSError.

        Calls for one host at the same time share one look-up, which continues when they are cancelled.
        """
        found = self._running.get((host, port))
        if found is None:
            loop = asyncio.get_running_loop()
            found = loop.run_in_executor(self._threads, _look_up, host, port)
            self._running[host, port] = found
            found.add_done_callback(lambda done: self._finished(host, port, done))
        return await asyncio.shield(found)

    def _finished(self, host: str, port: int, done: asyncio.Future[list[str]]) -> None:
        del self._running[host, port]
        if not done.cancelled():
            # Every caller may have been cancelled, so this is the only reader of the error.
            done.exception()

    def close(self) -> None:
        """Start no further look-up. Those that run are left to end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        # A label of more than 63 characters.
        raise OSError(str(error)) from error
    return [str(address[0]) for _, _, _, _, address in found]
