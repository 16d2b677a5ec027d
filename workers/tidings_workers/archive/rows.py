"""The rows of the archive. Times are Unix milliseconds; ids are UUIDv7 text.

`at` is the time at which a notification was accepted, `milliseconds_of_id(id)`. Content and target are the
bytes that were archived. A log is named by its base, such as ``u/<tenant>/<user>`` (see `store.keys`).
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

StateFilter = Literal["unseen", "seen", "unread", "read", "archived"]
ArchivedState = StateFilter | Literal["listed"]


class ArchivedEntry(Struct, frozen=True, kw_only=True):
    """An entry of a log. `expires` is ms or 0; `exclude` has users who may not see it.

    The fields from `delivered` on are those of the user of a user's log, as they last were; in other logs
    they have their defaults. A time of None: the user has not seen, read or archived the entry, or has
    reverted that. A time of 0: since an unknown time. `seen` and `read`: whether the user ever had.
    `action` is the id of the action that the user used at `action_at`.
    """

    tenant: str
    log: str
    position: int
    at: int
    id: str
    category: str = ""
    expires: int = 0
    exclude: frozenset[str] = frozenset()
    delivered: bool = False
    seen: bool = False
    read: bool = False
    seen_at: int | None = None
    read_at: int | None = None
    archived_at: int | None = None
    action: str | None = None
    action_at: int | None = None


class ArchivedNotification(Struct, frozen=True, kw_only=True):
    """A notification with the fields of `store.StoredNotification`.

    `content` is the JSON that a receiver gets, and `target` the JSON of `to`. `actions`: how many users used
    each action.
    """

    tenant: str
    id: str
    at: int
    category: str = ""
    content: bytes
    target: bytes
    status: str = "stored"
    stored_at: int | None = None
    recipients: int | None = None
    position: int = 0
    delivered: int = 0
    seen: int = 0
    read: int = 0
    actions: dict[str, int] = {}


class Claim(NamedTuple):
    """The right to write the entries of a partition of the store, until the next claim of it."""

    partition: int
    number: int


class ArchivedItem(NamedTuple):
    """An entry with the content of its notification."""

    entry: ArchivedEntry
    content: bytes


class StateSegment(Struct, frozen=True, kw_only=True):
    """The last state of one user for positions `after` < p <= `up_to` of the log of a group or of all.

    `state` are bytes of the archiver's own format. A segment never changes.
    """

    tenant: str
    user: str
    log: str
    after: int
    up_to: int
    saved_at: int
    state: bytes


class LogPart(Struct, frozen=True, kw_only=True):
    """A part of a log to read: at most `limit` entries at these positions.

    `positions` are `store.intervals.Bounds`. `category` is exact, or a prefix that ends in a dot; '' is any.
    The entry was accepted at `since` or later, and before `until`; None is without bound. `states` narrows
    the log of a user, with the meanings of an inbox list: "listed" is without archived entries, `unseen`,
    `seen`, `unread` and `read` are a part of these, and None is without a filter.
    """

    log: str
    positions: Sequence[int]
    limit: int
    newest_first: bool = True
    category: str = ""
    since: int | None = None
    until: int | None = None
    states: ArchivedState | None = None


class SentQuery(Struct, frozen=True, kw_only=True):
    """A page of the notifications of a tenant, in order of their ids, which is the order of acceptance.

    The page begins after `boundary`, an id that it does not have, in its direction; '' is the end of the
    list. `category`, `since` and `until` as in `LogPart`. Without `topics` it has no sends to topics.
    """

    tenant: str
    limit: int
    newest_first: bool = True
    boundary: str = ""
    category: str = ""
    since: int | None = None
    until: int | None = None
    topics: bool = True


class SentPage(NamedTuple):
    """A page of notifications. `boundary` is that of the next page, or '' when there is none.

    A page may be shorter than its limit although another one follows: one call looks at 20,000 at most.
    """

    items: list[ArchivedNotification]
    boundary: str


class ArchiveRules(Struct, frozen=True):
    """How long the archive keeps the notifications of a tenant, in milliseconds; None is for ever.

    `categories`: pairs of a category, or of a prefix that ends in a dot, and its time. The longest name that
    matches applies; `default` applies to all other categories.
    """

    default: int | None
    categories: tuple[tuple[str, int | None], ...] = ()


class ArchiveHealth(Struct, frozen=True, kw_only=True):
    """The condition of the archive. `fault` is '' when it works; then the other fields are known.

    `rows` estimates the entries; `size` is in bytes. `oldest` and `newest` are times of notifications, None
    in an empty archive. `writable`: this user may add and remove rows.
    """

    reachable: bool
    fault: str = ""
    version: int = 0
    rows: int = 0
    size: int = 0
    writable: bool = False
    oldest: int | None = None
    newest: int | None = None
