"""Tokens for users' browsers and apps."""

import time
from typing import Any, Final

from litestar import Request, Response, Router, post
from litestar.datastructures import State
from litestar.params import JSONBody

from tidings.protocol.rest import CreateToken, UserToken
from tidings.protocol.times import timestamp
from tidings_api.authorisation import needs
from tidings_api.realtime_address import realtime_url
from tidings_api.requests import Caller, Parts
from tidings_workers.tokens import TokenError, make_user_token


@post("/v1/tokens", opt=needs("tokens"), status_code=201, summary="Create a token for a user")
async def create_token(
    request: Request[Any, Any, State], data: JSONBody[CreateToken], identity: Caller, services: Parts
) -> Response[UserToken]:
    """A token that can connect as the user, and read and mark the user's own inbox; nothing else.

    It expires after `expires_in`. When the key of the caller's token is revoked, it is void within two
    seconds.
    """
    key = services.view.key(identity.tenant, identity.kid)
    if key is None:  # revoked between the guard and here
        raise TokenError("invalid_token", "The key of this token was revoked: use another key.")
    now = int(time.time())
    return Response(
        UserToken(
            token=make_user_token(key, identity.tenant, data.user, data.expires_in, now),
            expires_at=timestamp((now + data.expires_in) * 1000),
            realtime_url=realtime_url(request.scope["headers"], services.settings),
        ),
        headers={"cache-control": "no-store"},
    )


routes: Final = Router("/", tags=["Tokens"], route_handlers=[create_token])
