"""Frames as server-sent events: blocks of lines that an empty line ends."""

import re
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple

from tidings_workers.gateway.sse.cursor import field_of
from tidings_workers.gateway.wire import JsonWire

COMMENT: Final = b":\n\n"
# No JSON has this character.
GAP: Final = b"\0"
_END: Final = b"\n\n"
_LINE_ENDS: Final = tuple((chr(code).encode(), f"\\u{code:04x}".encode()) for code in (0x85, 0x2028, 0x2029))
_TYPE_START: Final = len(b'{"type":"')
_NOTIFICATION: Final = re.compile(
    rb'event: notification\ndata: {"type":"notification","log":"(?P<log>[^"]+)","position":(?P<position>\d+),'
).match


class Run(NamedTuple):
    """Consecutive events. For notifications of one log, `log` is set, and `field` is that of the last one.

    Then each event begins with GAP in place of the first part of its id: see `cursor.Progress.before`.
    """

    data: bytes
    log: str | None
    field: bytes


def event(kind: bytes, json: bytes) -> bytes:
    """One event. JSON has line breaks only between its tokens, and there a space means the same.

    Some clients, such as httpx with `iter_lines`, divide lines at these three characters of strings too.
    """
    if b"\n" in json or b"\r" in json:
        json = json.replace(b"\n", b" ").replace(b"\r", b" ")
    if not json.isascii():
        for character, escaped in _LINE_ENDS:
            json = json.replace(character, escaped)
    return b"event: %b\ndata: %b\n\n" % (kind, json)


def _of_frame(json: bytes) -> bytes:
    return event(json[_TYPE_START : json.index(b'"', _TYPE_START)], json)


class EventWire(JsonWire):
    """Events without ids, built once for all connections. Each connection writes its own ids before them."""

    def __init__(self) -> None:
        super().__init__(_of_frame)

    @staticmethod
    @lru_cache(maxsize=4)
    def runs(data: bytes) -> list[Run]:
        """The events in some bytes of this wire. A fan-out gives the same object to many connections."""
        # JSON in one line has no empty line.
        return _runs([part + _END for part in data.split(_END)[:-1]])


def _runs(events: list[bytes]) -> list[Run]:
    runs: list[Run] = []
    for log, group in groupby(map(_divided, events), key=itemgetter(0)):
        parts = list(group)
        runs.append(Run(b"".join([data for _, data, _ in parts]), log, parts[-1][2]))
    return runs


def _divided(data: bytes) -> tuple[str | None, bytes, bytes]:
    """The log, the event, and the field of its id."""
    found = _NOTIFICATION(data)
    if found is None:
        return None, data, b""
    log = found["log"].decode()
    field = field_of(log, found["position"])
    return log, b"%b%b\n%b" % (GAP, field, data), field


EVENTS: Final = EventWire()
"""The encoding of all streams."""
