"""The expected inboxes of a tenant, in plain Python: dictionaries, sets and loops.

It has the rules of the contract and nothing of their implementation. The caller gives the times: `moment`
distinguishes marks, and `now` is Unix milliseconds.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from tests.inbox_model.terms import (
    Filter,
    Item,
    Marking,
    Marks,
    Outcome,
    Place,
    Receipt,
    Sent,
    To,
    Use,
    in_category,
    passes,
)

# How many positions of a log a resume acknowledges at most, where the store has none of the device.
RESUMED = 200


@dataclass
class _User:
    # Group -> intervals (after, up to) of its log; up to None while a member.
    memberships: dict[str, list[tuple[int, int | None]]] = field(default_factory=dict)
    marks: dict[Place, Marks] = field(default_factory=dict)


class Model:
    """A tenant: its users, its groups, and its sends with their outcome."""

    def __init__(self, users: Collection[str]) -> None:
        self.users = {user: _User() for user in users}
        self.sent: dict[str, Sent] = {}
        self.members: dict[str, set[str]] = {}
        # By "user:ana", "group:team", "all"; the first is position 1. None was never stored.
        self._logs: dict[str, list[Sent | None]] = {}

    # Logs

    def _log(self, user: str, name: str) -> list[Sent | None]:
        return self._logs.setdefault(f"user:{user}" if name == "user" else name, [])

    def logs(self, user: str) -> list[str]:
        """The names of the user's logs, those of former groups as well."""
        return ["user", "all", *(f"group:{group}" for group in self.users[user].memberships)]

    def is_member(self, user: str, log: str) -> bool:
        """Whether the user gets further entries of a log: False for a former group."""
        return not log.startswith("group:") or user in self.members.get(log.removeprefix("group:"), ())

    def end(self, user: str, name: str) -> int:
        """The last position of a log that the user may see."""
        spans = self.spans(user, name)
        return spans[-1][1] if spans else 0

    def same(self, user: str, name: str, one: int, other: int) -> bool:
        """Whether the user may see no entry between two positions of a log."""
        low, high = sorted((one, other))
        return not any(max(after, low) < min(up_to, high) for after, up_to in self.spans(user, name))

    def spans(self, user: str, name: str) -> list[tuple[int, int]]:
        """The intervals of a log that the user may see: after < position <= up to."""
        head = len(self._log(user, name))
        if not name.startswith("group:"):
            return [(0, head)]
        intervals = self.users[user].memberships.get(name.removeprefix("group:"), [])
        return [(after, head if up_to is None else up_to) for after, up_to in intervals]

    def items(self, user: str) -> Iterator[Item]:
        """Every item of the inbox, archived ones too, by log and position."""
        for name in self.logs(user):
            log = self._log(user, name)
            for after, up_to in self.spans(user, name):
                for position in range(after + 1, up_to + 1):
                    sent = log[position - 1]
                    if sent is not None and not sent.is_removed and user not in sent.to.exclude:
                        place = Place(name, position)
                        yield Item(place, sent, self.users[user].marks.get(place) or Marks())

    def item_of(self, user: str, id: str) -> Item | None:
        """The user's item of a notification; None when it is not in the inbox."""
        return next((item for item in self.items(user) if item.sent.id == id), None)

    # Sending

    def accept(self, sent: Sent) -> None:
        """Record an accepted send. A single entry is added to its log; `copied` adds found copies."""
        self.sent[sent.id] = sent
        kind = sent.kind
        if kind == "users":
            for user in set(sent.to.users) - sent.to.exclude:
                self._log(user, "user").append(sent)
        elif kind == "all":
            self._log("", "all").append(sent)
        elif kind == "group" and sent.recipients:
            self._log("", f"group:{sent.to.groups[0]}").append(sent)

    def reached(self, to: To) -> tuple[str, ...] | None:
        """The users that a target reaches now, each once; None for a target of all."""
        if to.all:
            return None
        named = set(to.users).union(*(self.members.get(group, ()) for group in to.groups))
        return tuple(sorted(named - to.exclude))

    def own_head(self, user: str) -> int:
        """The last position of the user's own log."""
        return len(self._log(user, "user"))

    def copied(self, user: str, base: int, head: int, found: Mapping[int, Sent]) -> None:
        """Extend the user's own log to `head`, with the copies `found` above `base` and the known sends.

        The order of copies is known only from the log, because they are stored after their acceptance.
        """
        log = self._log(user, "user")
        singles = iter(log[base:])
        log[base:] = [found.get(position) or next(singles, None) for position in range(base + 1, head + 1)]
        assert next(singles, None) is None, f"{user}'s own log ends at {head}"

    def recall(self, sent: Sent) -> list[tuple[str, Item]]:
        """Recall a notification; the items that were removed with it."""
        lost = [(user, item) for user in self.users for item in self.items(user) if item.sent is sent]
        sent.recalled = True
        return lost

    def expiring(self) -> list[Sent]:
        """The sends that will expire."""
        return [sent for sent in self.sent.values() if sent.expires is not None and not sent.is_removed]

    # Groups

    def join(self, group: str, user: str) -> bool:
        """Add a member; False when the user was one."""
        members = self.members.setdefault(group, set())
        if user in members:
            return False
        members.add(user)
        head = len(self._log(user, f"group:{group}"))
        self.users[user].memberships.setdefault(group, []).append((head, None))
        return True

    def leave(self, group: str, user: str) -> bool:
        """Remove a member; False when the user was none."""
        if user not in self.members.get(group, ()):
            return False
        self.members[group].discard(user)
        intervals = self.users[user].memberships[group]
        intervals[-1] = (intervals[-1][0], len(self._log(user, f"group:{group}")))
        return True

    # State

    def mark(self, user: str, marking: Marking, moment: int) -> Outcome:
        """Apply a mark."""
        items = list(self.items(user))
        unknown: list[str] = []
        if marking.ids is not None:
            ids = {item.sent.id for item in items}
            unknown = [id for id in dict.fromkeys(marking.ids) if id not in ids]
            items = [item for item in items if item.sent.id in marking.ids]
        elif marking.up_to is not None:
            unknown = [name for name in marking.up_to if name not in self.logs(user)]
            items = [item for item in items if item.place.position <= marking.up_to.get(item.place.log, 0)]
        elif marking.category is not None:
            items = [item for item in items if in_category(item.sent.category, marking.category)]
        if marking.ids is None and marking.state != "unarchived":
            items = [item for item in items if not item.marks.is_aside]
        elif marking.ids is None:
            items = [item for item in items if item.marks.snoozed is None]
        changed = []
        for item in items:
            marks = self.users[user].marks.setdefault(item.place, item.marks)
            if marks.apply(marking.state, moment):
                changed.append(item.sent.id)
            if marks.read is not None:
                self._count_receipt(item.sent, user, "read", "seen", "delivered")
            elif marks.seen is not None:
                self._count_receipt(item.sent, user, "seen", "delivered")
        return Outcome(changed, unknown)

    def snooze(self, user: str, ids: Collection[str], until: int | None) -> Outcome:
        """Snooze items until a time in milliseconds, or end that."""
        items = {item.sent.id: item for item in self.items(user)}
        changed = []
        for id in dict.fromkeys(ids):
            if (item := items.get(id)) is not None:
                marks = self.users[user].marks.setdefault(item.place, item.marks)
                if marks.snooze(until):
                    changed.append(id)
        return Outcome(changed, [id for id in dict.fromkeys(ids) if id not in items])

    def snoozes(self, user: str) -> list[int]:
        """The times at which items of the user return."""
        return [item.marks.snoozed for item in self.items(user) if item.marks.snoozed is not None]

    def wake(self, now: int) -> set[str]:
        """Return the due items as unseen; the users with such items, those of removed notifications too."""
        woken = set()
        for name, user in self.users.items():
            for marks in user.marks.values():
                if marks.snoozed is not None and marks.snoozed <= now:
                    marks.seen = marks.read = marks.snoozed = None
                    woken.add(name)
        return woken

    def act(self, user: str, id: str, action: str, moment: int) -> Use:
        """Use an action of a notification: the first one counts."""
        item = self.item_of(user, id)
        if item is None:
            return Use(None, error="not_found")
        if action not in item.sent.actions:
            return Use(None, error="unknown_action")
        marks = self.users[user].marks.setdefault(item.place, item.marks)
        if marks.action is None:
            marks.action, marks.acted = action, moment
            item.sent.used.setdefault(action, set()).add(user)
            return Use(action, is_first=True)
        return Use(action) if marks.action == action else Use(None, error="action_used")

    def delivered(self, user: str, places: Collection[Place]) -> None:
        """Record that a device of the user acknowledged these places."""
        for item in self.items(user):
            if item.place in places:
                self._count_receipt(item.sent, user, "delivered")

    def resumed(self, user: str, known: Mapping[str, int], positions: Mapping[str, int]) -> None:
        """A client resumed with positions: they count as acknowledged, behind those `known` of its device.

        In a log where none is known, only those count that are behind everything delivered to the user.
        """
        for name in self.logs(user):
            position = positions.get(name, 0)
            after = known[name] if name in known else max(position - RESUMED, self._delivered_to(user, name))
            places = {Place(name, number) for number in range(max(0, after) + 1, position + 1)}
            self.delivered(user, places)

    def _delivered_to(self, user: str, name: str) -> int:
        log = enumerate(self._log(user, name), 1)
        reached = [at for at, sent in log if sent is not None and user in sent.receipts["delivered"]]
        return max(reached, default=0)

    @staticmethod
    def _count_receipt(sent: Sent, user: str, *receipts: Receipt) -> None:
        for receipt in receipts:
            sent.receipts[receipt].add(user)

    # Lists and counts

    def listed(self, user: str, by: Filter = Filter()) -> list[Item]:  # noqa: B008 - a tuple
        """The items of a list, in no particular order."""
        return [item for item in self.items(user) if passes(item, by)]

    def counts(self, user: str) -> dict[str, int]:
        """`unseen` and `unread`."""
        items = self.listed(user)
        return {
            "unseen": sum(item.marks.seen is None for item in items),
            "unread": sum(item.marks.read is None for item in items),
        }

    def category_counts(self, user: str) -> dict[str, dict[str, int]]:
        """Unseen and unread by category, without categories that have neither."""
        found: dict[str, dict[str, int]] = {}
        for item in self.listed(user):
            counts = found.setdefault(item.sent.category or "", {"unseen": 0, "unread": 0})
            counts["unseen"] += item.marks.seen is None
            counts["unread"] += item.marks.read is None
        return {name: counts for name, counts in found.items() if any(counts.values())}
