"""The part of a connection that each transport writes: its bytes, its pressure and its close."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping

from tidings.protocol.closing import CloseCode
from tidings_workers.gateway.wire import Wire


class Transport(ABC):
    """The transport of one client. `connection.Connection` calls it; a subclass of that implements it."""

    __slots__ = ()

    wire: Wire
    """How the transport writes frames. All connections with the same encoding share one."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Write bytes, unless closed. Closes the connection when too many bytes wait to be sent."""

    @abstractmethod
    async def writable(self) -> None:
        """Wait until there is room to write, or the connection is closed. Closes it after a long wait."""

    @abstractmethod
    def probe(self) -> None:
        """Make the peer send something, if it is alive."""

    @abstractmethod
    def write_close(self, code: CloseCode, reason: str) -> None:
        """Send the close code and reason and start to close the transport. `start_closing` has run."""

    @abstractmethod
    def drop(self) -> None:
        """Close the transport at once. `start_closing` has run."""

    @property
    @abstractmethod
    def has_room(self) -> bool:
        """Whether `writable` returns at once."""

    @abstractmethod
    def pause_reading(self) -> None:
        """Receive nothing more until `resume_reading`; idempotent."""

    @abstractmethod
    def resume_reading(self) -> None:
        """Receive again; idempotent."""

    def resumed(self, names: Iterable[str]) -> Mapping[str, int]:
        """Positions of these logs in the client's resume that its `connect` frame does not name."""
        del names
        return {}

    @property
    def is_connecting(self) -> bool:
        """Whether the transport is not ready for frames yet."""
        return False
