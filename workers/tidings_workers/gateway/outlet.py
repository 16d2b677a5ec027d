"""The destination of frames, as subscribers and tails see it."""

from typing import Protocol

from tidings.protocol.closing import CloseCode
from tidings.protocol.frames import ServerFrame
from tidings_workers.gateway.wire import Wire


class Outlet(Protocol):
    """The destination of a subscriber's frames: a connection, whatever its transport."""

    @property
    def closed(self) -> bool:
        """Whether it is closed and accepts nothing more."""

    @property
    def is_open(self) -> bool:
        """Whether its session was welcomed and is not closed."""

    @property
    def wire(self) -> Wire:
        """The encoding of its frames."""

    def queue(self, data: bytes) -> None:
        """Queue bytes, to be written after the current feed items were processed."""

    def write(self, data: bytes) -> None:
        """Write bytes now."""

    def send(self, message: ServerFrame, /) -> None:
        """Write one frame, after the queued bytes."""

    async def writable(self) -> None:
        """Wait until there is room to write, or it is closed."""

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Close it, once. Its subscriber is detached from the user on return."""
