"""What the server answers, as the caller gets it: `tidings.protocol.rest` with times as datetimes.

Times are aware, in UTC. Unknown fields are ignored everywhere, and words such as `status` are plain
strings: a newer server may add to both.
"""

from datetime import datetime
from typing import Any, Generic, TypeVar

from msgspec import Struct

from tidings import _publish
from tidings.protocol.frames import Counts, Resume
from tidings.protocol.notifications import Notification, Receipts, ReceivedAction
from tidings.protocol.rest import SentTarget

T = TypeVar("T")


class Sent(Struct, frozen=True, kw_only=True):
    """An accepted notification.

    `durability` is what held when it was accepted: `memory`, `everysec` or `always`. `replayed` is
    true where the server had already accepted this idempotency key and repeated its answer.
    """

    id: str
    status: str
    durability: str
    accepted_at: datetime
    replayed: bool = False


class BatchSent(Struct, frozen=True, kw_only=True):
    """One accepted notification of a batch."""

    id: str
    status: str


class SentNotification(Struct, frozen=True, kw_only=True):
    """A notification as its sender sees it: content, `status` and receipts.

    `status` is `accepted`, `stored` (for every recipient), `cancelled` or `recalled`.
    """

    id: str
    status: str
    to: SentTarget
    accepted_at: datetime
    stored_at: datetime | None = None
    receipts: Receipts | None = None
    category: str | None = None
    title: str | None = None
    body: str | None = None
    data: dict[str, Any] | None = None
    link: str | None = None
    icon: str | None = None
    actions: tuple[ReceivedAction, ...] = ()
    priority: str = "normal"
    created_at: datetime | None = None
    expires_at: datetime | None = None


class Group(Struct, frozen=True):
    """A group with the number of its members."""

    id: str
    members: int
    created_at: datetime


class Member(Struct, frozen=True):
    """A member of a group."""

    user: str
    joined_at: datetime


class UserReceipt(Struct, frozen=True, kw_only=True):
    """How far a notification came with one user.

    What came about stays true when the user takes a mark back; the times are those of the inbox now.
    """

    user: str
    delivered: bool
    seen: bool
    read: bool
    seen_at: datetime | None = None
    read_at: datetime | None = None


class OpenConnection(Struct, frozen=True):
    """One connection that is open now; `device` is None where it named none."""

    connection: str
    device: str | None
    connected_at: datetime


class Presence(Struct, frozen=True):
    """Whether a user is online, and since when on which devices.

    `last_seen_at` is now while online, else when the last connection ended; None for who never came.
    """

    online: bool
    connections: tuple[OpenConnection, ...]
    last_seen_at: datetime | None


class Erased(Struct, frozen=True):
    """What was erased of a user: how many of each."""

    user: str
    notifications: int
    marks: int
    memberships: int
    devices: int
    connections: int
    erased_at: datetime


class UserToken(Struct, frozen=True):
    """A token for one user's own inbox, and where to connect with it."""

    token: str
    expires_at: datetime
    realtime_url: str


class InboxItem(Struct, frozen=True, kw_only=True):
    """A notification in a user's inbox. `state` is `unseen`, `seen`, `read` or `archived`."""

    log: str
    position: int
    state: str
    seen_at: datetime | None = None
    read_at: datetime | None = None
    archived_at: datetime | None = None
    notification: Notification


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list. `next` and `previous` are cursors, None at the ends."""

    items: tuple[T, ...]
    next: str | None = None
    previous: str | None = None


class InboxPage(Struct, frozen=True, kw_only=True):
    """One page of an inbox, newest first, with the counts of the whole inbox."""

    items: tuple[InboxItem, ...]
    next: str | None = None
    previous: str | None = None
    counts: Counts
    epoch: str
    positions: dict[str, int]
    state_version: int | None = None

    @property
    def resume(self) -> Resume:
        """What to give to `listen`, so that nothing between this page and the connection is missed.

        Neither what was sent nor what was marked.
        """
        return Resume(self.epoch, dict(self.positions), self.state_version)


_publish(globals())
