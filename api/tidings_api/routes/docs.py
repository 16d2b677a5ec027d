"""The description of the API: as OpenAPI for programs, and as one page for people."""

from typing import Any, Final

from litestar import Request, Response, Router, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.params import FromPath
from litestar.response import Redirect

from tidings.protocol.errors import ERRORS
from tidings_api.assets import asset
from tidings_api.authorisation import PUBLIC
from tidings_api.conditional import Conditional, provide_condition
from tidings_api.documents import Documents
from tidings_api.pages import page_headers
from tidings_api.problems import ProblemError

_CACHED: Final = {"cache-control": "public, max-age=300"}
_PAGE_HEADERS: Final = {
    **_CACHED,
    **page_headers(script_src="'self'", style_src="'self'", connect_src="'self'"),
}
_FILES: Final = ("style.css", "page.mjs")
_CONDITION: Final = {"condition": Provide(provide_condition)}


@get("/openapi.json", opt=PUBLIC, dependencies=_CONDITION)
async def openapi(request: Request[Any, Any, State], state: State, condition: Conditional) -> Response[bytes]:
    """The OpenAPI 3.1 document of this server."""
    documents: Documents = state.documents
    answer = (await documents.openapi()).answer(request.scope["headers"], condition, None)
    answer.headers.update(_CACHED)
    return answer


@get("/docs", opt=PUBLIC, dependencies=_CONDITION)
async def page(request: Request[Any, Any, State], state: State, condition: Conditional) -> Response[bytes]:
    """The same document as a page for people."""
    documents: Documents = state.documents
    answer = (await documents.page()).answer(request.scope["headers"], condition, None)
    answer.headers.update(_PAGE_HEADERS)
    return answer


@get([f"/docs/{name}" for name in _FILES], opt=PUBLIC, dependencies=_CONDITION)
async def file(request: Request[Any, Any, State], condition: Conditional) -> Response[bytes]:
    """The style sheet and the script of the page."""
    name = request.url.path.rpartition("/")[2]
    return asset(name, "tidings_api.docs_files").answer(request.scope["headers"], condition, None)


@get("/problems/{code:str}", opt=PUBLIC)
async def explain(code: FromPath[str]) -> Redirect:
    """The target of a problem's `type` (RFC 9457, section 3.1.1)."""
    if code not in ERRORS:
        raise ProblemError("not_found", "There is no such problem: /docs lists them.")
    # Relative, so that it is also right behind a proxy's prefix.
    return Redirect(f"../docs#error-{code}")


routes: Final = Router("/", include_in_schema=False, route_handlers=[openapi, page, file, explain])
