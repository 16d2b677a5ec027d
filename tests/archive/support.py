"""Rows for tests of the archive."""

import msgspec

from tidings_workers.archive import ArchivedEntry, ArchivedNotification, StateSegment
from tidings_workers.store.ids import new_id

JANUARY = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
DAY = 86_400_000


def notification(
    at: int, category: str = "", *, to: object = None, tenant: str = "acme", **fields: object
) -> ArchivedNotification:
    """A notification of a time, to the user `ana` unless told otherwise."""
    id_ = new_id(at, 7)
    row: dict[str, object] = {
        "tenant": tenant,
        "id": id_,
        "at": at,
        "category": category,
        "content": b'{"id":"%s","title":"Caf\\u0000\xc3\xa9"}' % id_.encode(),
        "target": msgspec.json.encode(to if to is not None else {"users": ["ana"]}),
        "stored_at": at,
        "recipients": 1,
    }
    return ArchivedNotification(**{**row, **fields})  # type: ignore[arg-type]


def entry(
    of: ArchivedNotification, position: int, log: str = "u/acme/ana", **fields: object
) -> ArchivedEntry:
    """The entry of a notification in a log, the user log of `ana` unless told otherwise."""
    row: dict[str, object] = {
        "tenant": of.tenant,
        "log": log,
        "position": position,
        "at": of.at,
        "id": of.id,
        "category": of.category,
    }
    return ArchivedEntry(**{**row, **fields})  # type: ignore[arg-type]


def segment(after: int, up_to: int, **fields: object) -> StateSegment:
    """A segment of `ana` in the log of all."""
    row: dict[str, object] = {
        "tenant": "acme",
        "user": "ana",
        "log": "a/acme",
        "after": after,
        "up_to": up_to,
        "saved_at": JANUARY,
        "state": b"%d-%d" % (after, up_to),
    }
    return StateSegment(**{**row, **fields})  # type: ignore[arg-type]
