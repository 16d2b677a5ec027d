"""The opening handshake of a WebSocket: which clients may connect, and the response."""

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Final, Protocol

from websockets.exceptions import InvalidHandshake, InvalidMethod, InvalidProtocol, InvalidUpgrade
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from tidings.protocol import limits
from tidings.protocol.frames import SUBPROTOCOL
from tidings_workers.gateway.head import Elsewhere, HttpRefusal, not_a_websocket
from tidings_workers.gateway.plain_handshake import PATH, Handshake, response
from tidings_workers.registry import RegistryView
from tidings_workers.tokens import Identity, TokenError, Verifier, bearer_token

# A parameter with the name of one, or the value of one: a JWT begins with the base64 of {".
names_token: Final = re.compile(
    r"(?:^|&)(?:token|access_token|auth|authorization|jwt|key|bearer|passcode)(?:[=&]|$)"
    r"|=(?:bearer(?:\+|%20))?eyJ[\w-]+\.[\w-]+\.[\w-]",
    re.IGNORECASE | re.ASCII,
).search
TOKEN_IN_URL: Final = HttpRefusal(
    401,
    "invalid_token",
    "A URL must not contain a token. Send it in the Authorization header or in the connect frame.",
)
# The protocol parses these lists item by item. A WebSocket client needs a few words in each.
_LISTS: Final = ("Connection", "Upgrade", "Sec-WebSocket-Protocol")
_LIST_LENGTH: Final = 1024

NO_SUCH_TICKET: Final = HttpRefusal(
    401,
    "invalid_token",
    f"There is no such ticket: it was used, or is older than {limits.TICKET_SECONDS} seconds. Get another "
    "one by POST /v1/realtime/tickets.",
)
UNAVAILABLE: Final = HttpRefusal(
    503, "storage_unavailable", "The storage does not answer right now.", headers=(("Retry-After", "2"),)
)

Verdict = HttpRefusal | tuple[Identity | None, str | None]
"""A refusal, or the identity in the request's token (None without a token) and its origin."""


class Applicant(Protocol):
    """A connection whose handshake waits for a response."""

    @property
    def closed(self) -> bool:
        """Whether it closed, so that it needs no response."""

    def decide(self, request: Handshake, verdict: Verdict) -> None:
        """Respond to the handshake."""


class Successor(Protocol):
    """A protocol that gets the transport of a request that the WebSocket does not serve."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""

    def start(self, found: Elsewhere, rest: bytes) -> None:
        """Serve the request; `rest` are the bytes behind its head."""


class _Protocol(ServerProtocol):
    """The rules of RFC 6455 for a handshake. It keeps nothing of a connection.

    It chooses `tidings.v1` if the client offers it. A client may also offer nothing, or only others.
    """

    def select_subprotocol(self, subprotocols: Sequence[Subprotocol] | None) -> Subprotocol | None:
        """See ServerProtocol."""
        return Subprotocol(SUBPROTOCOL) if subprotocols and SUBPROTOCOL in subprotocols else None


_PROTOCOL: Final = _Protocol()


def check(request: Handshake, verifier: Verifier, registry: RegistryView) -> Verdict:
    """The identity in the handshake's token (None without a token) and the origin, or a refusal."""
    if request.query and names_token(request.query):
        return TOKEN_IN_URL
    if len(request.origins) > 1:
        return HttpRefusal(400, "malformed_request", "Send one Origin header, not several.")
    origin = request.origins[0] if request.origins else None
    if not request.authorization:
        return None, origin
    try:
        identity = verifier.verify(bearer_token(request.authorization), time.time())
    except TokenError as error:
        return HttpRefusal(401, error.code, error.detail, error.unknown_key)
    if not origin_allowed(registry, identity.tenant, origin):
        return HttpRefusal(403, "origin_refused", "This origin is not on the tenant's list.")
    return identity, origin


def origin_allowed(registry: RegistryView, tenant: str, origin: str | None) -> bool:
    """Whether a page of this origin may connect. Without a list, and outside browsers, every client may."""
    return origin is None or registry.admits(origin, tenant)


def accept(handshake: Handshake) -> bytes | HttpRefusal:
    """The response that opens the WebSocket, or a refusal when the request breaks RFC 6455."""
    request = handshake.request
    if request is None:
        return response(handshake.key, subprotocol=handshake.offers_subprotocol)
    if any(sum(map(len, request.headers.get_all(name))) > _LIST_LENGTH for name in _LISTS):
        return HttpRefusal(
            400, "malformed_request", f"{', '.join(_LISTS)}: one of these headers is too long."
        )
    try:
        _, _, subprotocol = _PROTOCOL.process_request(request)
    except InvalidUpgrade:
        return not_a_websocket(PATH)
    except InvalidMethod:
        detail = f"A WebSocket is opened with GET, not with {request.method}."
        return HttpRefusal(405, "malformed_request", detail, headers=(("Allow", "GET"),))
    except InvalidProtocol:
        return HttpRefusal(505, "malformed_request", "A WebSocket is opened with HTTP/1.1.")
    except InvalidHandshake as error:
        return HttpRefusal(400, "malformed_request", f"This is not a valid WebSocket handshake: {error}.")
    return response(request.headers["Sec-WebSocket-Key"], subprotocol=subprotocol is not None)
