"""What a gateway knows of one user: memberships, hidden marks, and the open connections.

Memberships are intervals of positions of the groups' logs. Changes of them may be told twice (a
feed may repeat what an attach has already read), so every change says whether it was news.
"""

from typing import TYPE_CHECKING

from tidings.protocol.names import log_of_group
from tidings_workers.gateway.topics import Topic
from tidings_workers.store.feeds import FeedItem
from tidings_workers.store.logs import Facts

if TYPE_CHECKING:
    from tidings_workers.gateway.connection import Connection

_NOTHING = Facts(0, 0, [])


class User:
    """One user on this gateway.

    `groups` are the topics of the groups that the user is in, as soon as they are followed. Until
    then a membership does not count here: `joined` tells the connections when it begins to.
    `waiting` holds what the feeds brought before the memberships were read; None afterwards.
    """

    __slots__ = (
        "all",
        "connections",
        "former",
        "groups",
        "hidden",
        "memberships",
        "name",
        "tenant",
        "topic",
        "waiting",
    )

    all: Topic

    def __init__(self, tenant: str, name: str, topic: Topic) -> None:
        self.tenant = tenant
        self.name = name
        self.topic = topic
        self.groups: dict[str, Topic] = {}
        self.memberships: dict[str, list[tuple[int, int]]] = {}
        # Facts of groups that the user has left: their logs are not followed.
        self.former: dict[str, Facts] = {}
        self.hidden: set[str] = set()
        self.connections: dict[Connection, None] = {}
        self.waiting: list[FeedItem] | None = []

    # Memberships

    def is_active(self, group: str) -> bool:
        """Whether the user is a member of a group."""
        intervals = self.memberships.get(group)
        return intervals is not None and intervals[-1][1] < 0

    def join(self, group: str, position: int) -> bool:
        """Became a member after `position`; False when that was known."""
        intervals = self.memberships.setdefault(group, [])
        if intervals and (intervals[-1][1] < 0 or position < intervals[-1][1]):
            return False
        intervals.append((position, -1))
        return True

    def leave(self, group: str, position: int) -> bool:
        """No longer a member after `position`; False when that was known."""
        if not self.is_active(group) or position < self.memberships[group][-1][0]:
            return False
        start = self.memberships[group][-1][0]
        self.memberships[group][-1] = (start, position)
        return True

    # Logs

    def names(self) -> list[str]:
        """Every log of the user that counts by now."""
        known = (group for group in self.memberships if group in self.groups or not self.is_active(group))
        return ["user", "all", *map(log_of_group, known)]

    def followed(self, name: str) -> Topic | None:
        """The topic of a log by its name; None when it is not followed (a former group's)."""
        if name == "user":
            return self.topic
        if name == "all":
            return self.all
        return self.groups.get(name.removeprefix("group:"))

    def facts(self, name: str) -> Facts:
        """The arithmetic of a log."""
        topic = self.followed(name)
        if topic is not None:
            return topic.facts
        return self.former.get(name.removeprefix("group:"), _NOTHING)

    def end(self, name: str) -> int:
        """The last position of a log that the user may see by now."""
        topic = self.followed(name)
        if topic is not None:
            return topic.position
        intervals = self.memberships.get(name.removeprefix("group:"))
        return max(intervals[-1]) if intervals else 0

    def spans(self, name: str, after: int, up_to: int) -> list[tuple[int, int]]:
        """The parts of a log that the user may see, `after` < position <= `up_to`, in order."""
        if not name.startswith("group:"):
            return [(after, up_to)] if after < up_to else []
        parts = []
        for start, end in self.memberships.get(name.removeprefix("group:"), ()):
            low, high = max(start, after), min(up_to, end) if end >= 0 else up_to
            if low < high:
                parts.append((low, high))
        return parts
