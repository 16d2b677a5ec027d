"""One gateway: composes its services and answers the calls of its connections."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Sequence
from typing import Final

import structlog
from websockets.http11 import Request

from tidings.protocol import closing
from tidings.protocol.frames import Connect, ErrorFrame, Mark, Positions, Refreshed
from tidings_workers import metrics
from tidings_workers.config import Settings
from tidings_workers.gateway.acknowledgements import Acknowledgements
from tidings_workers.gateway.admission import Admission, CloseRefusal, deadline
from tidings_workers.gateway.catchups import CatchUps
from tidings_workers.gateway.connection import Connection
from tidings_workers.gateway.directory import Directory
from tidings_workers.gateway.handshake import Applicant
from tidings_workers.gateway.head import HttpRefusal
from tidings_workers.gateway.hub import Hub
from tidings_workers.gateway.marking import Marking
from tidings_workers.gateway.opening import Opening
from tidings_workers.gateway.pending_writes import PendingWrites
from tidings_workers.gateway.registrations import Registrations
from tidings_workers.gateway.updates import Updates
from tidings_workers.gateway.users import Subscriber
from tidings_workers.gateway.wheel import SLOT_SECONDS, Wheel
from tidings_workers.gateway.wire import moment
from tidings_workers.identity import STORE_HEADER
from tidings_workers.registry import RegistryView
from tidings_workers.store import ConnectionLimitReached, DataLost, StorageUnavailable, Store
from tidings_workers.store.feed_items import Kicked, decode_feed
from tidings_workers.store.keys import feed
from tidings_workers.store.presence import new_connection_id
from tidings_workers.tasks import Background
from tidings_workers.tokens import Identity

RENEW_SECONDS: Final = 5.0
SWEEP_SECONDS: Final = 2.0
FLUSH_SECONDS: Final = 0.2
FEED_ENTRIES: Final = 200
RESTART_SECONDS: Final = 2.0
BACKLOG: Final = 4096

_log = structlog.get_logger()


class Gateway:
    """The connections of one process. Implements `connection.GatewayCalls`."""

    def __init__(self, settings: Settings, store: Store, registry: RegistryView) -> None:
        self.settings = settings
        # A random name: it is a part of every connection's id, which clients see.
        self.name = f"w{secrets.token_hex(8)}"
        self.background = Background("gateway")
        self.pending_writes = PendingWrites()
        self.registrations = Registrations(store, self.name)
        self._store = store
        self._registry = registry
        self._wheel = Wheel(time.monotonic())
        self._connections: dict[Connection, None] = {}
        # The id of the last entry that was read, by the partition of the feed.
        self._feed_ids = dict.fromkeys(range(store.partitions), "0")
        self._all_closed: asyncio.Event | None = None
        spawn = self.background.spawn
        self._admission = Admission(settings, registry)
        self._acknowledgements = Acknowledgements(store.feeds)
        self._catchups = CatchUps(store, spawn)
        self._updates = Updates(self._catchups, self.pending_writes, spawn)
        self._directory = Directory(store, self.name, spawn, self._updates)
        self._hub = Hub(store.keys, self._directory, self._catchups, self._updates, self._kicked)
        self._opening = Opening(store, self._directory, self._catchups, settings.heartbeat_seconds)
        self._marking = Marking(store, self._directory, self._catchups, spawn)
        registry.on_change(self._registry_changed)

    # Calls of connections, see GatewayCalls

    @property
    def refusal_headers(self) -> tuple[tuple[str, str], ...]:
        """See GatewayCalls."""
        return ((STORE_HEADER, self._store.identity),)

    def connection_made(self, connection: Connection) -> None:
        """See GatewayCalls."""
        self._connections[connection] = None
        self._wheel.add(connection, connection.session.due())

    def admit(self, applicant: Applicant, request: Request) -> None:
        """See GatewayCalls."""
        verdict = self._admission.check_request(request)
        if isinstance(verdict, HttpRefusal) and verdict.unknown_key:
            self.background.spawn(self._admit_again(applicant, request))
        else:
            applicant.decide(request, verdict)

    async def _admit_again(self, applicant: Applicant, request: Request) -> None:
        """The key may be newer than our copy of the registry."""
        await self._registry.refresh()
        if not applicant.closed:
            applicant.decide(request, self._admission.check_request(request))

    def open(self, connection: Connection, connect: Connect, *, again: bool = False) -> None:
        """See GatewayCalls. Verifies the token, then opens the session in the background."""
        identity = self._admission.identify(connection.identity, connect.token, connection.origin)
        if isinstance(identity, CloseRefusal):
            if identity.unknown_key and not again:
                self.background.spawn(self._open_again(connection, connect))
            else:
                connection.close(identity.code, identity.reason)
            return
        # Count it now and not when the session is open: many may be opening at the same time.
        refusal = self._admission.reserve(identity, connection.address, len(self._connections))
        if refusal is not None:
            connection.close(refusal.code)
            return
        connection.set_counted(identity)
        metrics.CONNECTIONS.inc()
        self.background.spawn(self._open(connection, identity, connect))

    async def _open_again(self, connection: Connection, connect: Connect) -> None:
        """The key may be newer than our copy of the registry."""
        await self._registry.refresh()
        if not connection.closed:
            self.open(connection, connect, again=True)

    async def _open(self, connection: Connection, identity: Identity, connect: Connect) -> None:
        user = self._store.keys.user(identity.tenant, identity.subject)
        name = new_connection_id(self.name, user.partition)
        self.registrations.add(name, connection)
        try:
            if connect.device is not None or self._admission.user_limit(identity.tenant):
                # Store acknowledgements and closed connections first: the device may have closed its last
                # connection just now, continues after the position acknowledged there, and that connection
                # must not count.
                await self.flush()
            arrival = self._admission.arrival(name, identity.tenant)
            await self._opening.open(connection, identity, connect, arrival)
        except ConnectionLimitReached:
            connection.close(closing.TOO_MANY_CONNECTIONS)
        except StorageUnavailable:
            connection.close(closing.OVERLOADED, "the storage is unavailable")
        except BaseException:
            connection.close(closing.OVERLOADED)
            raise
        finally:
            if connection.subscriber is None:
                # Refused or closed: the store may have registered it although we received no answer.
                self.registrations.remove(name, user.base)
            else:
                self.registrations.confirm(name)

    def acknowledge(self, subscriber: Subscriber, positions: Positions) -> None:
        """See GatewayCalls. Positions are cut to those sent."""
        self._acknowledgements.add(subscriber, positions)

    def mark(self, subscriber: Subscriber, mark: Mark) -> None:
        """See GatewayCalls."""
        self._marking.add(subscriber, mark)

    def refresh(self, connection: Connection, token: str) -> None:
        """See GatewayCalls."""
        assert connection.identity is not None  # noqa: S101 - only an open session refreshes
        new = self._admission.verify_refresh(connection.identity, token)
        if isinstance(new, ErrorFrame):
            connection.send(new)
            return
        connection.replace_token(new, deadline(new))
        connection.send(Refreshed(moment(round(new.expires_at * 1000))))

    def connection_closing(self, connection: Connection) -> None:
        """See GatewayCalls."""
        if connection.abort_at is not None:
            self._wheel.add(connection, connection.abort_at)
        if connection.counted:
            metrics.CONNECTIONS.dec()
            assert connection.identity is not None  # noqa: S101 - it was counted by its identity
            self._admission.release(connection.identity, connection.address)
        subscriber = connection.detach()
        if subscriber is not None:
            self._detach(subscriber)

    def _detach(self, subscriber: Subscriber) -> None:
        user = subscriber.user
        user.remove(subscriber)
        self._catchups.stop(subscriber)
        self._directory.release(user)
        self.registrations.remove(subscriber.id, user.topic.log.base)
        if self._acknowledgements.has_pending(subscriber) or self._admission.user_limit(user.tenant):
            # The device may reconnect to another gateway at once.
            self.background.spawn(self.flush())

    def connection_lost(self, connection: Connection) -> None:
        """See GatewayCalls."""
        del self._connections[connection]
        if self._all_closed is not None and not self._connections:
            self._all_closed.set()
        metrics.CLOSED.labels(code=metrics.close_label(connection.close_code)).inc()

    # Reports of the store

    def _kicked(self, item: Kicked) -> None:
        """Close connections that the store no longer registers; a request may wait until they are closed."""
        self.registrations.close(item)
        self.background.spawn(self.flush())

    def _registry_changed(self) -> None:
        for connection in list(self._connections):
            if connection.identity is not None and self._admission.is_revoked(connection.identity):
                connection.close(closing.REVOKED)

    # Long tasks

    async def read_feeds(self, partitions: Sequence[int]) -> None:
        """Process the feed items of these partitions, in batches, until cancelled."""
        reader = self._store.reader(f"feed-{partitions[0]}")
        keys = {feed(partition, self.name): partition for partition in partitions}
        try:
            while True:
                wanted = {key: self._feed_ids[partition] for key, partition in keys.items()}
                streams = await reader.read(wanted, FEED_ENTRIES)
                for key, entries in streams.items():
                    for _, fields in entries:
                        self._hub.process(decode_feed(fields[b"f"]))
                    self._feed_ids[keys[key]] = entries[-1][0].decode()
                self.pending_writes.write()
        finally:
            await reader.close()

    async def renew(self) -> None:
        """Renew the feeds before they expire. When a feed was lost, create it again and sweep."""
        lost = await self._store.feeds.renew(self.name, self._feed_ids)
        if lost:
            _log.warning("feeds were lost and are created again", partitions=lost)
            await self.open_feeds(lost)
            await self.sweep()

    async def sweep(self) -> None:
        """Find what the feeds did not report, and a change of the epoch."""
        if await self._store.refresh():
            await self._on_new_epoch()
        await self.registrations.audit()
        try:
            await self._directory.sweep()
        except DataLost as error:
            _log.error("data was lost: the store gets a new epoch", reason=str(error))
            await self._store.start_new_epoch()
            await self._on_new_epoch()

    async def _on_new_epoch(self) -> None:
        """The epoch changed: close every connection, so that clients reconnect and get a `gap`."""
        _log.warning("the epoch has changed", epoch=self._store.epoch)
        for connection in list(self._connections):
            connection.close(closing.RESTART)
        self._directory.clear()
        await self.open_feeds(list(self._feed_ids))

    async def open_feeds(self, partitions: Sequence[int]) -> None:
        """Create the feeds of these partitions; they are read from their start."""
        await self._store.feeds.open(self.name, partitions)
        for partition in partitions:
            self._feed_ids[partition] = "0"

    async def flush(self) -> None:
        """Store acknowledgements and closed connections. All of them are stored on return."""
        await self._acknowledgements.flush()
        await self.registrations.flush()

    async def turn_wheel(self) -> None:
        """Turn the wheel, twice a second."""
        while True:
            await asyncio.sleep(SLOT_SECONDS)
            self._wheel.turn(time.monotonic())

    # Stopping

    async def drain(self) -> None:
        """Close every connection with 1012, spread over up to RESTART_SECONDS.

        Then wait up to RESTART_SECONDS until they are closed, and drop the rest.
        """
        leaving = list(self._connections)
        part = max(100, len(leaving) // 20)
        for start in range(0, len(leaving), part):
            for connection in leaving[start : start + part]:
                connection.close(closing.RESTART)
            await asyncio.sleep(RESTART_SECONDS / 20 if start + part < len(leaving) else 0)
        if self._connections:
            self._all_closed = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_closed.wait(), RESTART_SECONDS)
        for connection in list(self._connections):
            connection.abort()
