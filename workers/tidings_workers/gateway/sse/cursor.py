"""The cursor of a stream: the position in every log, as the id of an event.

A client that reconnects sends the last id, and gets what followed. The text is opaque to clients, printable
ASCII, and in a header as in a query:

    1,<owner>,<epoch>,<state version>,p=<packed>,u=<position>,a=<position>,g=<group>=<position>,
    t=<topic>=<position>

A user with many groups has most of them in `packed`: see `packed.pack`. The other fields are newer. The owner
is a digest of tenant and user: a cursor of one user is refused for another one.

A client that was connected otherwise has no cursor. It sends its progress as JSON: see `frames.Resume`.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final
from zlib import crc32

import msgspec
from msgspec import Struct

from tidings.protocol.frames import Resume
from tidings.protocol.names import group_of_log, is_id, is_topic, log_of_group, log_of_topic, topic_of_log
from tidings_workers.gateway.sse.packed import Packed, pack, unpack

# Of fields with names, and of those that are packed. nginx accepts 8 KB in one line of a request.
NAMED_BYTES: Final = 1_000
PACKED_BYTES: Final = 6_400

_VERSION: Final = "1"
_HIGHEST: Final = 2**53 - 1
_FORM: Final = re.compile(
    r"1,(?P<owner>[0-9a-f]{8}),(?P<epoch>[0-9a-f]{1,64}),(?P<version>[0-9]{1,16})(?P<fields>(?:,[!-~]+)?)"
).fullmatch
_FIELD: Final = re.compile(
    r"(?:(?P<own>[ua])|g=(?P<group>.+)|t=(?P<topic>.+))=(?P<position>[0-9]{1,16})"
).fullmatch
_OWN: Final = {"u": "user", "a": "all"}
_OWN_LENGTH: Final = max(map(len, _OWN.values()))
# Positions that are packed at once, and not one after the other.
_MANY: Final = 50
_PACKED: Final = "p="

_decode_resume: Final = msgspec.json.Decoder(Resume).decode


class Cursor(Struct, frozen=True):
    """The progress of a client: see `frames.Resume`. `owner`: see `owner_of`; empty for progress as JSON.

    `packed`: the positions of logs that `positions` does not name.
    """

    owner: str
    epoch: str
    state_version: int | None
    positions: dict[str, int]
    packed: Packed | None = None


def owner_of(tenant: str, user: str) -> str:
    """The digest of a user in a cursor."""
    return f"{crc32(f'{tenant}/{user}'.encode()):08x}"


def read(text: str) -> Cursor | None:
    """The cursor in the text of a client; None when it is not one."""
    if text.startswith("{"):
        return _of_resume(text)
    form = _FORM(text)
    if form is None:
        return None
    positions: dict[str, int] = {}
    packed, fields = None, form["fields"].split(",")[1:]
    if fields and fields[0].startswith(_PACKED):
        packed = unpack(fields.pop(0).removeprefix(_PACKED))
        if packed is None:
            return None
    for field in fields:
        found = _FIELD(field)
        log = _log_of(found) if found is not None else None
        if found is None or log is None or int(found["position"]) > _HIGHEST:
            return None
        positions[log] = int(found["position"])
    return Cursor(form["owner"], form["epoch"], min(int(form["version"]), _HIGHEST), positions, packed)


def _of_resume(text: str) -> Cursor | None:
    try:
        resume = _decode_resume(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return Cursor("", resume.epoch, resume.state_version, resume.positions)


def _log_of(field: re.Match[str]) -> str | None:
    if field["own"]:
        return _OWN[field["own"]]
    if field["group"]:
        return log_of_group(field["group"]) if is_id(field["group"]) else None
    return log_of_topic(field["topic"]) if is_topic(field["topic"]) else None


def field_of(log: str, position: bytes) -> bytes:
    """The field of one log, with a position in digits."""
    group, topic = group_of_log(log), topic_of_log(log)
    if group is not None:
        return b"g=%b=%b" % (group.encode(), position)
    if topic is not None:
        return b"t=%b=%b" % (topic.encode(), position)
    return b"%b=%b" % (log[:1].encode(), position)


class Progress:
    """The positions up to which a connection was sent its logs, as the ids of its events.

    `owner`, `epoch`: see `Cursor`. With more than NAMED_BYTES of fields, those of groups and topics are
    packed. Where they do not fit into PACKED_BYTES, the logs with the lowest positions are left out, of which
    a resume replays least.
    """

    __slots__ = ("_fields", "_head", "_last", "_packed", "_prefix", "_rest", "_size", "_version")

    def __init__(self, owner: str, epoch: str, state_version: int) -> None:
        self._head = f"id: {_VERSION},{owner},{epoch},".encode()
        self._version = b"%d" % state_version
        # By log; the one that moved last is at the end.
        self._fields: dict[str, bytes] = {}
        self._size = 0
        # The positions that are packed, and their field.
        self._rest: dict[str, int] | None = None
        self._packed = b""
        # The line before the field of the log that moved last, once it was needed.
        self._last = ""
        self._prefix = b""

    def advance(self, log: str, field: bytes) -> None:
        """The client was sent a log up to the position in a field of `field_of`."""
        before = self._fields.pop(log, None)
        self._size += len(field) + 1 if before is None else len(field) - len(before)
        self._fields[log] = field
        if log != self._last:
            self._last, self._prefix = log, b""
        if self._size > NAMED_BYTES:
            self._pack({})

    def _pack(self, more: Mapping[str, int]) -> None:
        """Pack these positions, and the fields of groups and topics."""
        rest = dict(self._rest or ())
        for log, field in list(self._fields.items()):
            if len(log) > _OWN_LENGTH:
                rest[log] = int(field.rpartition(b"=")[2])
                self._size -= len(self._fields.pop(log)) + 1
        rest.update(more)
        text, self._rest = pack(rest, PACKED_BYTES)
        self._packed = f"{_PACKED}{text},".encode()
        self._prefix = b""

    def place(self, positions: Mapping[str, int]) -> None:
        """The client was sent, or starts after, these positions."""
        fields, rest = self._fields, self._rest or {}
        many: dict[str, int] = {}
        for log, position in positions.items():
            if log in fields or len(log) <= _OWN_LENGTH:
                self.advance(log, field_of(log, b"%d" % position))
            elif rest.get(log) != position:
                many[log] = position
        if len(many) > _MANY:
            self._pack(many)
            return
        for log, position in many.items():
            self.advance(log, field_of(log, b"%d" % position))

    def has(self, log: str) -> bool:
        """Whether the cursor has a position in this log."""
        return log in self._fields or (self._rest is not None and log in self._rest)

    def forget(self, log: str) -> None:
        """The client does not follow a topic any more."""
        field = self._fields.pop(log, None)
        self._prefix = b""
        if field is not None:
            self._size -= len(field) + 1
        if self._rest is not None and self._rest.pop(log, None) is not None:
            self._pack({})

    def restate(self, version: int) -> None:
        """The client was sent the state of this version."""
        self._version = b"%d" % version
        self._prefix = b""

    def before(self, log: str) -> bytes:
        """The line with the id of an event in this log, before its field."""
        if self._last != log or not self._prefix:
            self._last = log
            others = [field + b"," for name, field in self._fields.items() if name != log]
            self._prefix = b"%b%b,%b%b" % (self._head, self._version, self._packed, b"".join(others))
        return self._prefix

    def line(self) -> bytes:
        """The line with the id of an event."""
        last = next(reversed(self._fields), "")
        return (self.before(last) + self._fields.get(last, b"")).rstrip(b",") + b"\n"


def topics(positions: Collection[str]) -> set[str]:
    """The topics among the names of logs."""
    return {topic for log in positions if (topic := topic_of_log(log)) is not None}
