"""Direct calls of handlers, for the routes on the hot path: the server's edge calls them without Litestar.

Litestar's work per request (routing, exception handlers, request object, models of parameters and signature,
response object) costs more than the rest of a send. A direct handler is still an ordinary one of Litestar,
with the same signature, result and OpenAPI operation: with `DIRECT` in its `opt` it has two callers. It may
declare `data`, `identity`, `store` and header parameters, and returns a `Response`. Both callers use the same
functions for the token, the body and the errors, and a test compares their answers.
"""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.types import Receive, Scope

from tidings_api.answers import JSON, Answer
from tidings_api.authorisation import SCOPE_OPTION, identify
from tidings_api.bodies import query_names, read_body, refuse_repeated, require_json
from tidings_api.problems import ProblemError
from tidings_api.requests import body_bytes, decoder_of, header_parameters
from tidings_api.services import Services

DIRECT: Final[Mapping[str, Any]] = {"direct": True}
"""The `opt` of a handler that the edge calls."""

DirectCall = Callable[[Scope, Receive, Answer], Awaitable[None]]
# By method and raw path.
DirectCalls = Mapping[tuple[str, bytes], DirectCall]

_NO_QUERY: Final[frozenset[str]] = frozenset()
_encode: Final = msgspec.json.Encoder().encode


def direct_calls(app: Litestar) -> DirectCalls:
    """The calls of all handlers of an application that have `DIRECT`."""
    return {
        (method, route.path.encode()): _call_of(handler, route.path, app.state.services)
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if isinstance(handler, HTTPRouteHandler) and handler.opt.get("direct")
        for method in handler.http_methods
    }


def _call_of(handler: HTTPRouteHandler, path: str, services: Services) -> DirectCall:
    function: Callable[..., Awaitable[Response[Any]]] = handler.fn
    scope_needed = handler.opt[SCOPE_OPTION]
    decode, limit, status = decoder_of(handler).decode, body_bytes(handler), handler.status_code
    headers_taken = header_parameters(handler)

    async def call(scope: Scope, receive: Receive, answer: Answer) -> None:
        scope["path_template"] = path
        fields = answer.fields
        identity = await identify(services, scope, fields.get(b"authorization", ()), scope_needed)
        if scope["query_string"]:
            query_names(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True), _NO_QUERY)
        refuse_repeated(fields, headers_taken.values())
        require_json(fields)
        body = await read_body(receive, fields, limit)
        if not body:
            raise ProblemError("malformed_json", "The body is empty: send a JSON object.")
        response = await function(
            data=decode(body),
            identity=identity,
            store=services.store,
            **{
                name: fields[key][0].decode("latin-1") for name, key in headers_taken.items() if key in fields
            },
        )
        headers = [
            JSON,
            *((name.lower().encode(), value.encode()) for name, value in response.headers.items()),
        ]
        await answer.send_whole(
            response.status_code or status or HTTPStatus.OK, _encode(response.content), headers
        )

    return call
