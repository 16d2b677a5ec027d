"""A user on this gateway: memberships, hidden positions, state, and open connections."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tidings.protocol.frames import Counts
from tidings.protocol.names import group_of_log, log_of_group
from tidings_workers.gateway.memberships import Memberships
from tidings_workers.gateway.outlet import Outlet
from tidings_workers.gateway.recent import RecentEntries
from tidings_workers.gateway.states import apply_change
from tidings_workers.gateway.tails import Tail
from tidings_workers.store import intervals
from tidings_workers.store.changes import Change
from tidings_workers.store.counting import unsettled
from tidings_workers.store.entries import END, Facts
from tidings_workers.store.feed_items import FeedItem
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Keys, Log
from tidings_workers.store.state import LogState
from tidings_workers.store.view import View

_NOTHING = Facts(0, 0, [])


class Subscriber:
    """A connection as tails see it: the logs that it follows, and how far it was sent each.

    `cursors`: the last position that was sent, per log, while the subscriber catches up; None while it is
    live, because then the tails' positions are the cursors. Its catch-up moves them forward.
    `acknowledged`: its keys are the logs that the subscriber follows. A value is the start of the log, as in
    the welcome or a `joined` frame, and then the last position that the client acknowledged.
    """

    __slots__ = ("acknowledged", "cursors", "device", "id", "outlet", "user")

    def __init__(self, user: "User", connection_id: str, device: str | None, outlet: Outlet) -> None:
        self.user = user
        self.id = connection_id
        self.device = device
        self.outlet = outlet
        self.cursors: dict[str, int] | None = None
        self.acknowledged: dict[str, int] = {}

    @property
    def name(self) -> str:
        """The user's name."""
        return self.user.name

    def tails(self) -> "list[Tail[Subscriber]]":
        """The tails of its logs that are followed."""
        found = map(self.user.followed, self.acknowledged)
        return [tail for tail in found if tail is not None]

    def cursor(self, name: str) -> int:
        """The last position of a log that was sent or skipped; 0 for a log that it does not follow."""
        if self.cursors is not None:
            return self.cursors.get(name, 0)
        return self.user.log(name).end if name in self.acknowledged else 0

    def catch_up(self, cursors: dict[str, int]) -> None:
        """Follow its logs after these cursors. No tail sends to it until `go_live`."""
        self.stop()
        self.cursors = cursors
        for name, position in cursors.items():
            self.follow(name, position)

    def follow(self, name: str, position: int) -> None:
        """Follow a log whose start was sent to the client. A log that it follows already stays as it is."""
        self.acknowledged.setdefault(name, position)

    def acknowledge(self, name: str, position: int) -> None:
        """The client received everything in a log that it follows up to a position."""
        self.acknowledged[name] = position

    def go_live(self) -> None:
        """Let the tails send to it. It was sent every log up to its end."""
        self.cursors = None
        for tail in self.tails():
            tail.go_live(self)

    def stop(self) -> None:
        """Remove it from its tails."""
        for tail in self.tails():
            tail.stop(self)


class UserLog(NamedTuple):
    """One log of a user's inbox, made on each access.

    `tail` is None while the log of a group is not followed. `is_followed` is False for a group that the user
    has left. In the log of a group, `memberships` limit the positions that the user may see.
    """

    log: Log
    tail: "Tail[Subscriber] | None"
    is_followed: bool
    memberships: Memberships

    @property
    def group(self) -> str | None:
        """The group; None for the user's own log and that of all."""
        return self.log.group

    @property
    def name(self) -> str:
        """The name of the log in frames."""
        return self.log.name

    @property
    def end(self) -> int:
        """The last position that the user may see now; 0 if there is none."""
        if self.is_followed and self.tail is not None:
            return self.tail.position
        return self.memberships.end(self.group) if self.group is not None else 0

    @property
    def recent(self) -> RecentEntries | None:
        """The last entries in memory, if the log is followed and has any."""
        return self.tail.recent if self.tail is not None and self.is_followed else None

    def facts(self, now: int) -> Facts:
        """The facts of the log at a time in ms."""
        return self.tail.facts(now) if self.tail is not None else _NOTHING

    def spans(self, after: int, up_to: int) -> list[tuple[int, int]]:
        """The intervals that the user may see, `after` < position <= `up_to`, in order."""
        if self.group is None:
            return [(after, up_to)] if after < up_to else []
        return self.memberships.spans(self.group, after, up_to)

    def all_spans(self) -> Bounds:
        """All intervals that the user may see, now or later."""
        return [0, END] if self.group is None else self.memberships.all_spans(self.group)


class User:
    """One user on this gateway.

    `groups` are the tails of the user's groups that are followed; until then a membership does not count
    here. `former_groups` are those of groups that the user has left: the entries of those memberships still
    count. `unfollowed` has the groups of new memberships whose logs are not followed yet, each with the start
    of the first of them; the last may have ended. `deferred_items` are feed items that arrive while the data
    are read, else None. `hidden` and `states` have bases of logs as keys, and are as of `state_version`.
    """

    __slots__ = (
        "_keys",
        "_next",
        "all",
        "deferred_items",
        "former_groups",
        "groups",
        "hidden",
        "memberships",
        "name",
        "rereading",
        "state_version",
        "states",
        "subscribers",
        "tail",
        "tenant",
        "unfollowed",
    )

    def __init__(
        self, tenant: str, name: str, keys: Keys, tail: Tail[Subscriber], everyone: Tail[Subscriber]
    ) -> None:
        self.tenant = tenant
        self.name = name
        self._keys = keys
        self.tail = tail
        self.all = everyone
        self.memberships = Memberships()
        self.groups: dict[str, Tail[Subscriber]] = {}
        self.former_groups: dict[str, Tail[Subscriber]] = {}
        self.unfollowed: dict[str, int] = {}
        self.hidden: dict[str, Bounds] = {}
        self.states: dict[str, LogState] = {}
        self.state_version = 0
        self.subscribers: dict[Subscriber, None] = {}
        self.deferred_items: list[FeedItem] | None = []
        # Done when the user's data were read again; None while it is not being read.
        self.rereading: asyncio.Future[None] | None = None
        # Done at the next version of the state; None while nothing waits for it.
        self._next: asyncio.Future[None] | None = None

    def add(self, subscriber: Subscriber) -> None:
        """Add an open connection of the user."""
        self.subscribers[subscriber] = None

    def remove(self, subscriber: Subscriber) -> None:
        """Remove a connection that closes."""
        del self.subscribers[subscriber]

    # State

    def apply_view(self, view: View) -> None:
        """Replace hidden positions and state by those in the store. Memberships are separate."""
        self.hidden = view.hidden
        # The store needs the times and receipts of a state; a gateway does not.
        self.states = {base: state.without_times() for base, state in view.states.items()}
        self._set_version(view.version)

    def _set_version(self, version: int) -> None:
        self.state_version = version
        if self._next is not None:
            self._next.set_result(None)
            self._next = None

    def next_version(self) -> asyncio.Future[None]:
        """A future that is done at the next version of the state."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        return self._next

    def acted(self, name: str, after: int, up_to: int) -> Bounds:
        """The positions `after` < p <= `up_to` of a log at which the user used an action."""
        state = self.states.get(self.log(name).log.base)
        return intervals.common(state.acted, [after, up_to]) if state is not None and state.acted else []

    def hide(self, base: str, position: int) -> None:
        """Hide one position of the log with this base."""
        intervals.add(self.hidden.setdefault(base, []), position - 1, position)

    def apply_change(self, version: int, change: Change) -> bool:
        """Apply a change of state; False when the state must be read instead, because changes are missing."""
        if version != self.state_version + 1 or change.positions is None:
            return False
        apply_change(self.states, change)
        self._set_version(version)
        return True

    def counts(self, now: int, up_to: Mapping[str, int] | None = None) -> Counts:
        """The counts of the inbox at a time in ms; see `tidings_workers.store.counting`.

        `up_to`: per log, the last position that counts.
        """
        unseen = unread = version = 0
        for tail, spans in self._parts():
            base, facts = tail.log.base, tail.facts(now)
            if up_to is not None:
                facts = facts._replace(head=min(facts.head, up_to.get(tail.log.name, facts.head)))
            hidden, state = self.hidden.get(base), self.states.get(base)
            visible = intervals.minus(spans, hidden) if hidden else spans
            if state is None:
                live = facts.present(visible)
                unseen, unread = unseen + live, unread + live
            else:
                unseen += facts.present(unsettled(visible, state, "seen"))
                unread += facts.present(unsettled(visible, state, "read"))
            version += intervals.size_up_to(spans, facts.head) + facts.changes
        return Counts(unseen, unread, version)

    def _parts(self) -> Iterator[tuple[Tail[Subscriber], Bounds]]:
        """Every log that counts now, with all intervals that the user may see."""
        yield self.tail, [0, END]
        yield self.all, [0, END]
        for group in self.memberships:
            tail = self.groups.get(group) or self.former_groups.get(group)
            if tail is not None:
                yield tail, self.memberships.all_spans(group)

    def may_see(self, name: str, position: int) -> bool:
        """Whether the user may see one position of a log."""
        log = self.log(name)
        hidden = self.hidden.get(log.log.base)
        return bool(log.spans(position - 1, position)) and not (
            hidden and intervals.contains(hidden, position)
        )

    # Logs

    def logs(self) -> Iterator[UserLog]:
        """Every log of the user that counts now: `user`, `all`, then groups."""
        yield self.log("user")
        yield self.log("all")
        yield from [self.log(log_of_group(each)) for each in self.memberships if each not in self.unfollowed]

    def log(self, name: str) -> UserLog:
        """One log of the user, by its name in frames."""
        followed, group = self.followed(name), group_of_log(name)
        tail = followed or self.former_groups.get(group or "")
        log = tail.log if tail is not None else self._keys.group(self.tenant, group or "")
        return UserLog(log, tail, followed is not None, self.memberships)

    def followed(self, name: str) -> Tail[Subscriber] | None:
        """The tail of a log by its name; None when it is not followed or the user has left its group."""
        if name == "user":
            return self.tail
        if name == "all":
            return self.all
        return self.groups.get(group_of_log(name) or "")
