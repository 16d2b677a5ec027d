"""The realtime port: its address, and tickets for its streams of events."""

from typing import Any, Final

from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.params import JSONBody

from tidings.protocol import limits
from tidings.protocol.rest import CreateTicket, RealtimeAddress, RealtimeTicket
from tidings_api.authorisation import needs
from tidings_api.bodies import header
from tidings_api.realtime_address import realtime_url
from tidings_api.requests import Caller, OpenStore, Parts
from tidings_workers.tokens import bearer_token


@get("/v1/realtime", opt=needs("send"), summary="Get the address of the realtime port")
async def get_realtime_address(request: Request[Any, Any, State], services: Parts) -> RealtimeAddress:
    """The URL to which a service connects that sends over a socket. Users get theirs with their token."""
    return RealtimeAddress(realtime_url(request.scope["headers"], services.settings))


@post("/v1/realtime/tickets", opt=needs("inbox"), status_code=201, summary="Create a ticket for a stream")
async def create_ticket(
    request: Request[Any, Any, State], data: JSONBody[CreateTicket], identity: Caller, store: OpenStore
) -> Response[RealtimeTicket]:
    """A ticket for one connection to `GET /v1/realtime/events?ticket=`, where a token must not be in the URL.

    It can be used once, within `expires_in` seconds. The connection has the rights of the token of this
    request, and lives as long. A user has at most 50 unused tickets: a further one replaces the oldest.
    """
    del data
    values = header(request.scope["headers"], b"authorization")
    token = bearer_token([value.decode("latin-1") for value in values])
    ticket = await store.tickets.make(identity.tenant, identity.subject, token)
    return Response(
        RealtimeTicket(ticket, limits.TICKET_SECONDS), status_code=201, headers={"cache-control": "no-store"}
    )


routes: Final = Router("/", tags=["Notifications"], route_handlers=[get_realtime_address, create_ticket])
