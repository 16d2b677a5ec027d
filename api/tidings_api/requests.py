"""Litestar's request, guards and parameters, with the rules of this API."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from tidings.protocol import limits
from tidings.protocol.names import ID_PATTERN, ID_RULE
from tidings.protocol.pointers import one_of
from tidings_api.bodies import fields_of, query_names, read_body, refuse_repeated, require_json
from tidings_api.problems import ProblemError
from tidings_api.services import Services
from tidings_workers.store import Store
from tidings_workers.strict_json import BodyDecoder
from tidings_workers.tokens import Identity

# In a route's `opt`: the route ignores unknown query parameters.
ANY_QUERY: Final = "any_query"
BODY_BYTES_OPTION: Final = "body_bytes"
SMALL_BODY_BYTES: Final = 64 * 1024

UserPath = Annotated[str, PathParameter(pattern=ID_PATTERN, description=f"A user's id: {ID_RULE}.")]
GroupPath = Annotated[str, PathParameter(pattern=ID_PATTERN, description=f"A group's id: {ID_RULE}.")]
Limit = Annotated[
    int, QueryParameter(ge=1, le=limits.PAGE_MAXIMUM, description="The highest number of items of the page.")
]
Cursor = Annotated[
    str | None,
    QueryParameter(description="`next` or `previous` of a page of this list; absent for its start."),
]
Category = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=limits.CATEGORY_LENGTH,
        description="Only notifications of this category; with a dot at its end, of all that begin with it.",
    ),
]

# Injected into handlers.
Caller = NamedDependency[Identity]
OpenStore = NamedDependency[Store]
Parts = NamedDependency[Services]


class JsonRequest(Request[Any, Any, State]):
    """Reads bodies by the rules of `tidings_api.bodies`, and decodes them as the handler's `data`."""

    async def body(self) -> bytes:
        """The body of a route that takes JSON. Raises ProblemError for another or an empty body."""
        state = self._connection_state
        if not isinstance(state.body, bytes):
            fields = fields_of(self.scope["headers"])
            require_json(fields)
            body = await read_body(self.receive, fields, body_bytes(self.route_handler))
            if not body:
                raise ProblemError("malformed_json", "The body is empty: send a JSON object.")
            state.body = body
        return state.body

    async def json(self) -> Any:
        """The body, decoded as the type of the handler's `data`."""
        return decoder_of(self.route_handler).decode(await self.body())


def body_bytes(handler: BaseRouteHandler) -> int:
    """The limit of the route's body, in bytes."""
    limit: int = handler.opt.get(BODY_BYTES_OPTION, SMALL_BODY_BYTES)
    return limit


@lru_cache
def decoder_of(handler: BaseRouteHandler) -> BodyDecoder[Any]:
    """The decoder of a handler's `data`."""
    field = handler.parsed_data_field
    assert field is not None  # noqa: S101  Litestar decodes a body only for handlers with `data`
    return BodyDecoder(field.annotation, undecoded_parts=handler.opt.get("undecoded_parts", False))


@lru_cache
def header_parameters(handler: BaseRouteHandler) -> Mapping[str, bytes]:
    """The headers that a handler takes, in lower case, by the names of their parameters."""
    return {
        name: (field.kwarg_definition.name or name).lower().encode()
        for name, field in handler.parsed_fn_signature.parameters.items()
        if isinstance(field.kwarg_definition, HeaderParameter)
    }


async def refuse_repeated_headers(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """A guard of Litestar: a header that is a parameter is given at most once."""
    names = header_parameters(handler)
    if names:
        refuse_repeated(fields_of(connection.scope["headers"]), names.values())


async def refuse_unknown_query(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """A guard of Litestar: an undeclared query parameter is an error, unless `opt` has ANY_QUERY.

    A value is an error, too, when it is not one of the listed values of its parameter.
    """
    if not connection.scope["query_string"] or handler.opt.get(ANY_QUERY):
        return
    query = list(connection.query_params.multi_items())
    declared = _declared_query(handler)
    query_names(query, frozenset(declared))
    for name, value in query:
        values = declared[name]
        if values and value not in values:
            raise ProblemError("invalid_request", f"query parameter {name}: {one_of(values)}")


@lru_cache
def _declared_query(handler: BaseRouteHandler) -> dict[str, tuple[str, ...]]:
    """The query parameters of a route, each with its allowed values; empty where any value is allowed."""
    injected = handler.resolve_dependencies()
    taken = handler.parsed_fn_signature.parameters
    signatures = [
        handler.parsed_fn_signature,
        *(injected[name].parsed_fn_signature for name in taken if name in injected),
    ]
    return {
        field.kwarg_definition.name or name: _values(field.annotation)
        for signature in signatures
        for name, field in signature.parameters.items()
        if isinstance(field.kwarg_definition, QueryParameter)
    }


def _values(annotation: Any) -> tuple[str, ...]:
    """The values of a Literal, also of an optional one."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next((values for kind in get_args(annotation) if (values := _values(kind))), ())


async def provide_identity(request: Request[Any, Any, State]) -> Identity:
    """The caller, as the guard `authorise` verified it."""
    identity: Identity = request.scope["auth"]
    return identity


async def provide_services(state: State) -> Services:
    """The store, the view of the registry and the verifier of tokens."""
    services: Services = state.services
    return services


async def provide_store(state: State) -> Store:
    """The open store. Raises StorageUnavailable (503) until it is open."""
    services: Services = state.services
    return services.store
