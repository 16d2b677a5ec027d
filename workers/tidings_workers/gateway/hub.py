"""What comes to one gateway, and for whom.

Feed items are taken in batches. Each topic turns its part of a batch into bytes once; each
connection concerned gets them queued, and everything queued for a socket goes out as one write.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from tidings.protocol.frames import Counts, Recalled, ServerFrame, Stated
from tidings_workers import metrics
from tidings_workers.gateway.directory import Directory, Missed
from tidings_workers.gateway.interest import Spawn
from tidings_workers.gateway.states import stated
from tidings_workers.gateway.topics import Topic
from tidings_workers.gateway.users import User
from tidings_workers.store import Change, Store
from tidings_workers.store.feeds import (
    Appended,
    Departed,
    Ended,
    Erased,
    FeedItem,
    Hidden,
    Joined,
    Kicked,
    Left,
    Marked,
    Removed,
)
from tidings_workers.store.keys import Log, milliseconds
from tidings_workers.store.logs import Entry

if TYPE_CHECKING:
    from tidings_workers.gateway.connection import Connection

_NOBODY: Final = frozenset[str]()
# What differs per user is told to so many connections at a time; others wait no longer than that.
_TOLD_AT_ONCE: Final = 200

MakeFrame = Callable[["Connection", Counts], ServerFrame]


class Hub:
    """The topics of one gateway and who gets what of them.

    `spawn` runs a coroutine under supervision; `kicked` closes connections that the store let go of.
    """

    def __init__(self, store: Store, name: str, spawn: Spawn, kicked: Callable[[Kicked], None]) -> None:
        self.store = store
        self.directory = Directory(store, name, spawn, self)
        self.interest = self.directory.interest
        # Connections on their way to the present: live on no topic.
        self.catching_up: dict[Connection, None] = {}
        self.dirty: list[Connection] = []
        self._spawn = spawn
        self._kicked = kicked

    # What the feeds bring

    def take(self, items: Iterable[FeedItem]) -> None:
        """Take a batch of feed items and queue what it makes for every connection concerned."""
        touched: dict[Topic, None] = {}
        for item in items:
            if isinstance(item, Kicked):
                self._kicked(item)
                continue
            topic = self.interest.topics.get(item.base)
            if topic is None:
                continue
            if isinstance(item, Appended):
                exclude = self._excluded(topic, item) if item.exclude else _NOBODY
                if topic.take(Entry(item.position, item.content.encode(), item.expires, exclude)):
                    touched[topic] = None
                else:
                    self.interest.heal_soon(topic)
                continue
            # The rest is rare, and comes after what was sent before it.
            self._flush(touched)
            touched.clear()
            self._take_change(topic, item)
        self._flush(touched)

    def _excluded(self, topic: Topic, item: Appended) -> frozenset[str]:
        """Whom a notification is not for. Their counts leave it out at once, and not only when told so."""
        names = frozenset(item.exclude.split(","))
        tenant = topic.log.base.split("/")[1]
        for name in names:
            user = self.directory.users.get(self.store.core.keys.user(tenant, name).base)
            if user is not None:
                user.hide(item.base, item.position)
        return names

    def _flush(self, topics: Iterable[Topic]) -> None:
        now = milliseconds()
        sent = sum(topic.flush(now) for topic in topics)
        if sent:
            metrics.DELIVERED.inc(sent)

    def _take_change(self, topic: Topic, item: FeedItem) -> None:
        match item:
            case Departed():
                self.directory.depart(topic, item)
            case Removed():
                topic.heard(1, item.changes)
                self._recall(topic, item.position, item.id)
            case Ended():
                topic.heard(len(item.positions), item.changes)
                self._end(topic, item)
            case Joined() | Left() | Hidden() | Erased() | Marked():
                topic.heard(1, item.changes)
                user = self.directory.users.get(item.base)
                if user is not None:
                    self.directory.take(user, item)

    def _recall(self, topic: Topic, position: int, identity: str) -> None:
        if not topic.removed(position) or not topic.ready.done():
            return
        name = topic.log.name
        self._tell(
            list(self._concerned(topic, [position])),
            lambda _, counts: Recalled(identity, name, position, counts),
        )

    def _end(self, topic: Topic, item: Ended) -> None:
        """What has ended is told by the counts alone: who shows it knows its time."""
        gone = [position for position in item.positions if topic.removed(position)]
        topic.retired = max(topic.retired, item.retired)
        topic.lifted(item.floor)
        if topic.ready.done():
            self._tell_counts(list(self._concerned(topic, gone)))

    def _concerned(self, topic: Topic, positions: Sequence[int]) -> Iterator["Connection"]:
        """Who was sent one of these positions, or had it before."""
        name = topic.log.name
        formers = [connection for user in topic.formers or () for connection in user.connections]
        for connection in [*topic.live, *self.catching_up, *formers]:
            user = connection.user
            if user.topic_of(name) is topic and any(
                position <= connection.cursor(name) and user.may_see(name, position) for position in positions
            ):
                yield connection

    # What a directory found out

    def healed(self, topic: Topic) -> None:
        """See `Teller`. What healing took goes out."""
        self._flush([topic])
        self.write()

    def changed(self, topic: Topic) -> None:
        """See `Teller`. Nobody knows what it was."""
        users = {connection.user for connection in topic.live} | set(topic.formers or ())
        self._tell_counts([connection for user in users for connection in user.connections], reload=True)

    def marked(self, user: User, version: int, change: Change, origin: str) -> None:
        """See `Teller`. Who asked gets an answer of its own."""
        others = [connection for connection in user.connections if connection.id != origin]
        for connection in others:
            if connection.catching_up is not None:
                connection.catching_up.hold(version, change)
        present = [connection for connection in others if connection.catching_up is None]
        self._tell(present, lambda _, counts: stated(change, version, counts))

    def missed(self, user: User, changes: Missed) -> None:
        """See `Teller`."""
        if changes is None:
            self._tell_counts(list(user.connections), reload=True)
        for version, change in changes or ():
            self.marked(user, version, change, "")

    def counts(self, user: User) -> Counts:
        """How much there is in the user's inbox now."""
        return user.counts(milliseconds())

    def told(self, connection: "Connection") -> Counts:
        """The same without what this connection gets as new when it has caught up: that it adds itself."""
        catching_up = connection.catching_up
        reach = catching_up.reach if catching_up is not None else None
        return connection.user.counts(milliseconds(), reach)

    def log(self, user: User, name: str) -> Log:
        """One of the user's logs by its name."""
        topic = user.topic_of(name)
        if topic is not None:
            return topic.log
        return self.store.core.keys.group(user.tenant, name.removeprefix("group:"))

    # Writing

    def _tell_counts(self, connections: "list[Connection]", *, reload: bool = False) -> None:
        self._tell(
            connections,
            lambda connection, counts: Stated(
                counts=counts, state_version=connection.user.state_version, changes=(), reload=reload
            ),
        )

    def _tell(self, connections: "list[Connection]", make: MakeFrame) -> None:
        """Send a frame that differs per user; to many of them in parts, so that nobody waits for it."""
        self._tell_some(connections[:_TOLD_AT_ONCE], make)
        if len(connections) > _TOLD_AT_ONCE:
            self._spawn(self._tell_rest(connections, make))

    async def _tell_rest(self, connections: "list[Connection]", make: MakeFrame) -> None:
        for start in range(_TOLD_AT_ONCE, len(connections), _TOLD_AT_ONCE):
            await asyncio.sleep(0)
            self._tell_some(connections[start : start + _TOLD_AT_ONCE], make)

    def _tell_some(self, connections: "Iterable[Connection]", make: MakeFrame) -> None:
        counts: dict[User, Counts] = {}
        for connection in connections:
            if connection.closed or not connection.session.is_open:
                continue
            user = connection.user
            if connection.catching_up is not None:
                connection.send(make(connection, self.told(connection)))
                continue
            if user not in counts:
                counts[user] = self.counts(user)
            connection.send(make(connection, counts[user]))

    def write(self) -> None:
        """Write everything queued, one write per socket."""
        dirty, self.dirty = self.dirty, []
        for connection in dirty:
            connection.write_queue()
