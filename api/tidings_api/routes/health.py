"""Health checks: the process answers, and the whole service works."""

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


@get("/health/live", opt=PUBLIC, summary="Check liveness")
async def live() -> Response[Health]:
    """200 while the process answers, also when the storage is unavailable."""
    return Response(Health("live"), headers=_UNCACHED)


@get("/health/ready", opt=PUBLIC, summary="Check readiness")
async def ready(services: Parts) -> Response[Health]:
    """200 when a probe notification was stored within the last 5 seconds, else 503."""
    if not services.ready:
        raise ProblemError(
            "storage_unavailable",
            "No probe notification was stored within the last 5 seconds: check storage and dispatchers.",
        )
    await services.store.ping()
    return Response(Health("ready"), headers={**_UNCACHED, STORE_HEADER: services.store.identity})


_UNCACHED: Final = {"cache-control": "no-store"}

routes: Final = Router("/", tags=["Health"], route_handlers=[live, ready])
