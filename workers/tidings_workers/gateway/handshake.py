"""The opening handshake: who may come in, and what a refusal says."""

import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct
from websockets.datastructures import MultipleValuesError
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from tidings.protocol.errors import problem
from tidings.protocol.frames import SUBPROTOCOL
from tidings_workers.registry import RegistryView
from tidings_workers.tokens import Identity, TokenError, Verifier

PATH: Final = "/v1/realtime"
_TOKEN_PARAMETERS: Final = {"token", "access_token", "auth", "authorization", "jwt", "key", "bearer"}


class Refusal(Struct, frozen=True):
    """A handshake that is answered with an HTTP error and its problem document."""

    status: int
    code: str
    detail: str
    # The registry's view may be a moment old: look again before saying so.
    unknown_key: bool = False


Verdict = Refusal | tuple[Identity | None, str | None]


class Handshake(ServerProtocol):
    """The protocol until the handshake is done.

    `tidings.v1` is chosen where it is offered; a client that offers nothing, or others, is fine.
    """

    def select_subprotocol(self, subprotocols: Sequence[Subprotocol] | None) -> Subprotocol | None:
        """See ServerProtocol. A method, since a function given to it makes a cycle."""
        return Subprotocol(SUBPROTOCOL) if subprotocols and SUBPROTOCOL in subprotocols else None


def check(request: Request, verifier: Verifier, view: RegistryView) -> Verdict:
    """The identity of the handshake's token (None without one) and the origin, or a refusal."""
    path, _, query = request.path.partition("?")
    if path != PATH:
        return Refusal(404, "not_found", f"WebSockets are served at {PATH}.")
    if query and any(
        name.lower() in _TOKEN_PARAMETERS for name, _ in parse_qsl(query, keep_blank_values=True)
    ):
        detail = (
            "A token does not belong into a URL: send it as Authorization header or in the connect frame."
        )
        return Refusal(401, "invalid_token", detail)
    try:
        origin = request.headers.get("Origin")
        authorization = request.headers.get("Authorization")
    except MultipleValuesError:
        return Refusal(401, "invalid_token", "Send one Authorization header and one Origin.")
    if authorization is None:
        return None, origin
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return Refusal(401, "invalid_token", "The Authorization header has to be: Bearer <token>.")
    try:
        identity = verifier.verify(token.strip(), time.time())
    except TokenError as error:
        return Refusal(401, error.code, error.detail, error.unknown_key)
    if not origin_allowed(view, identity.tenant, origin):
        return Refusal(403, "origin_refused", "This origin is not on the tenant's list.")
    return identity, origin


def origin_allowed(view: RegistryView, tenant: str, origin: str | None) -> bool:
    """Whether a page of this origin may connect; without a list, and outside browsers, all may."""
    return origin is None or view.admits(origin, tenant)


def describe(response: Response, refusal: Refusal) -> None:
    """Make the answer of a refusal a problem document."""
    body = msgspec.json.encode(problem(refusal.code, refusal.detail))
    response.body = body
    response.status_code, response.reason_phrase = refusal.status, HTTPStatus(refusal.status).phrase
    for name in ("Content-Type", "Content-Length"):
        if name in response.headers:
            del response.headers[name]
    response.headers["Content-Type"] = "application/problem+json"
    response.headers["Content-Length"] = str(len(body))
    response.headers["Cache-Control"] = "no-store"
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = f'Bearer realm="tidings", error="{refusal.code}"'
