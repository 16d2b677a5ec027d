"""Decides which clients may connect, by token, origin, scope, and the limits on connections.

It returns verdicts and never touches a connection.
"""

import time
from collections import Counter
from typing import Final, NamedTuple, TypeVar

from tidings.protocol import closing, limits
from tidings.protocol.closing import CloseCode
from tidings.protocol.frames import ErrorFrame
from tidings.protocol.names import is_id
from tidings_workers import topic_patterns
from tidings_workers.config import Settings
from tidings_workers.gateway import guests, handshake
from tidings_workers.gateway.plain_handshake import Handshake
from tidings_workers.registry import INBOX_SCOPE, MESSAGE_SCOPE, RegistryView
from tidings_workers.store.attaching import Arrival
from tidings_workers.tokens import Identity, TokenError, Verifier

Counted = TypeVar("Counted")


# A client without an inbox needs one of these.
_WITH_INBOX: Final = frozenset({INBOX_SCOPE})
_WITHOUT_INBOX: Final = frozenset({"send", MESSAGE_SCOPE})


class CloseRefusal(NamedTuple):
    """A verdict: close the connection with this code.

    With `unknown_key`, refresh the copy of the registry and try once more first: the key may be new.
    """

    code: CloseCode
    reason: str = ""
    unknown_key: bool = False


class Admission:
    """The connections that one gateway admits, counted by tenant, user and address."""

    def __init__(self, settings: Settings, registry: RegistryView) -> None:
        self._settings = settings
        self._registry = registry
        self._verifier = Verifier(registry)
        self._addresses: Counter[str] = Counter()
        self._guests: Counter[str] = Counter()
        self._tenants: Counter[str] = Counter()
        self._users: Counter[tuple[str, str]] = Counter()

    def check_request(self, request: Handshake) -> handshake.Verdict:
        """The verdict on a handshake. A refusal with `unknown_key` is not final: see `CloseRefusal`."""
        return handshake.check(request, self._verifier, self._registry)

    def admits_page(self, origin: str) -> bool:
        """Whether any tenant admits pages of this origin."""
        return self._registry.admits(origin)

    def identify(
        self,
        identity: Identity | None,
        token: str | None,
        origin: str | None,
        *,
        inbox: bool = True,
        host: str | None = None,
    ) -> Identity | CloseRefusal:
        """The identity of a client that sent `connect`: that of the handshake, or of the frame's token.

        Without `inbox` the client only sends. `host` is set where a client may be a guest: its header `host`.
        """
        if identity is None:
            if token is None and host is not None:
                return self._guest(host, origin)
            if token is None:
                return CloseRefusal(closing.INVALID_TOKEN, "no token in the handshake or the connect frame")
            try:
                identity = self._verifier.verify(token, time.time())
            except TokenError as error:
                expired = error.code == "expired_token"
                code = closing.TOKEN_EXPIRED if expired else closing.INVALID_TOKEN
                return CloseRefusal(code, error.detail, error.unknown_key)
        if not handshake.origin_allowed(self._registry, identity.tenant, origin):
            return CloseRefusal(closing.ORIGIN_REFUSED)
        if inbox and "inbox" not in identity.scopes:
            return CloseRefusal(closing.NO_INBOX_SCOPE)
        if not inbox and identity.scopes.isdisjoint(_WITHOUT_INBOX):
            return CloseRefusal(closing.NO_INBOX_SCOPE, "the token lacks the scopes send and message")
        if not is_id(identity.subject):
            return CloseRefusal(closing.INVALID_TOKEN)
        return identity

    def _guest(self, host: str, origin: str | None) -> Identity | CloseRefusal:
        identity = guests.guest_of(self._registry.with_guests, self._registry.tenant(host) is not None, host)
        if isinstance(identity, str):
            return CloseRefusal(closing.INVALID_TOKEN, identity)
        if not handshake.origin_allowed(self._registry, identity.tenant, origin):
            return CloseRefusal(closing.ORIGIN_REFUSED)
        return identity

    def reserve(
        self, identity: Identity, address: str, connections: int, *, inbox: bool = True
    ) -> CloseRefusal | None:
        """Count a connection by address, tenant and user, or reject it when a limit is reached.

        `connections` is the number of connections of this gateway, with this one. Without `inbox` it has no
        user.
        """
        settings, user = self._settings, (identity.tenant, identity.subject)
        if (
            connections > settings.gateway_connections
            or self._addresses[address] >= settings.connections_per_address
            or self._tenants[identity.tenant] >= settings.connections_per_tenant
            or (inbox and self._users[user] >= settings.connections_per_user)
            or (identity.is_guest and self._guests[address] >= settings.guests_per_address)
        ):
            return CloseRefusal(closing.TOO_MANY_CONNECTIONS)
        self._addresses[address] += 1
        if identity.is_guest:
            self._guests[address] += 1
        self._tenants[identity.tenant] += 1
        if inbox:
            self._users[user] += 1
        return None

    def release(self, identity: Identity, address: str, *, inbox: bool = True) -> None:
        """Undo one `reserve`."""
        _discount(self._addresses, address)
        if identity.is_guest:
            _discount(self._guests, address)
        _discount(self._tenants, identity.tenant)
        if inbox:
            _discount(self._users, (identity.tenant, identity.subject))

    def user_limit(self, tenant: str) -> int:
        """How many connections a user of the tenant may have on all gateways; 0 means no limit."""
        record = self._registry.tenant(tenant)
        return (record.connections_per_user or 0) if record is not None else 0

    def arrival(self, connection: str, tenant: str) -> Arrival:
        """The parameters with which the store registers a connection."""
        record = self._registry.tenant(tenant)
        replaces = record is not None and record.sessions == "replace"
        return Arrival(connection, self.user_limit(tenant), closing.REPLACED.code if replaces else 0)

    def verify_refresh(self, identity: Identity, token: str, *, inbox: bool = True) -> Identity | ErrorFrame:
        """The identity of a new token, which must be for the same user; or the error to send."""
        try:
            new = self._verifier.verify(token, time.time())
        except TokenError as error:
            return ErrorFrame(error.code, error.detail)
        scopes = _WITH_INBOX if inbox else _WITHOUT_INBOX
        if (new.tenant, new.subject) != (identity.tenant, identity.subject) or scopes.isdisjoint(new.scopes):
            scope = "inbox" if inbox else "send or message"
            detail = f"the new token must be for the same user and have the scope {scope}"
            return ErrorFrame("invalid_token", detail)
        return new

    def may_subscribe(self, identity: Identity, topic: str) -> bool:
        """Whether a token or its tenant allows to subscribe to a topic."""
        tenant = self._registry.tenant(identity.tenant)
        patterns = (*(identity.topics or ()), *(tenant.open_topics if tenant is not None else ()))
        return topic_patterns.allows(patterns, topic, identity.subject)

    @staticmethod
    def may_publish(identity: Identity, topic: str) -> bool:
        """Whether a token allows to publish to a topic."""
        return topic_patterns.allows(identity.publish or (), topic, identity.subject)

    def is_revoked(self, identity: Identity) -> bool:
        """Whether the key that signed the token was revoked, or the tenant no longer allows guests."""
        if identity.is_guest:
            return identity.tenant not in self._registry.with_guests
        return self._registry.key(identity.tenant, identity.kid) is None


def deadline(identity: Identity) -> float:
    """When a token expires, leeway included, in seconds of the monotonic clock that sessions use."""
    return time.monotonic() + identity.expires_at + limits.TOKEN_LEEWAY_SECONDS - time.time()


def _discount(counter: Counter[Counted], key: Counted) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
