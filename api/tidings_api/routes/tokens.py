"""Tokens for users' browsers and apps."""

import time
from typing import Any, Final

from litestar import Request, Response, Router, post
from litestar.datastructures import State
from litestar.params import JSONBody

from tidings.protocol.errors import FieldError
from tidings.protocol.rest import CreateToken, UserToken
from tidings.protocol.times import timestamp
from tidings_api.authorisation import needs
from tidings_api.problems import ProblemError
from tidings_api.realtime_address import realtime_url
from tidings_api.requests import Caller, Parts
from tidings_workers import topic_patterns
from tidings_workers.tokens import Identity, Patterns, TokenError, make_user_token


@post("/v1/tokens", opt=needs("tokens"), status_code=201, summary="Create a token for a user")
async def create_token(
    request: Request[Any, Any, State], data: JSONBody[CreateToken], identity: Caller, services: Parts
) -> Response[UserToken]:
    """A token that can connect as the user, and read and mark the user's own inbox.

    It can subscribe to the topics that `topics` allows, and publish to those that `publish` allows. Where the
    caller's own token has one of these claims, it gives no more than that: 403 `insufficient_scope`.
    It expires after `expires_in`. When the key of the caller's token is revoked, it is void within two
    seconds.
    """
    key = services.view.key(identity.tenant, identity.kid)
    if key is None:  # revoked between the guard and here
        raise TokenError("invalid_token", "The key of this token was revoked: use another key.")
    patterns = {"topics": data.topics, "publish": data.publish}
    _check_patterns(patterns, data.user, identity)
    now = int(time.time())
    return Response(
        UserToken(
            token=make_user_token(key, identity.tenant, data.user, data.expires_in, now, patterns),
            expires_at=timestamp((now + data.expires_in) * 1000),
            realtime_url=realtime_url(request.scope["headers"], services.settings),
        ),
        headers={"cache-control": "no-store"},
    )


def _check_patterns(patterns: Patterns, user: str, identity: Identity) -> None:
    """Raise ProblemError (403) for patterns that the caller may not give."""
    beyond: list[FieldError] = []
    for name, allowed in (("topics", identity.topics), ("publish", identity.publish)):
        given = patterns[name]
        if given is None or allowed is None:
            continue
        detail = f"The claim {name} of your own token does not allow all of this."
        indexes = topic_patterns.within(given, user, allowed, identity.subject)
        beyond += [FieldError(f"#/{name}/{index}", detail) for index in indexes]
    if beyond:
        detail = "Your own token allows fewer topics than this token would: see errors."
        raise ProblemError("insufficient_scope", detail, tuple(beyond))


routes: Final = Router("/", tags=["Tokens"], route_handlers=[create_token])
