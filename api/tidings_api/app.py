"""The Litestar application: its routes, its guards and its one handler of exceptions."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide

from tidings_api import openapi
from tidings_api.authorisation import authorise, refuse_undeclared
from tidings_api.documents import Documents
from tidings_api.problems import answer_exception
from tidings_api.requests import (
    JsonRequest,
    provide_identity,
    provide_services,
    provide_store,
    refuse_repeated_headers,
    refuse_unknown_query,
)
from tidings_api.routes import (
    browser,
    docs,
    events,
    export,
    groups,
    health,
    inbox,
    notifications,
    oauth,
    realtime,
    snoozes,
    tokens,
    topics,
    upstream,
    users,
    webhook_deliveries,
    webhooks,
)
from tidings_api.services import Services

# `tidings_api.bodies` reads every body and limits it first. This is only Litestar's own limit behind that.
_ANY_BODY_BYTES: Final = 16 * 1024 * 1024


ROUTERS: Final = (
    oauth.routes,
    notifications.routes,
    export.routes,
    groups.routes,
    topics.routes,
    inbox.routes,
    snoozes.routes,
    users.routes,
    tokens.routes,
    upstream.routes,
    events.routes,
    webhooks.routes,
    webhook_deliveries.routes,
    realtime.routes,
    health.routes,
    docs.routes,
    browser.routes,
)
_PROVIDERS: Final[dict[str, Callable[..., Any]]] = {
    "identity": provide_identity,
    "services": provide_services,
    "store": provide_store,
}


def describe() -> dict[str, Any]:
    """The OpenAPI document of the application."""
    return openapi.describe(ROUTERS, _PROVIDERS)


def create_app(services: Services, pages: Sequence[Router] = ()) -> Litestar:
    """The application on these services. `pages` are further routes beside the API.

    Raises ImproperlyConfiguredException when a route declares no scope.
    """
    app = Litestar(
        route_handlers=(*ROUTERS, *pages),
        state=State({"services": services, "documents": Documents(describe)}),
        guards=[authorise, refuse_unknown_query, refuse_repeated_headers],
        dependencies={name: Provide(provider) for name, provider in _PROVIDERS.items()},
        request_class=JsonRequest,
        request_max_body_size=_ANY_BODY_BYTES,
        exception_handlers={Exception: answer_exception},
        openapi_config=None,
        logging_config=None,
    )
    refuse_undeclared(app)
    return app
