"""The client and the widget for pages of any origin: for `<script>`, for `import`, and as an npm package."""

from typing import Annotated, Any, Final

from litestar import Request, Response, Router, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.params import QueryParameter

from tidings_api.assets import PACKAGE, WIDGET, asset
from tidings_api.authorisation import PUBLIC
from tidings_api.conditional import Conditional, provide_condition
from tidings_api.requests import ANY_QUERY

# Both in one file, each as a module, the modules that they load when a page needs them, and the npm package.
FILES: Final = (
    WIDGET,
    "widget.mjs",
    "parts.mjs",
    "words.mjs",
    "toasts.mjs",
    "alerts.mjs",
    "advice.mjs",
    "extras.mjs",
    "groups.mjs",
    "snoozes.mjs",
    "topics.mjs",
    "fallback.mjs",
    "tidings.mjs",
    PACKAGE,
)

Version = Annotated[str | None, QueryParameter(name="v", description="The version that the page names.")]

# Browsers load modules, and scripts with `integrity`, by the rules of CORS: these are for all origins.
_FOR_ALL: Final = {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}


# ANY_QUERY, because the tools of a site add parameters to addresses of scripts, such as `?ver=`.
@get(
    [f"/{name}" for name in FILES],
    opt={**PUBLIC, ANY_QUERY: True},
    dependencies={"condition": Provide(provide_condition)},
)
async def script(
    request: Request[Any, Any, State], condition: Conditional, version: Version = None
) -> Response[bytes]:
    """The file. Browsers cache it for a year under its version, and for five minutes without one."""
    answer = asset(request.url.path[1:]).answer(request.scope["headers"], condition, version)
    answer.headers.update(_FOR_ALL)
    return answer


routes: Final = Router("/", include_in_schema=False, route_handlers=[script])
