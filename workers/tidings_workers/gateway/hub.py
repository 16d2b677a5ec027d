"""Processes feed items and sends them to the connections concerned.

Feed items arrive in batches. Each tail encodes its part of a batch once and queues the bytes for each
connection concerned. A connection writes its queue as one write.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from tidings.protocol.frames import Recalled
from tidings_workers.gateway.catchups import CatchUps
from tidings_workers.gateway.directory import Directory
from tidings_workers.gateway.subscriptions import Subscriptions
from tidings_workers.gateway.tails import Tail
from tidings_workers.gateway.updates import Updates
from tidings_workers.gateway.users import Subscriber
from tidings_workers.store.entries import Entry
from tidings_workers.store.feed_items import (
    Appended,
    Departed,
    Erased,
    ExpiredOrRetired,
    FeedItem,
    Hidden,
    Joined,
    Kicked,
    Left,
    Marked,
    Removed,
)
from tidings_workers.store.keys import Keys

_NONE: Final = frozenset[str]()


class Hub:
    """The fan-out of one gateway. `kicked` closes the connections that a feed item names."""

    def __init__(
        self,
        keys: Keys,
        directory: Directory,
        catchups: CatchUps,
        updates: Updates,
        subscriptions: Subscriptions,
        kicked: Callable[[Kicked], None],
    ) -> None:
        self._keys = keys
        self._directory = directory
        self._interest = directory.interest
        self._catchups = catchups
        self._updates = updates
        self._subscriptions = subscriptions
        self._kicked = kicked

    def process(self, items: Iterable[FeedItem]) -> None:
        """Process a batch of feed items: queue frames for every connection concerned."""
        touched: dict[Tail[Subscriber], None] = {}
        tails = self._interest.tails
        for item in items:
            tail = tails.get(item.base)
            if isinstance(item, Appended):
                if tail is None:
                    continue
                exclude = self._hide_from_excluded(tail, item) if item.exclude else _NONE
                if tail.append(Entry(item.position, item.content.encode(), item.expires, exclude)):
                    touched[tail] = None
                else:
                    self._interest.heal_soon(tail)
                continue
            if isinstance(item, Kicked):
                self._kicked(item)
                continue
            if tail is None:
                continue
            # Flush first: a join may make a subscriber live, and it would receive pending entries twice. The
            # other items are rare.
            self._updates.flush(touched)
            touched.clear()
            self._process_change(tail, item)
        self._updates.flush(touched)

    def _hide_from_excluded(self, tail: Tail[Subscriber], item: Appended) -> frozenset[str]:
        """Hide a notification from the users that it excludes. Returns their names."""
        names = frozenset(item.exclude.split(","))
        for name in names:
            user = self._directory.users.get(self._keys.user(tail.log.tenant, name).base)
            if user is not None:
                user.hide(item.base, item.position)
        return names

    def _process_change(self, tail: Tail[Subscriber], item: FeedItem) -> None:
        match item:
            case Departed():
                self._directory.depart(tail, item)
            case Removed():
                tail.count_changes(1, item.changes)
                self._recall(tail, item.position, item.id)
            case ExpiredOrRetired():
                tail.count_changes(len(item.positions), item.changes)
                self._expire(tail, item)
            case Joined() | Left() | Hidden() | Erased() | Marked():
                tail.count_changes(1, item.changes)
                user = self._directory.users.get(item.base)
                if user is not None:
                    self._directory.process(user, item)

    def _recall(self, tail: Tail[Subscriber], position: int, notification_id: str) -> None:
        if not tail.remove(position) or not tail.ready.done():
            return
        name = tail.log.name
        self._updates.send_each(
            list(self._concerned(tail, [position])),
            lambda _, counts: Recalled(notification_id, name, position, counts),
        )

    def _expire(self, tail: Tail[Subscriber], item: ExpiredOrRetired) -> None:
        """Send new counts; clients know each notification's expiry time."""
        removed = [position for position in item.positions if tail.remove(position)]
        tail.retire(item.retired)
        tail.raise_floor(item.floor)
        # A topic counts in no inbox.
        if tail.ready.done() and tail.log.topic is None:
            self._updates.send_counts(list(self._concerned(tail, removed)))

    def _concerned(self, tail: Tail[Subscriber], positions: Sequence[int]) -> Iterator[Subscriber]:
        """The subscribers whose user may see one of these positions and whose cursor has passed it."""
        if tail.log.topic is not None:
            outlets = self._subscriptions.concerned(tail, positions)
            yield from (outlet.subscriber for outlet in outlets if outlet.subscriber is not None)
            return
        name = tail.log.name
        former_members = [each for user in self._directory.former_members(tail) for each in user.subscribers]
        for subscriber in chain(tail.live, self._catchups.running, former_members):
            user = subscriber.user
            if user.log(name).tail is tail and any(
                position <= subscriber.cursor(name) and user.may_see(name, position) for position in positions
            ):
                yield subscriber
