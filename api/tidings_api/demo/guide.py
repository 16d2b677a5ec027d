"""The documentation as a site, which `make docs` builds. Without it the answer says so."""

import base64
import hashlib
import mimetypes
import re
from functools import cache
from pathlib import Path
from typing import Final

from litestar import Response, Router, get
from litestar.di import Provide
from litestar.params import FromPath
from litestar.response import Redirect

from tidings_api.authorisation import PUBLIC
from tidings_api.conditional import Conditional, not_modified, provide_condition, weak_tag
from tidings_api.pages import page_headers
from tidings_api.problems import ProblemError

SITE: Final = Path(__file__).parent / "guide_site"

# The scripts within a page that browsers run. Others are data.
_INLINE: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


@get("/guide", opt=PUBLIC)
async def start() -> Redirect:
    """The links of the site are relative to its directory."""
    return Redirect("guide/index.html")


@get("/guide/{name:path}", opt=PUBLIC, dependencies={"condition": Provide(provide_condition)})
async def file(name: FromPath[str], condition: Conditional) -> Response[bytes]:
    """A page of the site, or a file that a page loads."""
    if not SITE.is_dir():
        raise ProblemError("not_found", "The guide is not built: run `make docs`. Its sources are in docs/.")
    path = (SITE / name.lstrip("/")).resolve()
    if not path.is_relative_to(SITE.resolve()) or not path.is_file():
        raise ProblemError("not_found", "The guide has no such page: /guide lists them.")
    tag = weak_tag(name, path.stat().st_mtime_ns)
    if not condition.is_met(tag):
        return not_modified(tag)
    body = path.read_bytes()
    headers = {"cache-control": "no-cache", "etag": tag}
    if path.suffix == ".html":
        headers |= _page_headers(body)
    media_type, _ = mimetypes.guess_type(path.name)
    return Response(body, media_type=media_type or "application/octet-stream", headers=headers)


@cache
def _page_headers(body: bytes) -> dict[str, str]:
    """The headers of a page. Its inline scripts may run; its bundle makes markup and styles from texts."""
    digests = [base64.b64encode(hashlib.sha256(script).digest()) for script in _INLINE.findall(body)]
    hashes = " ".join(f"'sha256-{digest.decode()}'" for digest in digests)
    return page_headers(
        script_src=f"'self' {hashes}",
        style_src="'self' 'unsafe-inline'",
        connect_src="'self'",
        img_src="'self' data:",
        worker_src="'self'",
        require_trusted_types_for=None,
        trusted_types=None,
    )


routes: Final = Router("/", include_in_schema=False, route_handlers=[start, file])
