"""Between the types of `rows` and the values of columns. Pure."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from tidings_workers.archive.ids import Ids
from tidings_workers.archive.rows import (
    ArchivedEntry,
    ArchivedItem,
    ArchivedNotification,
    StateSegment,
)

END: Final = 2**53 - 1
"""No position and no time is higher."""

USER_LOGS: Final = "u/"
"""The first part of the short names of users' logs, see `short_log`."""

LAST_TEXT: Final = "\U0010ffff"
"""No category is higher, in the order of bytes."""

STATE_COLUMNS: Final = (
    "delivered",
    "seen",
    "read",
    "seen_at",
    "read_at",
    "archived_at",
    "action",
    "action_at",
)
"""The columns of an entry that a later append with a claim replaces."""
ENTRY_COLUMNS: Final = (
    "tenant",
    "log",
    "position",
    "at",
    "id",
    "category",
    "expires",
    "exclude",
    *STATE_COLUMNS,
)
NOTIFICATION_COLUMNS: Final = (
    "tenant",
    "id",
    "at",
    "category",
    "status",
    "stored_at",
    "recipients",
    "position",
    "delivered",
    "seen",
    "read",
    "topics",
    "actions",
    "target",
    "content",
)
SEGMENT_COLUMNS: Final = ("tenant", "username", "log", "after", "up_to", "saved_at", "state")


class _Target(Struct):
    """The part of a target that decides on the fate of its notification."""

    users: Sequence[str] = ()
    groups: Sequence[str] = ()
    topics: Sequence[str] = ()
    all: bool = False


_target: Final = msgspec.json.Decoder(_Target)
_actions: Final = msgspec.json.Decoder(dict[str, int])


def short_log(tenant: str, base: str) -> str:
    """The base of a log without its tenant: ``u/ana`` for ``u/acme/ana``. Raises ValueError for others."""
    kind, slash, name = base[:1], f"/{tenant}", base[2 + len(tenant) :]
    if base[1 : 2 + len(tenant)] != slash or (name and not name.startswith("/")):
        raise ValueError(f"the log {base!r} is none of the tenant {tenant!r}")
    return kind + name


def log_of(tenant: str, short: str) -> str:
    """The base of a log that `short_log` shortened."""
    return f"{short[0]}/{tenant}{short[1:]}"


def categories(wanted: str) -> tuple[str, str]:
    """The lowest and the highest category that is wanted: exact, or with a prefix that ends in a dot."""
    if not wanted:
        return "", LAST_TEXT
    return wanted, wanted + LAST_TEXT if wanted.endswith(".") else wanted


def span(since: int | None, until: int | None) -> tuple[int, int]:
    """A span of time without None. Times below 0 and above `END` are these."""
    low = 0 if since is None else min(max(since, 0), END)
    return low, END if until is None else min(max(until, 0), END)


def is_to_topics(target: bytes) -> bool:
    """Whether a notification was sent to topics."""
    return bool(_target.decode(target).topics)


def is_only_to(user: str, target: bytes) -> bool:
    """Whether a notification was sent to this user alone."""
    found = _target.decode(target)
    return set(found.users) == {user} and not (found.groups or found.topics or found.all)


def entry_values(entry: ArchivedEntry, ids: Ids) -> tuple[Any, ...]:
    """The values of `ENTRY_COLUMNS`."""
    return (
        entry.tenant,
        short_log(entry.tenant, entry.log),
        entry.position,
        entry.at,
        ids.stored(entry.id),
        entry.category,
        entry.expires or None,
        ",".join(sorted(entry.exclude)) or None,
        entry.delivered,
        entry.seen,
        entry.read,
        entry.seen_at,
        entry.read_at,
        entry.archived_at,
        entry.action,
        entry.action_at,
    )


def entry_of(row: Sequence[Any], ids: Ids) -> ArchivedEntry:
    """The entry of a row that begins with `ENTRY_COLUMNS`."""
    exclude = row[7]
    return ArchivedEntry(
        tenant=row[0],
        log=log_of(row[0], row[1]),
        position=row[2],
        at=row[3],
        id=ids.read(row[4]),
        category=row[5],
        expires=row[6] or 0,
        exclude=frozenset(exclude.split(",")) if exclude else frozenset(),
        delivered=bool(row[8]),
        seen=bool(row[9]),
        read=bool(row[10]),
        seen_at=row[11],
        read_at=row[12],
        archived_at=row[13],
        action=row[14],
        action_at=row[15],
    )


def item_of(row: Sequence[Any], ids: Ids) -> ArchivedItem:
    """The item of a row of `ENTRY_COLUMNS` and the content."""
    return ArchivedItem(entry_of(row, ids), row[16])


def notification_values(one: ArchivedNotification, ids: Ids) -> tuple[Any, ...]:
    """The values of `NOTIFICATION_COLUMNS`."""
    return (
        one.tenant,
        ids.stored(one.id),
        one.at,
        one.category,
        one.status,
        one.stored_at,
        one.recipients,
        one.position,
        one.delivered,
        one.seen,
        one.read,
        is_to_topics(one.target),
        msgspec.json.encode(one.actions).decode() if one.actions else None,
        one.target,
        one.content,
    )


def notification_of(row: Sequence[Any], ids: Ids) -> ArchivedNotification:
    """The notification of a row of `NOTIFICATION_COLUMNS`."""
    return ArchivedNotification(
        tenant=row[0],
        id=ids.read(row[1]),
        at=row[2],
        category=row[3],
        status=row[4],
        stored_at=row[5],
        recipients=row[6],
        position=row[7],
        delivered=row[8],
        seen=row[9],
        read=row[10],
        actions=_actions.decode(row[12]) if row[12] else {},
        target=row[13],
        content=row[14],
    )


def segment_values(segment: StateSegment) -> tuple[Any, ...]:
    """The values of `SEGMENT_COLUMNS`."""
    return (
        segment.tenant,
        segment.user,
        short_log(segment.tenant, segment.log),
        segment.after,
        segment.up_to,
        segment.saved_at,
        segment.state,
    )


def segment_of(row: Sequence[Any]) -> StateSegment:
    """The segment of a row of `SEGMENT_COLUMNS`."""
    return StateSegment(
        tenant=row[0],
        user=row[1],
        log=log_of(row[0], row[2]),
        after=row[3],
        up_to=row[4],
        saved_at=row[5],
        state=row[6],
    )
