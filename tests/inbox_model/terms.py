"""The terms of the model: targets, notifications, marks, items and lists."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from tidings.protocol.frames import State

Receipt = Literal["delivered", "seen", "read"]

# The kinds that a mark sets or clears; the first decides whether it changes anything.
_SETS: Mapping[State, tuple[str, ...]] = {
    "seen": ("seen",),
    "read": ("read", "seen"),
    "archived": ("archived",),
}
_CLEARS: Mapping[State, tuple[str, ...]] = {
    "unseen": ("seen", "read"),
    "unread": ("read",),
    "unarchived": ("archived",),
}


class Place(NamedTuple):
    """The place of a notification for a user: the name of the log, and the position."""

    log: str
    position: int


@dataclass
class Marks:
    """The marks of one user on one notification: their moments, or None; and the use of an action."""

    seen: int | None = None
    read: int | None = None
    archived: int | None = None
    # The time until which the user snoozes it, in milliseconds.
    snoozed: int | None = None
    # The action that the user used, and its moment.
    action: str | None = None
    acted: int | None = None

    def apply(self, state: State, moment: int) -> bool:
        """Apply a mark; whether it changed anything. The first time of a state is kept."""
        if state in _SETS:
            changes = getattr(self, _SETS[state][0]) is None
            for kind in _SETS[state]:
                if getattr(self, kind) is None:
                    setattr(self, kind, moment)
            if state == "archived":
                self.snoozed = None
            return changes
        changes = getattr(self, _CLEARS[state][0]) is not None
        for kind in _CLEARS[state]:
            setattr(self, kind, None)
        return changes

    def snooze(self, until: int | None) -> bool:
        """Snooze until a time, or end that; whether it changed anything."""
        if until == self.snoozed:
            return False
        if until is not None:
            self.archived = None
        self.snoozed = until
        return True

    @property
    def is_aside(self) -> bool:
        """Whether it is in neither the default list nor the counts."""
        return self.archived is not None or self.snoozed is not None

    @property
    def state(self) -> str:
        """The highest state, or archived."""
        if self.archived is not None:
            return "archived"
        return "read" if self.read is not None else "seen" if self.seen is not None else "unseen"


class To(NamedTuple):
    """A target, as in the body of a send."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    all: bool = False
    exclude: frozenset[str] = frozenset()


@dataclass
class Sent:
    """One notification. `recipients` is None for a target of all, `expires` None without an expiry."""

    id: str
    to: To
    category: str | None
    accepted: int
    expires: int | None
    recipients: tuple[str, ...] | None
    actions: tuple[str, ...] = ()
    recalled: bool = False
    expired: bool = False
    receipts: dict[Receipt, set[str]] = field(
        default_factory=lambda: {"delivered": set(), "seen": set(), "read": set()}
    )
    # The users who used each action.
    used: dict[str, set[str]] = field(default_factory=dict)

    @property
    def is_removed(self) -> bool:
        """Whether it is removed from all inboxes."""
        return self.recalled or self.expired

    @property
    def kind(self) -> Literal["users", "group", "all", "compound", "none"]:
        """How it is stored: in own logs before the answer, in one log, as copies later, or not at all."""
        if self.to.all:
            return "all"
        if not self.to.groups:
            return "users" if set(self.to.users) - self.to.exclude else "none"
        return "group" if len(self.to.groups) == 1 and not self.to.users else "compound"


class Item(NamedTuple):
    """A notification in the inbox of a user."""

    place: Place
    sent: Sent
    marks: Marks


class Filter(NamedTuple):
    """The filter of a list; the names are those of the query."""

    state: str | None = None
    category: str | None = None
    log: str | None = None
    after: int | None = None
    before: int | None = None


class Marking(NamedTuple):
    """A mark, as in its body: exactly one of ids, up_to and all."""

    state: State
    ids: tuple[str, ...] | None = None
    up_to: Mapping[str, int] | None = None
    all: bool = False
    category: str | None = None


class Outcome(NamedTuple):
    """The result of a mark: the changed ids, in no order, and the unknown ones."""

    changed: list[str]
    unknown: list[str]


class Use(NamedTuple):
    """The outcome of using an action: the one that counts and whether this use is it, or an error code."""

    action: str | None
    is_first: bool = False
    error: str | None = None


def in_category(category: str | None, wanted: str) -> bool:
    """Whether a category equals `wanted`, or starts with it where it ends in a full stop."""
    if wanted.endswith("."):
        return category is not None and category.startswith(wanted)
    return category == wanted


def passes(item: Item, by: Filter) -> bool:
    marks = item.marks
    in_state = {
        None: not marks.is_aside,
        "unseen": not marks.is_aside and marks.seen is None,
        "seen": not marks.is_aside and marks.seen is not None,
        "unread": not marks.is_aside and marks.read is None,
        "read": not marks.is_aside and marks.read is not None,
        "archived": marks.archived is not None,
        "snoozed": marks.snoozed is not None,
    }[by.state]
    return (
        in_state
        and (by.category is None or in_category(item.sent.category, by.category))
        and (by.log is None or item.place.log == by.log)
        and (by.after is None or item.sent.accepted > by.after)
        and (by.before is None or item.sent.accepted < by.before)
    )
