"""Clients that connect: the verdict on a handshake, and the opening of the session."""

from collections.abc import Awaitable, Callable

from msgspec import structs

from tidings.protocol import closing
from tidings.protocol.frames import Connect
from tidings_workers import metrics
from tidings_workers.gateway.admission import Admission, CloseRefusal
from tidings_workers.gateway.connection import Connection
from tidings_workers.gateway.connections import Connections
from tidings_workers.gateway.handshake import NO_SUCH_TICKET, UNAVAILABLE, Applicant
from tidings_workers.gateway.head import HttpRefusal
from tidings_workers.gateway.interest import Spawn
from tidings_workers.gateway.opening import Opening
from tidings_workers.gateway.plain_handshake import Handshake
from tidings_workers.gateway.registrations import Registrations
from tidings_workers.registry import RegistryView
from tidings_workers.store import ConnectionLimitReached, StorageUnavailable, Store
from tidings_workers.store.presence import new_connection_id
from tidings_workers.tokens import Identity


class Arrivals:
    """The arrivals of one gateway.

    `flush` stores acknowledgements and closed connections; all of them are stored on return.
    """

    def __init__(
        self,
        store: Store,
        registry: RegistryView,
        admission: Admission,
        opening: Opening,
        connections: Connections,
        registrations: Registrations,
        spawn: Spawn,
        flush: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._registry = registry
        self._admission = admission
        self._opening = opening
        self._connections = connections
        self._registrations = registrations
        self._spawn = spawn
        self._flush = flush

    def admit(self, applicant: Applicant, request: Handshake) -> None:
        """See `GatewayCalls`."""
        if request.ticket:
            self._spawn(self._admit_ticket(applicant, request))
            return
        verdict = self._admission.check_request(request)
        if isinstance(verdict, HttpRefusal) and verdict.unknown_key:
            self._spawn(self._admit_again(applicant, request))
        else:
            applicant.decide(request, verdict)

    async def _admit_ticket(self, applicant: Applicant, request: Handshake) -> None:
        """Use the ticket, and decide as if the request had its token."""
        try:
            token = await self._store.tickets.redeem(request.ticket)
        except StorageUnavailable:
            applicant.decide(request, UNAVAILABLE)
            return
        if token is None:
            applicant.decide(request, NO_SUCH_TICKET)
        else:
            authorization = (f"Bearer {token}",)
            self.admit(applicant, structs.replace(request, authorization=authorization, ticket=""))

    async def _admit_again(self, applicant: Applicant, request: Handshake) -> None:
        """The key may be newer than our copy of the registry."""
        await self._registry.refresh()
        if not applicant.closed:
            applicant.decide(request, self._admission.check_request(request))

    def open(self, connection: Connection, connect: Connect, *, again: bool = False) -> None:
        """See `GatewayCalls`. Verifies the token, then opens the session in the background."""
        identity = self._admission.identify(
            connection.identity,
            connect.token,
            connection.origin,
            inbox=connect.inbox,
            host=connection.guest_host,
        )
        if isinstance(identity, CloseRefusal):
            if identity.unknown_key and not again:
                self._spawn(self._open_again(connection, connect))
            else:
                connection.close(identity.code, identity.reason)
            return
        # Count it now and not when the session is open: many may be opening at the same time.
        refusal = self._admission.reserve(
            identity, connection.address, len(self._connections), inbox=connect.inbox
        )
        if refusal is not None:
            connection.close(refusal.code)
            return
        connection.set_counted(identity)
        metrics.CONNECTIONS.inc()
        if connect.inbox:
            self._spawn(self._open(connection, identity, connect))
        else:
            self._opening.open_without_inbox(
                connection, identity, new_connection_id(self._registrations.name, 0)
            )

    async def _open_again(self, connection: Connection, connect: Connect) -> None:
        """The key may be newer than our copy of the registry."""
        await self._registry.refresh()
        if not connection.closed:
            self.open(connection, connect, again=True)

    async def _open(self, connection: Connection, identity: Identity, connect: Connect) -> None:
        user = self._store.keys.user(identity.tenant, identity.subject)
        name = new_connection_id(self._registrations.name, user.partition)
        self._registrations.add(name, connection)
        try:
            if connect.device is not None or self._admission.user_limit(identity.tenant):
                # The device may have closed its last connection just now: that one must not count, and its
                # acknowledged positions are the start.
                await self._flush()
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
                self._registrations.remove(name, user.base)
            else:
                self._registrations.confirm(name)
