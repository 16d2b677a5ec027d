"""Server frames as the bytes that a transport writes."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Protocol

import msgspec

from tidings.protocol.frames import ServerFrame
from tidings.protocol.notifications import UsedAction
from tidings.protocol.times import timestamp
from tidings_workers.store.entries import Entry


class Wire(Protocol):
    """The encoding of frames on a transport.

    Connections with the same encoding share one object, and frames for many are built once per object.
    """

    @property
    def carries_inbox(self) -> bool:
        """Whether it encodes the notifications of an inbox; if not, they wait."""

    def frame(self, message: ServerFrame) -> bytes:
        """Encode any frame of the protocol."""

    def notification(
        self,
        log: str,
        position: int,
        content: bytes,
        *,
        replayed: bool = False,
        used: UsedAction | None = None,
    ) -> bytes:
        """Encode a notification frame from the content's JSON as stored. `used`: the action that was used."""


class JsonWire:
    """Frames as JSON texts. `enclose` adds the delimiters of the transport."""

    carries_inbox = True

    def __init__(self, enclose: Callable[[bytes], bytes]) -> None:
        self._enclose = enclose

    def frame(self, message: ServerFrame) -> bytes:
        """See Wire."""
        return self._enclose(_encode(message))

    def notification(
        self,
        log: str,
        position: int,
        content: bytes,
        *,
        replayed: bool = False,
        used: UsedAction | None = None,
    ) -> bytes:
        """See Wire. The log's name needs no escaping."""
        tail = b"}" if not replayed else b',"replayed":true}'
        if used is not None:
            tail = b',"action":%b%b' % (_encode(used), tail)
        return self._enclose(
            b'{"type":"notification","log":"%b","position":%d,"notification":%b%b'
            % (log.encode(), position, content, tail)
        )


class _Moment(datetime):
    """A time that is encoded with exactly three digits of milliseconds; msgspec writes six or none."""

    text: str


@lru_cache(maxsize=1024)
def moment(at: int) -> datetime:
    """A time in Unix ms, for a frame. Tokens that were made together expire at the same moment."""
    made = _Moment.fromtimestamp(at / 1000, UTC)
    made.text = timestamp(at)
    return made


def _encode_moment(value: object) -> str:
    if isinstance(value, _Moment):
        return value.text
    raise NotImplementedError(type(value).__name__)


_encode: Final = msgspec.json.Encoder(enc_hook=_encode_moment).encode


class BuiltFrames(dict[Wire, bytes]):
    """The bytes of some entries by encoding, built when the first subscriber needs them."""

    def __init__(self, log: str, entries: Sequence[Entry]) -> None:
        super().__init__()
        self._log = log
        self._entries = entries
        self._frames: dict[tuple[Wire, int], bytes] = {}

    def __missing__(self, wire: Wire) -> bytes:
        frames = [self.frame(wire, index) for index in range(len(self._entries))]
        joined = self[wire] = frames[0] if len(frames) == 1 else b"".join(frames)
        return joined

    def frame(self, wire: Wire, index: int) -> bytes:
        """The frame of one entry. An encoding may count what it builds, so each frame built is to be sent."""
        found = self._frames.get((wire, index))
        if found is None:
            entry = self._entries[index]
            found = self._frames[wire, index] = wire.notification(self._log, entry.position, entry.content)
        return found
