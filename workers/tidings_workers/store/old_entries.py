"""The entries that leave Redis for their age, with all that the archive keeps of them. Pure."""

from typing import NamedTuple

from msgspec import Struct

from tidings_workers.store.entries import Entry
from tidings_workers.store.keys import Log
from tidings_workers.store.uses import Use


class PlainSend(NamedTuple):
    """The facts of a send to one log: its position, ms from acceptance to storage, and recipients or -1."""

    position: int
    waited: int
    recipients: int


class OldEntry(Struct, frozen=True, kw_only=True):
    """An entry of a log that is older than the retention. Times are Unix ms.

    `plain`: the facts of the send, if it has no record. `receipts` are the numbers of users that received,
    saw and read it; `actions`: how many used each action. The fields from `delivered` on are those of the
    user, in a user's own log.
    """

    log: Log
    entry: Entry
    category: str
    plain: PlainSend | None
    receipts: tuple[int, int, int]
    actions: dict[str, int]
    delivered: bool
    seen_at: int | None
    read_at: int | None
    archived_at: int | None
    used: Use | None
