"""One gateway: listens, reads its feeds, and keeps what its connections need alive."""

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

import structlog

from tidings.protocol import closing
from tidings.protocol.frames import Connect, ErrorFrame, Mark, Positions, Refreshed, Stated
from tidings_workers import metrics
from tidings_workers.config import Settings
from tidings_workers.gateway import handshake, opening
from tidings_workers.gateway.acknowledgements import Acknowledgements
from tidings_workers.gateway.catchup import CatchUp
from tidings_workers.gateway.connection import Connection
from tidings_workers.gateway.hub import Hub
from tidings_workers.gateway.marking import Marking
from tidings_workers.gateway.registrations import Registrations
from tidings_workers.gateway.wheel import SLOT_SECONDS, Wheel
from tidings_workers.gateway.wire import moment
from tidings_workers.registry import RegistryView
from tidings_workers.store import DataLost, SessionRefused, StorageUnavailable, Store
from tidings_workers.store.feeds import Arrival, Kicked, decode_feed
from tidings_workers.store.keys import Log, feed
from tidings_workers.store.presence import new_connection_id
from tidings_workers.tasks import Background
from tidings_workers.tokens import Identity, TokenError, Verifier

RENEW_SECONDS: Final = 5.0
SWEEP_SECONDS: Final = 2.0
FLUSH_SECONDS: Final = 0.2
FEED_ENTRIES: Final = 200
RESTART_SECONDS: Final = 2.0
BACKLOG: Final = 4096
READERS: Final = 64

_log = structlog.get_logger()


class Gateway:
    """Holds the connections of one process."""

    def __init__(self, settings: Settings, store: Store, view: RegistryView) -> None:
        self.settings = settings
        self.store = store
        self.view = view
        self.verifier = Verifier(view)
        # Part of every connection's id, so it says nothing of the process.
        self.name = f"w{secrets.token_hex(8)}"
        self.background = Background("gateway")
        self.registrations = Registrations(store, self.name)
        self.hub = Hub(store, self.name, self.background.spawn, self._kicked)
        self.wheel = Wheel(time.monotonic())
        self.connections: dict[Connection, None] = {}
        self._addresses: Counter[str] = Counter()
        self._tenants: Counter[str] = Counter()
        self._users: Counter[str] = Counter()
        self._positions = dict.fromkeys(range(store.partitions), "0")
        self._acknowledgements = Acknowledgements(self.hub)
        self._marking = Marking(self.hub, self.background.spawn)
        self._reading = asyncio.Semaphore(READERS)
        self._emptied: asyncio.Event | None = None
        view.on_change(self._registry_changed)

    # Connections come and go

    def arrived(self, connection: Connection) -> None:
        """A socket was accepted."""
        self.connections[connection] = None
        self.wheel.add(connection, connection.session.due())

    def gone(self, connection: Connection) -> None:
        """A socket is closed for good."""
        if self.connections.pop(connection, self) is self:
            return
        if self._emptied is not None and not self.connections:
            self._emptied.set()
        metrics.CLOSED.labels(code=metrics.close_label(connection.close_code)).inc()

    def left(self, connection: Connection) -> None:
        """A connection is closing: it gets nothing more."""
        if connection.counted:
            connection.counted = False
            metrics.CONNECTIONS.dec()
            assert connection.identity is not None  # noqa: S101 - it was counted by its identity
            _discount(self._tenants, connection.identity.tenant)
            _discount(self._users, self._user(connection.identity).base)
            _discount(self._addresses, connection.address)
        user = getattr(connection, "user", None)
        if user is not None and user.connections.pop(connection, self) is not self:
            connection.leave_topics()
            self.hub.interest.release(user.topic)
            self.registrations.end(connection, user.topic.log.base)
            if self._acknowledgements.waits_for(connection) or self._limit(user.tenant):
                # The device may come back at once, to another gateway.
                self.background.spawn(self.flush())

    def open(self, connection: Connection, connect: Connect, *, again: bool = False) -> None:
        """Verify who it is, then open the session in the background."""
        identity = connection.identity
        if connect.token is not None and identity is None:
            try:
                identity = self.verifier.verify(connect.token, time.time())
            except TokenError as error:
                if error.unknown_key and not again:
                    self.background.spawn(self._open_again(connection, connect))
                    return
                expired = error.code == "expired_token"
                connection.close(closing.TOKEN_EXPIRED if expired else closing.INVALID_TOKEN, error.detail)
                return
        if identity is None:
            connection.close(closing.INVALID_TOKEN, "no token in the handshake or the connect frame")
            return
        if not handshake.origin_allowed(self.view, identity.tenant, connection.origin):
            connection.close(closing.ORIGIN_REFUSED)
            return
        refused = opening.refusal(identity) or self._crowded(connection, identity)
        if refused is not None:
            connection.close(refused)
            return
        connection.identity = identity
        connection.device = connect.device
        user = self._user(identity)
        connection.id = new_connection_id(self.name, user.partition)
        connection.counted = True
        self.registrations.begin(connection)
        # Counted now, not when the session is open: many may be opening at the same time.
        self._tenants[identity.tenant] += 1
        self._users[user.base] += 1
        self._addresses[connection.address] += 1
        metrics.CONNECTIONS.inc()
        self.background.spawn(self._open(connection, identity, connect))

    async def _open_again(self, connection: Connection, connect: Connect) -> None:
        """The key may be newer than our view of the registry."""
        await self.view.refresh()
        if not connection.closed:
            self.open(connection, connect, again=True)

    def _user(self, identity: Identity) -> Log:
        return self.store.core.keys.user(identity.tenant, identity.subject)

    def _limit(self, tenant: str) -> int:
        """How many connections a user of the tenant may have on all gateways; 0 is any number."""
        record = self.view.tenant(tenant)
        return (record.connections_per_user or 0) if record is not None else 0

    def _arrival(self, connection: Connection, tenant: str) -> Arrival:
        record = self.view.tenant(tenant)
        replaces = record is not None and record.sessions == "replace"
        return Arrival(connection.id, self._limit(tenant), closing.REPLACED.code if replaces else 0)

    def _crowded(self, connection: Connection, identity: Identity) -> closing.CloseCode | None:
        settings = self.settings
        if (
            len(self.connections) > settings.gateway_connections
            or self._addresses[connection.address] >= settings.connections_per_address
            or self._tenants[identity.tenant] >= settings.connections_per_tenant
            or self._users[self._user(identity).base] >= settings.connections_per_user
        ):
            return closing.TOO_MANY_CONNECTIONS
        return None

    async def _open(self, connection: Connection, identity: Identity, connect: Connect) -> None:
        try:
            if connect.device is not None or self._limit(identity.tenant):
                # It goes on from what it acknowledged on its last connection, perhaps a moment ago, and
                # that connection no longer counts.
                await self.flush()
            arrival = self._arrival(connection, identity.tenant)
            await opening.open_session(self.hub, connection, identity, connect, arrival)
        except SessionRefused:
            connection.close(closing.TOO_MANY_CONNECTIONS)
        except StorageUnavailable:
            connection.close(closing.OVERLOADED, "the storage is away")
        except BaseException:
            connection.close(closing.OVERLOADED)
            raise
        finally:
            if not hasattr(connection, "user"):
                # Refused, or closed meanwhile; what got no answer may be registered all the same.
                self.registrations.end(connection, self._user(identity).base)

    def catch_up(
        self,
        connection: Connection,
        cursors: dict[str, int],
        departed: set[str],
        states: Sequence[Stated],
        *,
        replay: bool,
    ) -> None:
        """Bring a connection to the present; at once where there is nothing to send."""
        catchup = CatchUp(self.hub, connection, cursors, departed, states, self._reading, replay=replay)
        connection.catching_up = catchup
        if not catchup.finish():
            self.background.spawn(self._catch_up(connection, catchup))

    async def _catch_up(self, connection: Connection, catchup: CatchUp) -> None:
        try:
            await catchup.run()
        except StorageUnavailable:
            connection.close(closing.OVERLOADED, "the storage is away")
        except BaseException:
            connection.close(closing.OVERLOADED)
            raise

    def _kicked(self, item: Kicked) -> None:
        """The store has let go of connections, and somebody may wait for them to be closed."""
        self.registrations.close(item)
        self.background.spawn(self.flush())

    # What sessions ask

    def acknowledge(self, connection: Connection, positions: Positions) -> None:
        """Everything up to these positions arrived, cut to what was sent."""
        self._acknowledgements.add(connection, positions)

    def mark(self, connection: Connection, mark: Mark) -> None:
        """Change the state of what the user has."""
        self._marking.add(connection, mark)

    def refresh(self, connection: Connection, token: str) -> None:
        """Take a new token of the same user."""
        identity = connection.identity
        assert identity is not None  # noqa: S101 - only an open session refreshes
        try:
            new = self.verifier.verify(token, time.time())
        except TokenError as error:
            connection.send(ErrorFrame(error.code, error.detail))
            return
        if (new.tenant, new.subject) != (identity.tenant, identity.subject) or "inbox" not in new.scopes:
            detail = "the new token has to be of the same user, with the scope inbox"
            connection.send(ErrorFrame("invalid_token", detail))
            return
        connection.identity = new
        connection.session.refresh(opening.deadline(new))
        connection.send(Refreshed(moment(round(new.expires_at * 1000))))

    def _registry_changed(self) -> None:
        for connection in list(self.connections):
            identity = connection.identity
            if identity is not None and self.view.key(identity.tenant, identity.kid) is None:
                connection.close(closing.REVOKED)

    # Long tasks

    async def read_feeds(self, partitions: Sequence[int]) -> None:
        """Take what the feeds of these partitions bring, in batches, until cancelled."""
        reader = self.store.core.connection.reader(f"feed-{partitions[0]}")
        keys = {feed(partition, self.name): partition for partition in partitions}
        try:
            while True:
                wanted = {key: self._positions[partition] for key, partition in keys.items()}
                streams = await reader.read(wanted, FEED_ENTRIES)
                for key, entries in streams.items():
                    for _, fields in entries:
                        self.hub.take(decode_feed(fields[b"f"]))
                    self._positions[keys[key]] = entries[-1][0].decode()
                self.hub.write()
        finally:
            await reader.close()

    async def renew(self) -> None:
        """Keep the feeds alive; after losing one, everything in its partition is looked at again."""
        lost = await self.store.feeds.renew_feeds(self.name, self._positions)
        if lost:
            _log.warning("feeds were lost and are made anew", partitions=lost)
            await self.open_feeds(lost)
            await self.sweep()

    async def sweep(self) -> None:
        """Look for what the feeds did not bring, and whether the data is still the same."""
        if await self.store.observe():
            await self._start_anew()
        await self.registrations.audit()
        try:
            await self.hub.directory.sweep()
        except DataLost as error:
            _log.error("data was lost: the store gets a new epoch", reason=str(error))
            await self.store.renew_epoch()
            await self._start_anew()

    async def _start_anew(self) -> None:
        """The epoch is another one: everybody comes back and is told what is missing."""
        _log.warning("the epoch has changed", epoch=self.store.epoch)
        for connection in list(self.connections):
            connection.close(closing.RESTART)
        self.hub.directory.forget()
        await self.open_feeds(list(self._positions))

    async def open_feeds(self, partitions: Sequence[int]) -> None:
        """Make feeds, to be read from their start."""
        await self.store.feeds.open_feeds(self.name, partitions)
        for partition in partitions:
            self._positions[partition] = "0"

    async def flush(self) -> None:
        """Store what was acknowledged, and who went, since the last time; all of it is stored on return."""
        await self._acknowledgements.store()
        await self.registrations.store()

    async def turn_wheel(self) -> None:
        """Call what is due, twice a second."""
        while True:
            await asyncio.sleep(SLOT_SECONDS)
            self.wheel.turn(time.monotonic())

    # The end

    async def drain(self) -> None:
        """Close every connection with 1012, spread out a little, and wait for them to go."""
        leaving = list(self.connections)
        batch = max(100, len(leaving) // 20)
        for start in range(0, len(leaving), batch):
            for connection in leaving[start : start + batch]:
                connection.close(closing.RESTART)
            await asyncio.sleep(RESTART_SECONDS / 20 if start + batch < len(leaving) else 0)
        if self.connections:
            self._emptied = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), RESTART_SECONDS)
        for connection in list(self.connections):
            connection.abort()


def _discount(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
