"""Whether the process lives, and whether it can do its work."""

from typing import Final

from litestar import Response, Router, get
from msgspec import Struct

from tidings_api.authorisation import PUBLIC
from tidings_api.problems import ProblemError
from tidings_api.requests import Parts
from tidings_workers.identity import STORE_HEADER


class Health(Struct, frozen=True):
    """A healthy answer; an unhealthy one is a problem document."""

    status: str


@get("/health/live", opt=PUBLIC, summary="Is the process alive?")
async def live() -> Response[Health]:
    """200 as long as the process answers at all, also while the storage is away."""
    return Response(Health("live"), headers=_UNCACHED)


@get("/health/ready", opt=PUBLIC, summary="Can the service do its work?")
async def ready(services: Parts) -> Response[Health]:
    """200 when a probe notification has gone the whole way within the last seconds, else 503."""
    if not services.ready:
        raise ProblemError(
            "storage_unavailable", "No probe notification has gone the whole way within the last seconds."
        )
    await services.store.ping()
    return Response(Health("ready"), headers={**_UNCACHED, STORE_HEADER: services.store.identity})


_UNCACHED: Final = {"cache-control": "no-store"}

routes: Final = Router("/", tags=["Health"], route_handlers=[live, ready])
