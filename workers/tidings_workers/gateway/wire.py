"""Server frames as the bytes that a transport writes."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from tidings.protocol.frames import ServerFrame
from tidings.protocol.times import timestamp
from tidings_workers.store.entries import Entry


class Wire(Protocol):
    """The encoding of frames on a transport.

    Connections with the same encoding share one object, and frames for many are built once per object.
    """

    def frame(self, message: ServerFrame) -> bytes:
        """Encode any frame of the protocol."""

    def notification(self, log: str, position: int, content: bytes, *, replayed: bool = False) -> bytes:
        """Encode a notification frame from the content's JSON as stored."""


class JsonWire:
    """Frames as JSON texts. `enclose` adds the delimiters of the transport."""

    def __init__(self, enclose: Callable[[bytes], bytes]) -> None:
        self._enclose = enclose

    def frame(self, message: ServerFrame) -> bytes:
        """See Wire."""
        return self._enclose(_encode(message))

    def notification(self, log: str, position: int, content: bytes, *, replayed: bool = False) -> bytes:
        """See Wire. The log's name needs no escaping."""
        tail = b"}" if not replayed else b',"replayed":true}'
        return self._enclose(
            b'{"type":"notification","log":"%b","position":%d,"notification":%b%b'
            % (log.encode(), position, content, tail)
        )


class _Moment(datetime):
    """A time that is encoded with exactly three digits of milliseconds; msgspec writes six or none."""


def moment(at: int) -> datetime:
    """A time in Unix ms, for a frame."""
    return _Moment.fromtimestamp(at / 1000, UTC)


def _encode_moment(value: object) -> str:
    if isinstance(value, _Moment):
        return timestamp(round(value.timestamp() * 1000))
    raise NotImplementedError(type(value).__name__)


_encode: Final = msgspec.json.Encoder(enc_hook=_encode_moment).encode


class BuiltFrames(dict[Wire, bytes]):
    """The bytes of some entries by encoding, built when the first subscriber needs them."""

    def __init__(self, log: str, entries: Sequence[Entry]) -> None:
        super().__init__()
        self._log = log
        self._entries = entries
        self._frames: dict[Wire, list[bytes]] = {}

    def __missing__(self, wire: Wire) -> bytes:
        frames = self.frames(wire)
        joined = self[wire] = frames[0] if len(frames) == 1 else b"".join(frames)
        return joined

    def frames(self, wire: Wire) -> list[bytes]:
        """One frame for each entry."""
        found = self._frames.get(wire)
        if found is None:
            found = self._frames[wire] = [
                wire.notification(self._log, entry.position, entry.content) for entry in self._entries
            ]
        return found
