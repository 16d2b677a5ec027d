"""One gateway: composes its services and answers the calls of its connections."""

import asyncio
import contextlib
import secrets
import time

from tidings.protocol import closing
from tidings.protocol.frames import Act, Connect, ErrorFrame, Mark, Positions, Refreshed
from tidings_workers import metrics
from tidings_workers.config import Settings
from tidings_workers.gateway.acknowledgements import Acknowledgements
from tidings_workers.gateway.actions import PostedMessage, PostNotification, TopicFrame
from tidings_workers.gateway.admission import Admission, deadline
from tidings_workers.gateway.arrivals import Arrivals
from tidings_workers.gateway.catchups import CatchUps
from tidings_workers.gateway.connection import Connection
from tidings_workers.gateway.connections import RESTART_SECONDS, Connections
from tidings_workers.gateway.directory import Directory
from tidings_workers.gateway.feed_reader import FeedReader
from tidings_workers.gateway.handshake import Applicant, Successor
from tidings_workers.gateway.head import Elsewhere
from tidings_workers.gateway.held_changes import HeldChanges
from tidings_workers.gateway.http import Pages
from tidings_workers.gateway.hub import Hub
from tidings_workers.gateway.marking import Marking
from tidings_workers.gateway.messages import Messages
from tidings_workers.gateway.opening import Opening
from tidings_workers.gateway.others import Others
from tidings_workers.gateway.pending_writes import PendingWrites
from tidings_workers.gateway.plain_handshake import Handshake
from tidings_workers.gateway.registrations import Registrations
from tidings_workers.gateway.sending import Sending
from tidings_workers.gateway.subscriptions import Subscriptions
from tidings_workers.gateway.updates import Updates
from tidings_workers.gateway.upstreams import Upstreams
from tidings_workers.gateway.users import Subscriber
from tidings_workers.gateway.wheel import SLOT_SECONDS, Wheel
from tidings_workers.gateway.wire import moment
from tidings_workers.identity import STORE_HEADER
from tidings_workers.logs import get_logger
from tidings_workers.registry import RegistryView
from tidings_workers.store import DataLost, Store
from tidings_workers.store.feed_items import Kicked
from tidings_workers.tasks import Background

_log = get_logger(__name__)


class Gateway:
    """The connections of one process. Implements `connection.GatewayCalls`."""

    def __init__(
        self, settings: Settings, store: Store, registry: RegistryView, pages: Pages | None = None
    ) -> None:
        self.settings = settings
        # A random name: it is a part of every connection's id, which clients see.
        self.name = f"w{secrets.token_hex(8)}"
        self.background = Background("gateway")
        self.pending_writes = PendingWrites()
        self.registrations = Registrations(store, self.name)
        self._store = store
        self._wheel = Wheel(time.monotonic())
        self._connections = Connections()
        spawn = self.background.spawn
        self._admission = Admission(settings, registry)
        self._acknowledgements = Acknowledgements(store.feeds)
        self._catchups = CatchUps(store, spawn)
        held = HeldChanges()
        self._updates = Updates(self._catchups, held, self.pending_writes, spawn)
        self._directory = Directory(store, self.name, spawn, self._updates)
        self._subscriptions = Subscriptions(
            store, self.name, self._directory.interest, self._admission, self._catchups.reading, spawn
        )
        self._hub = Hub(
            store.keys, self._directory, self._catchups, self._updates, self._subscriptions, self._kicked
        )
        self.feeds = FeedReader(store, self.name, self._hub.process, self.pending_writes.write)
        opening = Opening(
            store,
            self._directory,
            self._catchups,
            self._subscriptions,
            self._acknowledgements,
            settings.heartbeat_seconds,
        )
        self._arrivals = Arrivals(
            store,
            registry,
            self._admission,
            opening,
            self._connections,
            self.registrations,
            spawn,
            self.flush,
        )
        self._sending = Sending(store, spawn)
        self._marking = Marking(store, self._directory, self._catchups, held, spawn)
        self.upstreams = Upstreams(settings.egress_allowed, spawn)
        self._messages = Messages(store, registry, self.upstreams, spawn)
        self._others = Others(self, self._wheel, self.pending_writes, pages or {})
        registry.on_change(self._registry_changed)
        registry.on_change(lambda: self.upstreams.forget(registry.tenant))

    # Calls of connections, see GatewayCalls

    @property
    def refusal_headers(self) -> tuple[tuple[str, str], ...]:
        """See GatewayCalls."""
        return ((STORE_HEADER, self._store.identity),)

    def connection_made(self, connection: Connection) -> None:
        """See GatewayCalls."""
        self._connections.add(connection)
        self._wheel.add(connection, connection.session.due())

    def successor(self, found: Elsewhere) -> Successor | None:
        """See GatewayCalls."""
        return self._others.successor(found)

    def admit(self, applicant: Applicant, request: Handshake) -> None:
        """See GatewayCalls."""
        self._arrivals.admit(applicant, request)

    def admits_page(self, origin: str) -> bool:
        """See GatewayCalls."""
        return self._admission.admits_page(origin)

    def open(self, connection: Connection, connect: Connect) -> None:
        """See GatewayCalls. Verifies the token, then opens the session in the background."""
        self._arrivals.open(connection, connect)

    def start_inbox(self, subscriber: Subscriber) -> None:
        """See GatewayCalls."""
        self._catchups.unpause(subscriber)

    def acknowledge(self, connection: Connection, positions: Positions) -> None:
        """See GatewayCalls. Positions are cut to those sent."""
        if connection.subscriber is not None:
            self._acknowledgements.add(connection.subscriber, positions)
        self._subscriptions.acknowledge(connection, positions)

    def mark(self, subscriber: Subscriber, mark: Mark | Act) -> None:
        """See GatewayCalls."""
        self._marking.add(subscriber, mark)

    def post(self, connection: Connection, frame: PostNotification | PostedMessage) -> None:
        """See GatewayCalls."""
        if isinstance(frame, PostNotification):
            self._sending.add(connection, frame)
        else:
            self._messages.add(connection, frame)

    def use_topic(self, connection: Connection, frame: TopicFrame) -> None:
        """See GatewayCalls."""
        self._subscriptions.use(connection, frame)

    def refresh(self, connection: Connection, token: str) -> None:
        """See GatewayCalls."""
        assert connection.identity is not None  # noqa: S101 - only an open session refreshes
        new = self._admission.verify_refresh(connection.identity, token, inbox=connection.session.has_inbox)
        if isinstance(new, ErrorFrame):
            connection.send(new)
            return
        connection.replace_token(new, deadline(new))
        connection.send(Refreshed(moment(round(new.expires_at * 1000))))
        self._subscriptions.end_forbidden([connection])

    def connection_closing(self, connection: Connection) -> None:
        """See GatewayCalls."""
        if connection.abort_at is not None:
            self._wheel.add(connection, connection.abort_at)
        if connection.counted:
            metrics.CONNECTIONS.dec()
            assert connection.identity is not None  # noqa: S101 - it was counted by its identity
            self._admission.release(
                connection.identity, connection.address, inbox=connection.session.has_inbox
            )
        subscriber = connection.detach()
        if subscriber is not None:
            self._detach(subscriber)

    def _detach(self, subscriber: Subscriber) -> None:
        user = subscriber.user
        user.remove(subscriber)
        self._catchups.stop(subscriber)
        self._subscriptions.stop(subscriber.outlet)
        self._directory.release(user)
        self.registrations.remove(subscriber.id, user.tail.log.base)
        if self._acknowledgements.has_pending(subscriber) or self._admission.user_limit(user.tenant):
            # The device may reconnect to another gateway at once.
            self.background.spawn(self.flush())

    def connection_lost(self, connection: Connection) -> None:
        """See GatewayCalls."""
        self._connections.remove(connection)
        metrics.CLOSED[metrics.close_label(connection.close_code)].inc()

    # Reports of the store

    def _kicked(self, item: Kicked) -> None:
        """Close connections that the store no longer registers; a request may wait until they are closed."""
        self.registrations.close(item)
        self.background.spawn(self.flush())

    def _registry_changed(self) -> None:
        for connection in self._connections:
            if connection.identity is not None and self._admission.is_revoked(connection.identity):
                connection.close(closing.REVOKED)
        self._subscriptions.end_forbidden()

    # Long tasks

    async def renew(self) -> None:
        """Renew the feeds before they expire. When a feed was lost, create it again and sweep."""
        lost = await self.feeds.renew()
        if lost:
            _log.warning("feeds were lost and are created again", partitions=lost)
            await self.feeds.open(lost)
            await self.sweep()

    async def sweep(self) -> None:
        """Find what the feeds did not report, and a change of the epoch."""
        if await self._store.refresh():
            await self._on_new_epoch()
        await self.registrations.audit()
        self._subscriptions.counts.repeat()
        try:
            await self._directory.sweep()
        except DataLost as error:
            _log.error("data was lost: the store gets a new epoch", reason=str(error))
            await self._store.start_new_epoch()
            await self._on_new_epoch()

    async def _on_new_epoch(self) -> None:
        """The epoch changed: close every connection, so that clients reconnect and get a `gap`."""
        _log.warning("the epoch has changed", epoch=self._store.epoch)
        self._connections.restart()
        self._directory.clear()
        await self.feeds.open()

    async def flush(self) -> None:
        """Store acknowledgements, closed connections and subscriptions. All of them are stored on return."""
        await self._acknowledgements.flush()
        await self.registrations.flush()
        await self._subscriptions.counts.flush()

    async def turn_wheel(self) -> None:
        """Turn the wheel, twice a second."""
        while True:
            await asyncio.sleep(SLOT_SECONDS)
            self._wheel.turn(time.monotonic())

    # Stopping

    async def drain(self) -> None:
        """Answer received sends and messages within RESTART_SECONDS, then close every connection."""
        self._others.finish()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(
                asyncio.gather(self._sending.drain(), self._messages.drain()), RESTART_SECONDS
            )
        await self._connections.drain()
        self._others.close()
