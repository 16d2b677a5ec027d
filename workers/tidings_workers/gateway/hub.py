"""Processes feed items and sends them to the connections concerned.

Feed items arrive in batches. Each topic encodes its part of a batch once and queues the bytes for each
connection concerned. A connection writes its queue as one write.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from tidings.protocol.frames import Recalled
from tidings_workers.gateway.catchups import CatchUps
from tidings_workers.gateway.directory import Directory
from tidings_workers.gateway.topics import Topic
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
        kicked: Callable[[Kicked], None],
    ) -> None:
        self._keys = keys
        self._directory = directory
        self._interest = directory.interest
        self._catchups = catchups
        self._updates = updates
        self._kicked = kicked

    def process(self, items: Iterable[FeedItem]) -> None:
        """Process a batch of feed items: queue frames for every connection concerned."""
        touched: dict[Topic[Subscriber], None] = {}
        for item in items:
            if isinstance(item, Kicked):
                self._kicked(item)
                continue
            topic = self._interest.topics.get(item.base)
            if topic is None:
                continue
            if isinstance(item, Appended):
                exclude = self._hide_from_excluded(topic, item) if item.exclude else _NONE
                if topic.append(Entry(item.position, item.content.encode(), item.expires, exclude)):
                    touched[topic] = None
                else:
                    self._interest.heal_soon(topic)
                continue
            # Flush first: a join may make a subscriber live, and it would receive pending entries twice. The
            # other items are rare.
            self._updates.flush(touched)
            touched.clear()
            self._process_change(topic, item)
        self._updates.flush(touched)

    def _hide_from_excluded(self, topic: Topic[Subscriber], item: Appended) -> frozenset[str]:
        """Hide a notification from the users that it excludes. Returns their names."""
        names = frozenset(item.exclude.split(","))
        for name in names:
            user = self._directory.users.get(self._keys.user(topic.log.tenant, name).base)
            if user is not None:
                user.hide(item.base, item.position)
        return names

    def _process_change(self, topic: Topic[Subscriber], item: FeedItem) -> None:
        match item:
            case Departed():
                self._directory.depart(topic, item)
            case Removed():
                topic.count_changes(1, item.changes)
                self._recall(topic, item.position, item.id)
            case ExpiredOrRetired():
                topic.count_changes(len(item.positions), item.changes)
                self._expire(topic, item)
            case Joined() | Left() | Hidden() | Erased() | Marked():
                topic.count_changes(1, item.changes)
                user = self._directory.users.get(item.base)
                if user is not None:
                    self._directory.process(user, item)

    def _recall(self, topic: Topic[Subscriber], position: int, notification_id: str) -> None:
        if not topic.remove(position) or not topic.ready.done():
            return
        name = topic.log.name
        self._updates.send_each(
            list(self._concerned(topic, [position])),
            lambda _, counts: Recalled(notification_id, name, position, counts),
        )

    def _expire(self, topic: Topic[Subscriber], item: ExpiredOrRetired) -> None:
        """Send new counts; clients know each notification's expiry time."""
        removed = [position for position in item.positions if topic.remove(position)]
        topic.retire(item.retired)
        topic.raise_floor(item.floor)
        if topic.ready.done():
            self._updates.send_counts(list(self._concerned(topic, removed)))

    def _concerned(self, topic: Topic[Subscriber], positions: Sequence[int]) -> Iterator[Subscriber]:
        """The subscribers whose user may see one of these positions and whose cursor has passed it."""
        name = topic.log.name
        former_members = [each for user in self._directory.former_members(topic) for each in user.subscribers]
        for subscriber in chain(topic.live, self._catchups.running, former_members):
            user = subscriber.user
            if user.log(name).topic is topic and any(
                position <= subscriber.cursor(name) and user.may_see(name, position) for position in positions
            ):
                yield subscriber
