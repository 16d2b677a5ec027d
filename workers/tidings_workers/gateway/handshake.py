"""The opening handshake of a WebSocket: which clients may connect, and the response."""

import re
import time
from collections.abc import Sequence
from typing import Final, Protocol

from websockets.datastructures import MultipleValuesError
from websockets.exceptions import InvalidHandshake, InvalidMethod, InvalidProtocol, InvalidUpgrade
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from tidings.protocol.frames import SUBPROTOCOL
from tidings_workers.gateway.head import PATH, HttpRefusal, not_a_websocket
from tidings_workers.registry import RegistryView
from tidings_workers.tokens import Identity, TokenError, Verifier, bearer_token

_TOKEN_PARAMETER: Final = re.compile(
    r"(?:^|&)(?:token|access_token|auth|authorization|jwt|key|bearer)(?:[=&]|$)", re.IGNORECASE
).search
# The protocol parses these lists item by item. A WebSocket client needs a few words in each.
_LISTS: Final = ("Connection", "Upgrade", "Sec-WebSocket-Protocol")
_LIST_LENGTH: Final = 1024

Verdict = HttpRefusal | tuple[Identity | None, str | None]
"""A refusal, or the identity in the request's token (None without a token) and its origin."""


class Applicant(Protocol):
    """A connection whose handshake waits for a response."""

    @property
    def closed(self) -> bool:
        """Whether it closed, so that it needs no response."""

    def decide(self, request: Request, verdict: Verdict) -> None:
        """Respond to the handshake."""


class _Protocol(ServerProtocol):
    """The rules of RFC 6455 for a handshake. It keeps nothing of a connection.

    It chooses `tidings.v1` if the client offers it. A client may also offer nothing, or only others.
    """

    def select_subprotocol(self, subprotocols: Sequence[Subprotocol] | None) -> Subprotocol | None:
        """See ServerProtocol."""
        return Subprotocol(SUBPROTOCOL) if subprotocols and SUBPROTOCOL in subprotocols else None


_PROTOCOL: Final = _Protocol()


def check(request: Request, verifier: Verifier, registry: RegistryView) -> Verdict:
    """The identity in the handshake's token (None without a token) and the origin, or a refusal."""
    _, _, query = request.path.partition("?")
    if query and _TOKEN_PARAMETER(query):
        detail = (
            "A URL must not contain a token. Send it in the Authorization header or in the connect frame."
        )
        return HttpRefusal(401, "invalid_token", detail)
    try:
        origin = request.headers.get("Origin")
    except MultipleValuesError:
        return HttpRefusal(400, "malformed_request", "Send one Origin header, not several.")
    authorization = request.headers.get_all("Authorization")
    if not authorization:
        return None, origin
    try:
        identity = verifier.verify(bearer_token(authorization), time.time())
    except TokenError as error:
        return HttpRefusal(401, error.code, error.detail, error.unknown_key)
    if not origin_allowed(registry, identity.tenant, origin):
        return HttpRefusal(403, "origin_refused", "This origin is not on the tenant's list.")
    return identity, origin


def origin_allowed(registry: RegistryView, tenant: str, origin: str | None) -> bool:
    """Whether a page of this origin may connect. Without a list, and outside browsers, every client may."""
    return origin is None or registry.admits(origin, tenant)


def accept(request: Request) -> bytes | HttpRefusal:
    """The response that opens the WebSocket, or a refusal when the request breaks RFC 6455."""
    if any(sum(map(len, request.headers.get_all(name))) > _LIST_LENGTH for name in _LISTS):
        return HttpRefusal(
            400, "malformed_request", f"{', '.join(_LISTS)}: one of these headers is too long."
        )
    try:
        accept, _, subprotocol = _PROTOCOL.process_request(request)
    except InvalidUpgrade:
        return not_a_websocket(PATH)
    except InvalidMethod:
        detail = f"A WebSocket is opened with GET, not with {request.method}."
        return HttpRefusal(405, "malformed_request", detail, headers=(("Allow", "GET"),))
    except InvalidProtocol:
        return HttpRefusal(505, "malformed_request", "A WebSocket is opened with HTTP/1.1.")
    except InvalidHandshake as error:
        return HttpRefusal(400, "malformed_request", f"This is not a valid WebSocket handshake: {error}.")
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n"
        + (f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else "")
        + "\r\n"
    ).encode()
