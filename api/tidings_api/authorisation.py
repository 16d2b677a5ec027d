"""Authentication and authorisation: bearer tokens (RFC 6750), and the scope that each route needs.

A route declares its scope in its `opt`, by `needs(...)` or `PUBLIC`. The server does not start when a
route declares neither.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.exceptions import ImproperlyConfiguredException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.types import Scope

from tidings_api.bodies import header
from tidings_api.problems import ProblemError
from tidings_api.services import Services
from tidings_workers.registry import SCOPES
from tidings_workers.tokens import Identity, TokenError, bearer_token

SCOPE_OPTION: Final = "scope"
PUBLIC: Final[Mapping[str, Any]] = {SCOPE_OPTION: None}


def needs(scope: str) -> Mapping[str, Any]:
    """The `opt` of a route that needs a token with this scope."""
    if scope not in SCOPES:
        raise ImproperlyConfiguredException(f"there is no scope {scope!r}")
    return {SCOPE_OPTION: scope}


def refuse_undeclared(app: Litestar) -> None:
    """Raise ImproperlyConfiguredException when a route declares neither a scope nor PUBLIC."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            automatic = isinstance(handler, HTTPRouteHandler) and handler.http_methods == {"OPTIONS"}
            if not automatic and SCOPE_OPTION not in handler.opt:
                raise ImproperlyConfiguredException(f"the route {route.path} ({handler}) declares no scope")


async def authorise(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A guard of Litestar: verifies the token and the scope that the route needs."""
    scope = handler.opt.get(SCOPE_OPTION)
    if scope is not None:
        services: Services = connection.app.state.services
        values = header(connection.scope["headers"], b"authorization")
        await identify(services, connection.scope, values, scope)


async def identify(services: Services, request: Scope, values: Sequence[bytes], scope: str) -> Identity:
    """The caller, by the values of its Authorization headers.

    Puts the caller into the request's ASGI scope as `auth`, also when the scope is missing: CORS needs its
    tenant for the answer. Raises TokenError, or ProblemError when the scope is missing.
    """
    token = bearer_token([value.decode("latin-1") for value in values])
    try:
        identity = services.verifier.verify(token, time.time())
    except TokenError as error:
        if not error.unknown_key:
            raise
        await services.view.refresh()
        identity = services.verifier.verify(token, time.time())
    request["auth"] = identity
    if scope not in identity.scopes:
        raise ProblemError(
            "insufficient_scope",
            f"The token lacks the scope {scope!r}. Send a token with it, from a key that allows it.",
            headers={
                "www-authenticate": f'Bearer realm="tidings", error="insufficient_scope", scope="{scope}"'
            },
        )
    return identity
