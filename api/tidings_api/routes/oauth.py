"""Access tokens for applications: the client credentials grant of OAuth 2.0, which needs no JWT library."""

import time
from typing import Any, Final

import msgspec
from litestar import Request, Response, Router, post
from litestar.datastructures import State

from tidings.protocol.errors import problem
from tidings.protocol.rest import AccessToken, GrantError, GrantErrorCode
from tidings_api.authorisation import PUBLIC
from tidings_api.bodies import fields_of, header, read_body
from tidings_api.grants import (
    FORM,
    FORM_BYTES,
    TOKEN_SECONDS,
    Client,
    Refused,
    check_secret,
    client_of,
    read_form,
    scopes_of,
)
from tidings_api.problems import ProblemError
from tidings_api.requests import Parts
from tidings_api.services import Services
from tidings_workers.registry import Key
from tidings_workers.tokens import make_token

_UNCACHED: Final = {"cache-control": "no-store", "pragma": "no-cache"}
_CHALLENGE: Final = {"www-authenticate": 'Basic realm="tidings", charset="UTF-8"'}
# The stable codes of this API for the codes of RFC 6749.
_CODES: Final[dict[GrantErrorCode, str]] = {
    "invalid_request": "malformed_request",
    "unsupported_grant_type": "malformed_request",
    "invalid_scope": "malformed_request",
    "invalid_client": "invalid_token",
}


@post("/v1/oauth/token", opt=PUBLIC, status_code=200, summary="Get an access token for a key")
async def grant_token(request: Request[Any, Any, State], services: Parts) -> Response[Any]:
    """A token with the key's scopes, or with those that `scope` names; never `inbox`.

    The key is the client: `<tenant>.<kid>` is its id, the rest its secret, by Basic or in the form. The
    token expires after one hour. When the key is revoked, the token is void within two seconds.
    """
    headers = request.scope["headers"]
    kinds = header(headers, b"content-type")
    if len(kinds) != 1 or kinds[0].partition(b";")[0].strip().lower() != FORM:
        raise ProblemError(
            "unsupported_media_type", f"Send a form, with Content-Type: {FORM.decode()}, as in OAuth 2.0."
        )
    body = await read_body(request.receive, fields_of(headers), FORM_BYTES)
    try:
        return Response(await _grant(services, header(headers, b"authorization"), body), headers=_UNCACHED)
    except Refused as refused:
        return _refusal(refused, request.scope["state"]["request_id"])


async def _grant(services: Services, authorization: list[bytes], body: bytes) -> AccessToken:
    form = read_form(body)
    client = client_of([value.decode("latin-1") for value in authorization], form)
    key = check_secret(await _key(services, client), client.secret)
    scopes = scopes_of(key, form)
    subject = f"{client.tenant}.{client.kid}"
    token = make_token(key, client.tenant, subject, scopes, TOKEN_SECONDS, time.time())
    return AccessToken(token, "Bearer", TOKEN_SECONDS, " ".join(sorted(scopes)))


async def _key(services: Services, client: Client) -> Key | None:
    key = services.view.key(client.tenant, client.kid)
    if key is None:  # it may be newer than the view
        await services.view.refresh()
        key = services.view.key(client.tenant, client.kid)
    return key


def _refusal(refused: Refused, request_id: str) -> Response[GrantError]:
    base = problem(_CODES[refused.code], refused.detail, request_id)
    answer = GrantError(**msgspec.structs.asdict(base), error=refused.code, error_description=refused.detail)
    # RFC 6749, section 5.2, requires application/json here.
    return Response(
        answer,
        status_code=base.status,
        headers=_UNCACHED | (_CHALLENGE if refused.code == "invalid_client" else {}),
    )


routes: Final = Router("/", tags=["Tokens"], route_handlers=[grant_token])
