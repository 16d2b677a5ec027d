"""What a gateway knows of one user: memberships, hidden positions, state, and the open connections.

Memberships are intervals of positions of the groups' logs. Changes of them may be told twice (a
feed may repeat what an attach has already read), so every change says whether it was news.
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from tidings.protocol.frames import Counts
from tidings.protocol.names import log_of_group
from tidings_workers.gateway.topics import Topic
from tidings_workers.store import intervals
from tidings_workers.store.counting import unsettled
from tidings_workers.store.feeds import FeedItem
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.logs import END, Facts
from tidings_workers.store.marks import Change
from tidings_workers.store.state import LogState, put
from tidings_workers.store.view import View, spans_of

if TYPE_CHECKING:
    from tidings_workers.gateway.connection import Connection

_NOTHING = Facts(0, 0, [])


class User:
    """One user on this gateway.

    `groups` are the topics of the groups that the user is in, as soon as they are followed. Until
    then a membership does not count here: `joined` tells the connections when it begins to. `former` are
    those of groups that the user has left, whose part still counts.
    `departures` are the ends of memberships that the groups' feeds told of, the user's slot not yet.
    `waiting` holds what the feeds brought before the memberships were read; None afterwards.
    `hidden` and `states` are by the bases of the logs, as of `state_version`.
    """

    __slots__ = (
        "_next",
        "all",
        "connections",
        "departures",
        "former",
        "groups",
        "hidden",
        "looking",
        "memberships",
        "name",
        "state_version",
        "states",
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
        self.former: dict[str, Topic] = {}
        self.departures: dict[str, list[int]] = {}
        self.hidden: dict[str, Bounds] = {}
        self.states: dict[str, LogState] = {}
        self.state_version = 0
        self.connections: dict[Connection, None] = {}
        self.waiting: list[FeedItem] | None = []
        # Done when the user's slot has been read again; None while nobody does that.
        self.looking: asyncio.Future[None] | None = None
        # Marks that wait for the version that they made; None while none does.
        self._next: asyncio.Future[None] | None = None

    # State

    def know(self, view: View) -> None:
        """Take what was read of the user's slot, but for the memberships."""
        self.hidden = view.hidden
        # Times and receipts are the store's.
        self.states = {
            base: LogState(seen=state.seen, read=state.read, archived=state.archived)
            for base, state in view.states.items()
        }
        self._set_version(view.version)

    def _set_version(self, version: int) -> None:
        self.state_version = version
        if self._next is not None:
            self._next.set_result(None)
            self._next = None

    def next_state(self) -> asyncio.Future[None]:
        """Done when another version of the state is known."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        return self._next

    def hide(self, base: str, position: int) -> None:
        """One position of a log is not for this user."""
        intervals.add(self.hidden.setdefault(base, []), position - 1, position)

    def take_change(self, version: int, change: Change) -> bool:
        """Take a change of state if it follows what is known; False when the state has to be read again."""
        if version != self.state_version + 1 or change.positions is None:
            return False
        for base, positions in change.positions.items():
            put(self.states.setdefault(base, LogState()), change.state, positions)
        self._set_version(version)
        return True

    def counts(self, now: int, reach: Mapping[str, int] | None = None) -> Counts:
        """How much there is in the inbox at a time (ms); see `tidings_workers.store.counting`.

        With `reach`, up to these positions of the logs.
        """
        unseen = unread = version = 0
        for topic, spans in self._parts():
            base, facts = topic.log.base, topic.facts(now)
            if reach is not None:
                facts = facts._replace(head=min(facts.head, reach.get(topic.log.name, facts.head)))
            hidden, state = self.hidden.get(base), self.states.get(base)
            visible = intervals.minus(spans, hidden) if hidden else spans
            if state is None:
                live = facts.live(visible)
                unseen, unread = unseen + live, unread + live
            else:
                unseen += facts.live(unsettled(visible, state, "seen"))
                unread += facts.live(unsettled(visible, state, "read"))
            version += intervals.size_up_to(spans, facts.head) + facts.changes
        return Counts(unseen, unread, version)

    def _parts(self) -> Iterator[tuple[Topic, Bounds]]:
        """Every log that counts by now, and the spans of it that ever are the user's."""
        yield self.topic, [0, END]
        yield self.all, [0, END]
        for group, memberships in self.memberships.items():
            topic = self.groups.get(group) or self.former.get(group)
            if topic is not None:
                yield topic, spans_of(memberships)

    def may_see(self, name: str, position: int) -> bool:
        """Whether one position of a log is the user's."""
        hidden = self.hidden.get(self.base(name))
        return bool(self.spans(name, position - 1, position)) and not (
            hidden and intervals.contains(hidden, position)
        )

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
        self.memberships[group] = self.ended(group, [*intervals, (position, -1)])
        return True

    def leave(self, group: str, position: int) -> bool:
        """No longer a member after `position`; False when that was known."""
        if not self.is_active(group) or position < self.memberships[group][-1][0]:
            return False
        start = self.memberships[group][-1][0]
        self.memberships[group][-1] = (start, position)
        return True

    def depart(self, group: str, position: int) -> None:
        """Some membership of a group has ended; which one, the user's slot may not have said yet."""
        self.departures.setdefault(group, []).append(position)

    def arrive(self, group: str, position: int) -> None:
        """The user's slot knows of every end up to a position."""
        left = [end for end in self.departures.pop(group, ()) if end > position]
        if left:
            self.departures[group] = left

    def ended(self, group: str, intervals: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Memberships as the user's slot has them, the last one with its end if that was heard of."""
        start, end = intervals[-1] if intervals else (0, 0)
        heard = next((end for end in self.departures.get(group, ()) if end > start), None)
        return [*intervals[:-1], (start, heard)] if end < 0 and heard is not None else intervals

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

    def topic_of(self, name: str) -> Topic | None:
        """The topic of any log of the user; None for a group's that could not be looked at yet."""
        return self.followed(name) or self.former.get(name.removeprefix("group:"))

    def base(self, name: str) -> str:
        """The base of a log by its name."""
        topic = self.topic_of(name)
        return topic.log.base if topic is not None else f"g/{self.tenant}/{name.removeprefix('group:')}"

    def facts(self, name: str, now: int) -> Facts:
        """The arithmetic of a log at a time (ms)."""
        topic = self.topic_of(name)
        return topic.facts(now) if topic is not None else _NOTHING

    def all_spans(self, name: str) -> Bounds:
        """Every position of a log that is, or will be, in the user's spans."""
        if not name.startswith("group:"):
            return [0, END]
        return spans_of(self.memberships.get(name.removeprefix("group:"), ()))

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
