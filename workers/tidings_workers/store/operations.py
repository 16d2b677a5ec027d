"""The work of dispatchers as data: operations of an ingress entry, and the steps that they become.

The ingress stores operations (`Compound` to `CountMoves`), and a dispatcher of another version may read them:
add fields at the end, with a default. Steps are not stored.
"""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from tidings_workers.store.intervals import Bounds
from tidings_workers.store.packing import Packed

ACTION: Final = "action:"
"""The start of the kind of a move that ends in the id of an action."""


class Compound(Struct, array_like=True, frozen=True, tag="c"):
    """Write the copies of a compound notification.

    `cuts`: the clocks of its groups when it was accepted, in the order in which it names them. Entries of
    earlier versions have none.
    """

    tenant: str
    id: str
    cuts: tuple[int, ...] = ()


class Membership(Struct, array_like=True, frozen=True, tag="m"):
    """The users' side of joining a group (or leaving it) at a position of its log.

    `number`: that of the last of these changes by the group's clock; 0 from earlier versions.
    """

    tenant: str
    group: str
    joined: bool
    position: int
    users: list[str]
    number: int = 0


class Hide(Struct, array_like=True, frozen=True, tag="h"):
    """Hide one position of a log from excluded users; then the notification is stored."""

    tenant: str
    log_base: str
    position: int
    users: list[str]
    id: str


class Recall(Struct, array_like=True, frozen=True, tag="r"):
    """Remove the copies of a compound notification; `late` when calls that write some may still arrive."""

    tenant: str
    id: str
    late: bool = False


class Disband(Struct, array_like=True, frozen=True, tag="d"):
    """End every membership of a deleted group; `members` names the list that was set aside."""

    tenant: str
    group: str
    position: int
    members: str


class Probe(Struct, array_like=True, frozen=True, tag="p"):
    """Write the token into a target partition, as a sign that a dispatcher works."""

    token: str
    target: int


class Move(Struct, array_like=True, frozen=True):
    """These users got as far as `kind` with the positions `after` < p <= `up_to` of a log.

    `kind` is delivered, seen, read, or ACTION and the id of an action that they used at one position; each is
    counted the first time only.
    """

    tenant: str
    log_base: str
    kind: str
    after: int
    up_to: int
    users: list[str]


class CountMoves(Struct, array_like=True, frozen=True, tag="v"):
    """Count moves on the receipts of their notifications."""

    moves: list[Move]


Operation = Compound | Membership | Hide | Recall | Disband | Probe | CountMoves

decode_operations: Final = msgspec.msgpack.Decoder(list[Operation]).decode


class AppendCopies(Packed, frozen=True, tag="n"):
    """Append copies of a compound notification to the logs of these users."""

    bases: list[str]
    id: str
    content: str
    expires: int
    category: str


class SetMembership(Packed, frozen=True, tag="m"):
    """The user of this base joined the group, or left it, at a position of its log.

    `number` as in `Membership`.
    """

    base: str
    group: str
    joined: bool
    position: int
    number: int


class HidePosition(Packed, frozen=True, tag="h"):
    """Hide a position of a log from the user of this base."""

    base: str
    log_base: str
    position: int


class RecallCopy(Packed, frozen=True, tag="r"):
    """Recall the copy that the user of this base has; `late` as in `Recall`."""

    base: str
    id: str
    late: bool


class AnswerProbe(Packed, frozen=True, tag="p"):
    """Write the token of a probe."""

    key: str
    token: str


class CountOnRecord(Packed, frozen=True, tag="v"):
    """Add users to the receipts of a compound notification."""

    record: str
    kind: str
    count: int


class CountOnLog(Packed, frozen=True, tag="t"):
    """Add users to the receipts of a set of positions.

    `fewer`: positions that exclude some of these users, each with their number.
    """

    base: str
    kind: str
    positions: Bounds
    count: int
    fewer: list[tuple[int, int]]


TargetOperation = (
    AppendCopies | SetMembership | HidePosition | RecallCopy | AnswerProbe | CountOnRecord | CountOnLog
)
"""An operation that a target partition applies (see apply.lua)."""

ByPartition = dict[int, list[TargetOperation]]


class StepPart(Packed, frozen=True):
    """The operations of a step in one target partition."""

    id: int
    number: int
    operations: list[TargetOperation]


class Work(NamedTuple):
    """One ingress entry: its id (rising within its partition) and its operations."""

    id: int
    operations: list[Operation]


class Step(NamedTuple):
    """Part of the work of one entry: the operations that each target partition applies.

    `number` rises within the entry and is the same whenever the step is made again. `finish` is called after
    the step was applied.
    """

    id: int
    number: int
    operations: ByPartition
    finish: Callable[[], Awaitable[None]] | None = None
