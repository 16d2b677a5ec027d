"""The demo page, its files, and the tokens for its two users and its form."""

import time
from html import escape
from string import Template
from typing import Annotated, Any, Final, Literal

from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.di import Provide
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from tidings.protocol.rest import UserToken
from tidings.protocol.times import timestamp
from tidings_api.assets import WIDGET, asset
from tidings_api.authorisation import PUBLIC
from tidings_api.conditional import Conditional, provide_condition
from tidings_api.demo.looks import LOOKS, words
from tidings_api.demo.own import is_own_page, own_host
from tidings_api.demo.snippets import cards
from tidings_api.demo_tenant import TENANT
from tidings_api.pages import page_headers
from tidings_api.problems import ProblemError
from tidings_api.realtime_address import realtime_url
from tidings_api.requests import Parts
from tidings_workers.registry import INBOX_SCOPE, Registry
from tidings_workers.tokens import make_token, make_user_token

USERS: Final = {"ana": "Ana", "bob": "Bob"}
SENDER: Final = "demo-page"
SENDER_SCOPES: Final = frozenset({"send", "read", "groups", "events"})
TOKEN_SECONDS: Final = 3600

Theme = Annotated[str, QueryParameter(description="The words and colors of the page.")]

_PACKAGE: Final = "tidings_api.demo.pages"
_FILES: Final = frozenset(
    {
        *("palette.css", "page.css", "code.css", "user.css"),
        *(
            "page.mjs",
            "composer.mjs",
            "windows.mjs",
            "drawer.mjs",
            "tabs.mjs",
            "rows.mjs",
            "frames.mjs",
            "events.mjs",
            "snippets.mjs",
            "highlight.mjs",
            "user.mjs",
        ),
        *("icon.svg", "parcel.svg", "comment.svg", "deploy.svg", "alarm.svg"),
    }
)


class TokenRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A request for a token: for one of the page's users, or for the form that sends."""

    role: Literal["ana", "bob", "sender"]


@get("/", opt=PUBLIC)
async def page(request: Request[Any, Any, State], services: Parts) -> Response[str]:
    """The page: the form, two users in iframes, the frames that are sent and received, and the code."""
    host = own_host(request.scope["headers"], services.settings)
    api = f"http://{host or f'127.0.0.1:{services.settings.port}'}"
    widget = asset(WIDGET)
    body = _template("index.html").substitute(
        api=escape(api),
        spring=escape(_spring_page(realtime_url(request.scope["headers"], services.settings))),
        snippets=cards({"api": api, "widget": f"{api}{widget.path}", "integrity": widget.integrity}),
    )
    return _page(
        body,
        connect_src="'self'",
        frame_src="'self'",
    )


@get("/demo/users/{user:str}", opt=PUBLIC)
async def user_page(
    request: Request[Any, Any, State], user: FromPath[str], services: Parts, theme: Theme = "plain"
) -> Response[str]:
    """A page of an application that the user has opened, with the words and colors of a theme."""
    if user not in USERS:
        raise ProblemError("not_found", f"The users of this page are {' and '.join(USERS)}.")
    if theme not in LOOKS:
        raise ProblemError("not_found", f"The themes of this page are {', '.join(LOOKS)}.")
    shown = {name: escape(value) for name, value in words(LOOKS[theme], USERS[user]).items()}
    url = realtime_url(request.scope["headers"], services.settings)
    gateway = url.partition("/v1/")[0]
    return _page(
        _template("user.html").substitute(user=user, **shown),
        # The client reads server-sent events where a WebSocket fails.
        connect_src=f"'self' {gateway} {gateway.replace('ws', 'http', 1)}",
        frame_ancestors="'self'",
        # The icon of a notification may have any address.
        img_src="'self' http: https:",
    )


@get("/demo/files/{name:str}", opt=PUBLIC, dependencies={"condition": Provide(provide_condition)})
async def file(
    request: Request[Any, Any, State],
    name: FromPath[str],
    condition: Conditional,
    version: Annotated[str | None, QueryParameter(name="v")] = None,
) -> Response[bytes]:
    """A style sheet, a script or a picture of the pages."""
    if name not in _FILES:
        raise ProblemError("not_found", "The page has no such file.")
    answer = asset(name, _PACKAGE).answer(request.scope["headers"], condition, version)
    answer.headers["cache-control"] = "no-cache"
    return answer


@post("/demo/tokens", opt=PUBLIC, status_code=201)
async def create_token(
    request: Request[Any, Any, State], data: JSONBody[TokenRequest], services: Parts
) -> Response[UserToken]:
    """A token of the tenant `demo`, for the demo page only."""
    headers, settings = request.scope["headers"], services.settings
    if not is_own_page(headers, settings):
        raise ProblemError(
            "origin_refused",
            f"Only the page at http://127.0.0.1:{settings.port}/ gets this token. Create one with "
            "`tidings-server token`.",
        )
    scopes = SENDER_SCOPES if data.role == "sender" else {INBOX_SCOPE}
    key = await Registry(services.store.redis).signing_key(TENANT, scopes)
    if key is None:
        raise ProblemError(
            "not_found", f"The tenant {TENANT} has no key for this. Start `dev` again: it creates one."
        )
    now = int(time.time())
    if data.role == "sender":
        token = make_token(key, TENANT, SENDER, SENDER_SCOPES, TOKEN_SECONDS, now)
    else:
        token = make_user_token(key, TENANT, data.role, TOKEN_SECONDS, now)
    return Response(
        UserToken(
            token=token,
            expires_at=timestamp((now + TOKEN_SECONDS) * 1000),
            realtime_url=realtime_url(headers, settings),
        ),
        headers={"cache-control": "no-store"},
    )


routes: Final = Router("/", include_in_schema=False, route_handlers=[page, user_page, file, create_token])


def _spring_page(realtime: str) -> str:
    """The address of the page for Spring, on the realtime port."""
    return f"http{realtime.removeprefix('ws').partition('/v1/')[0]}/spring"


def _template(name: str) -> Template:
    return Template(asset(name, _PACKAGE).body.decode())


def _page(body: str, **allowed: str) -> Response[str]:
    headers = page_headers(script_src="'self'", style_src="'self'", **{"img_src": "'self'", **allowed})
    return Response(body, media_type="text/html", headers={**headers, "cache-control": "no-cache"})
