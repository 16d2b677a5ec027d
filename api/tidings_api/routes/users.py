"""Users: their presence, closing their connections, and erasing a user."""

from typing import Annotated, Final

from litestar import Router, delete, get
from litestar.params import PathParameter

from tidings.protocol import closing
from tidings.protocol.names import ID_PATTERN
from tidings.protocol.rest import Erased, OpenConnection, Presence
from tidings.protocol.times import timestamp
from tidings_api.authorisation import needs
from tidings_api.problems import ProblemError
from tidings_api.requests import Caller, OpenStore, UserPath
from tidings_workers.store.ids import milliseconds

ConnectionPath = Annotated[
    str,
    PathParameter(
        pattern=ID_PATTERN, description="A connection's id, from its `welcome` frame or from presence."
    ),
]


@get("/v1/users/{user:str}/presence", opt=needs("read"), summary="Get the presence of a user")
async def get_presence(user: UserPath, identity: Caller, store: OpenStore) -> Presence:
    """The user's open connections on all gateways, oldest first.

    When a gateway is killed, its connections stay in the list for up to 15 s.
    """
    found = await store.connections.presence(identity.tenant, user)
    seen_at = milliseconds() if found.connections else found.seen_at
    return Presence(
        online=bool(found.connections),
        connections=[
            OpenConnection(row.id, row.device, timestamp(row.connected_at)) for row in found.connections
        ],
        last_seen_at=timestamp(seen_at) if seen_at is not None else None,
    )


@delete("/v1/users/{user:str}/connections", opt=needs("users"), summary="Disconnect a user")
async def disconnect_user(user: UserPath, identity: Caller, store: OpenStore) -> None:
    """Closes every connection of the user with 4005. Clients do not reconnect after that code. Idempotent.

    It blocks no user: a client with a valid token may connect again.
    """
    await store.connections.disconnect(identity.tenant, user, closing.DISCONNECTED)


@delete(
    "/v1/connections/{connection_id:str}", opt=needs("users"), summary="Disconnect one connection of a user"
)
async def disconnect_connection(connection_id: ConnectionPath, identity: Caller, store: OpenStore) -> None:
    """Closes one connection with 4005; `not_found` when it is not open."""
    if not await store.connections.disconnect_one(identity.tenant, connection_id, closing.DISCONNECTED):
        raise ProblemError("not_found", f"There is no open connection {connection_id!r}.")


@delete("/v1/users/{user:str}", opt=needs("users"), status_code=200, summary="Erase a user")
async def erase_user(user: UserPath, identity: Caller, store: OpenStore) -> Erased:
    """Erases all data of the user, and answers with the number of erased items. It may be repeated.

    When the answer is sent, connections are closed (4005), memberships have ended, and the user's own log
    with its notifications, states, devices and presence is removed. Positions are never used again: a
    client that resumes gets a `gap`. After a 503 the erasure is not complete: repeat the request.
    Notifications that were also sent to other users stay, with the list of their recipients. `pending` names
    what could not be erased, because the history does not answer now: repeat the request later.
    """
    erased = await store.erasure.erase(identity.tenant, user)
    return Erased(
        user=user,
        notifications=erased.notifications,
        marks=erased.marks,
        memberships=erased.memberships,
        devices=erased.devices,
        connections=erased.connections,
        erased_at=timestamp(milliseconds()),
        pending=() if erased.complete else ("history",),
    )


routes: Final = Router(
    "/", tags=["Users"], route_handlers=[get_presence, disconnect_user, disconnect_connection, erase_user]
)
