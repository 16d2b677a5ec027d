"""The page `/spring` of `tidings-server dev`: a page for Spring's simple broker, on the realtime port.

Only `dev` runs this. A gateway in production neither serves nor imports it.
"""

import asyncio
from collections.abc import Callable
from html import escape
from http import HTTPStatus
from importlib.resources import files
from string import Template
from typing import Final

from tidings_api.pages import page_headers
from tidings_workers import gateway
from tidings_workers.addresses import reachable
from tidings_workers.config import Settings
from tidings_workers.gateway.http import HttpResponse

PATH: Final = "/spring"

# The files of the page, by their place in the package.
_FILES: Final = {
    "demo/pages": ("icon.svg", "palette.css"),
    "spring/pages": ("around.mjs", "chat.js", "copying.mjs", "page.css", "spring.css", "without.js"),
    "spring/libraries": ("sockjs.LICENSE.txt", "sockjs.min.js", "stomp.LICENSE.txt", "stomp.min.js"),
}
_MEDIA_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
_COMMON: Final = (("Cache-Control", "no-cache"), ("X-Content-Type-Options", "nosniff"))
# The part of the script that the page shows ends here.
_VIEW: Final = "// The view"


async def run(settings: Settings, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Run a gateway as `tidings_workers.gateway.run` does, with the page at `/spring`."""
    await gateway.run(settings, stop, ready, pages=pages(settings))


def pages(settings: Settings) -> dict[str, HttpResponse]:
    """The page and its files, by path."""
    root = files("tidings_api")
    found = {
        f"{PATH}/{name}": _response(
            root.joinpath(place, name).read_bytes(), _MEDIA_TYPES[name.rpartition(".")[2]]
        )
        for place, names in _FILES.items()
        for name in names
    }
    script = found[f"{PATH}/chat.js"].body.decode().partition(_VIEW)[0].strip()
    api = f"http://{reachable(settings.host)}:{settings.port}"
    page = Template(root.joinpath("spring/pages/index.html").read_text("utf-8"))
    policy = page_headers(script_src="'self'", style_src="'self'", img_src="'self'", connect_src="'self'")
    body = page.substitute(script=escape(script, quote=False), api=escape(api)).encode()
    answer = _response(body, "text/html; charset=utf-8", policy)
    return found | {PATH: answer, f"{PATH}/": answer}


def _response(body: bytes, kind: str, headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse(HTTPStatus.OK, body, (("Content-Type", kind), *_COMMON, *(headers or {}).items()))
