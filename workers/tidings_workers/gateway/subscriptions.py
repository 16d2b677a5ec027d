"""The subscriptions of a gateway's connections to topics, and what connections publish.

The frames of one connection are carried out in order. A connection that uses no topic has no state here.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tidings.protocol import limits
from tidings.protocol.frames import (
    ErrorFrame,
    Published,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
)
from tidings.protocol.names import is_topic, topic_of_log
from tidings.protocol.pointers import listing
from tidings_workers import sending
from tidings_workers.gateway.actions import PostedPublish, TopicFrame
from tidings_workers.gateway.admission import Admission
from tidings_workers.gateway.connection import Connection
from tidings_workers.gateway.interest import Interest, Spawn
from tidings_workers.gateway.outlet import Outlet
from tidings_workers.gateway.subscription import Subscription
from tidings_workers.gateway.tails import Tail
from tidings_workers.gateway.topic_counts import TopicCounts
from tidings_workers.gateway.topic_replay import Start, TopicReplay, data_lost
from tidings_workers.refused import Refused
from tidings_workers.store import StorageUnavailable, Store

# How many frames about topics of one connection may wait for the store.
WAITING: Final = 500
_UNAVAILABLE: Final = "The storage does not answer right now: try again in a second."


class _Resume(NamedTuple):
    """Subscribe again to a topic of which the client has a position; `lost`: of another epoch."""

    topic: str
    position: int
    lost: bool


class Subscriptions:
    """The subscriptions of one gateway. `name`: the gateway's."""

    def __init__(
        self, store: Store, name: str, interest: Interest, admission: Admission, reading: asyncio.Semaphore,
        spawn: Spawn,
    ) -> None:  # fmt: skip
        self._store = store
        self._interest = interest
        self._admission = admission
        self._spawn = spawn
        self._replay = TopicReplay(store, interest, reading)
        self._of: dict[Outlet, dict[str, Subscription]] = {}
        self._waiting: dict[Connection, deque[TopicFrame | _Resume]] = {}
        self.counts = TopicCounts(store.topics, name, store.partitions)

    # Calls of the gateway

    def use(self, connection: Connection, frame: TopicFrame) -> None:
        """Carry out a frame after the earlier ones of the connection."""
        waiting = self._waiting.get(connection)
        if waiting is not None and len(waiting) >= WAITING:
            detail = "Too many frames about topics are waiting: wait for their answers."
            connection.send(ErrorFrame("overloaded", detail, frame.ref))
        else:
            self._add(connection, [frame])

    def resume(self, connection: Connection, epoch: str, positions: Mapping[str, int]) -> None:
        """Subscribe again to the topics among the positions that a client has of an epoch."""
        lost = epoch != self._store.epoch
        named = [(topic_of_log(log), position) for log, position in positions.items()]
        found = [_Resume(topic, position, lost) for topic, position in named if topic is not None]
        # More than a connection may have are refused one by one; the rest of a longer list is ignored.
        self._add(connection, found[:WAITING])

    def acknowledge(self, outlet: Outlet, positions: Mapping[str, int]) -> None:
        """The client received everything up to these positions; those of topics it has are counted."""
        subscriptions = self._of.get(outlet)
        if not subscriptions:
            return
        for log, position in positions.items():
            subscription = subscriptions.get(log)
            span = subscription.acknowledge(position) if subscription is not None else None
            if subscription is not None and span is not None:
                self.counts.acknowledged(subscription.tail.log, *span)

    def stop(self, outlet: Outlet) -> None:
        """The connection closes: end its subscriptions."""
        for subscription in list(self._of.get(outlet, {}).values()):
            self._end(subscription)

    def end_forbidden(self, outlets: Iterable[Outlet] | None = None) -> None:
        """End the subscriptions that are no longer allowed, of these connections or of all."""
        for outlet in list(self._of) if outlets is None else outlets:
            for subscription in list(self._of.get(outlet, {}).values()):
                if not self._may_subscribe(subscription.outlet, subscription.topic):
                    self._end(subscription)
                    outlet.send(Unsubscribed(subscription.topic, "forbidden"))

    def concerned(self, tail: Tail[Any], positions: Sequence[int]) -> Iterator[Connection]:
        """The connections that were sent one of these positions of a topic."""
        first = min(positions, default=0)
        for subscriptions in self._of.values():
            subscription = subscriptions.get(tail.log.name)
            if subscription is not None and subscription.tail is tail and first <= subscription.sent:
                yield subscription.outlet

    # Carrying out

    def _add(self, connection: Connection, frames: Sequence[TopicFrame | _Resume]) -> None:
        waiting = self._waiting.get(connection)
        if waiting is not None:
            waiting.extend(frames)
        elif frames:
            self._waiting[connection] = deque(frames)
            self._spawn(self._work(connection))

    async def _work(self, connection: Connection) -> None:
        waiting = self._waiting[connection]
        try:
            # Every received `publish` is carried out, also after the connection has closed.
            while waiting:
                frame = waiting.popleft()
                try:
                    await self._carry_out(connection, frame)
                except StorageUnavailable:
                    ref = None if isinstance(frame, _Resume) else frame.ref
                    connection.send(ErrorFrame("storage_unavailable", _UNAVAILABLE, ref))
        finally:
            del self._waiting[connection]

    async def _carry_out(self, connection: Connection, frame: TopicFrame | _Resume) -> None:
        match frame:
            case PostedPublish():
                await self._publish(connection, frame)
            case Unsubscribe():
                subscription = self._subscription(connection, frame.topic)
                if subscription is not None:
                    self._end(subscription)
                connection.send(Unsubscribed(frame.topic, ref=frame.ref))
            case Subscribe() | _Resume():
                if not connection.closed:
                    await self._subscribe(connection, frame)

    async def _publish(self, connection: Connection, frame: PostedPublish) -> None:
        identity = connection.identity
        assert identity is not None  # noqa: S101 - the session was opened by an identity
        if not self._admission.may_publish(identity, frame.topic):
            detail = (
                f"The claim publish of the token does not allow {frame.topic}: get a token that names it."
            )
            connection.send(ErrorFrame("forbidden_topic", detail, frame.ref))
            return
        try:
            notification = sending.decode_publication(frame.notification, frame.topic, "#/notification")
        except Refused as refused:
            detail = f"{refused.detail} {listing(refused.errors)}".strip()
            connection.send(ErrorFrame(refused.code, detail, frame.ref, refused.errors))
            return
        answer = await sending.send(self._store, identity.tenant, notification, None)
        connection.send(Published(answer.sent.id, frame.ref))

    async def _subscribe(self, connection: Connection, frame: Subscribe | _Resume) -> None:
        topic, ref = frame.topic, frame.ref if isinstance(frame, Subscribe) else None
        known = self._subscription(connection, topic)
        if known is not None:
            connection.send(Subscribed(topic, known.tail.log.name, known.sent, ref))
            return
        if self._refuse(connection, frame):
            return
        identity = connection.identity
        assert identity is not None  # noqa: S101 - the session was opened by an identity
        log = self._store.keys.topic(identity.tenant, topic)
        tail: Tail[Subscription] = await self._interest.acquire(log)
        try:
            start = await self._start(tail, frame)
        except BaseException:
            self._interest.release(tail)
            raise
        # No await from here on until the subscription is live, or its replay has begun.
        if connection.closed or self._refuse(connection, frame):
            self._interest.release(tail)
            return
        subscription = Subscription(connection, identity.subject, topic, tail, start.position)
        self._of.setdefault(connection, {})[log.name] = subscription
        self.counts.subscribed(log)
        connection.send(Subscribed(topic, log.name, start.position, ref))
        if start.gap is not None:
            connection.send(start.gap)
        if start.replay or not subscription.go_live():
            self._spawn(self._replay.run(subscription, replay=start.replay))

    async def _start(self, tail: Tail[Subscription], frame: Subscribe | _Resume) -> Start:
        if isinstance(frame, Subscribe):
            return await self._replay.start(tail, frame.after, frame.rewind)
        return data_lost(tail) if frame.lost else await self._replay.start(tail, frame.position, None)

    def _refuse(self, connection: Connection, frame: Subscribe | _Resume) -> bool:
        """Refuse a subscription that is not allowed; False when it is."""
        topic, ref = frame.topic, frame.ref if isinstance(frame, Subscribe) else None
        if not is_topic(topic) or not self._may_subscribe(connection, topic):
            if isinstance(frame, _Resume):
                connection.send(Unsubscribed(topic, "forbidden"))
            else:
                detail = (
                    f"Neither the claim topics of the token nor the tenant allows {topic}: get a token that "
                    "names it, or open it by tenants update --open-topic."
                )
                connection.send(ErrorFrame("forbidden_topic", detail, ref))
            return True
        if len(self._of.get(connection, ())) >= limits.TOPICS_PER_CONNECTION:
            detail = f"A connection may have {limits.TOPICS_PER_CONNECTION} topics: end another subscription."
            connection.send(ErrorFrame("too_many_topics", detail, ref))
            return True
        return False

    def _may_subscribe(self, connection: Connection, topic: str) -> bool:
        return connection.identity is not None and self._admission.may_subscribe(connection.identity, topic)

    def _subscription(self, connection: Connection, topic: str) -> Subscription | None:
        return self._of.get(connection, {}).get(f"topic:{topic}")

    def _end(self, subscription: Subscription) -> None:
        log = subscription.tail.log
        subscription.end()
        own = self._of[subscription.outlet]
        del own[log.name]
        if not own:
            del self._of[subscription.outlet]
        self.counts.unsubscribed(log)
        self._interest.release(subscription.tail)
