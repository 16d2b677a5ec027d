"""Files that browsers load: in the package, named by what is in them, compressed once.

`static/` holds what `make browser` builds from `sdk/browser`, checked in so that a server is installed
without Node.
"""

import base64
import gzip
import hashlib
import re
from functools import cache, cached_property
from importlib.resources import files
from typing import Final

from litestar import Response

from tidings_api.bodies import RawHeaders, header
from tidings_api.conditional import Condition, not_modified

# RFC 8246: who has this file under this address never asks again.
FOR_EVER: Final = "public, max-age=31536000, immutable"
# A page that names no version gets a new one soon after an upgrade, and is never kept waiting for it.
SHORTLY: Final = "public, max-age=300, stale-while-revalidate=86400"

# The client and the widget in one, for a <script>.
WIDGET: Final = "widget.js"

_VERSION_LENGTH: Final = 12
# Any weight but zero, of three decimals at most.
_GZIP: Final = re.compile(rb"gzip(;q=(?!0(\.0*)?$)[01](\.\d{0,3})?)?")
# No client has more to say than that.
_OFFERS_BYTES: Final = 1024
_KINDS: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
}


class Asset:
    """One file of the package."""

    def __init__(self, name: str, body: bytes) -> None:
        self.name = name
        self.body = body

    @cached_property
    def version(self) -> str:
        """Short, and another when the file is another."""
        return hashlib.sha256(self.body).hexdigest()[:_VERSION_LENGTH]

    @cached_property
    def integrity(self) -> str:
        """What a page writes into `integrity`, so that a browser runs this file and no other."""
        return "sha384-" + base64.b64encode(hashlib.sha384(self.body).digest()).decode()

    @property
    def path(self) -> str:
        """The address of this very file."""
        return f"/{self.name}?v={self.version}"

    def answer(self, headers: RawHeaders, condition: Condition, version: str | None) -> Response[bytes]:
        """The file, to be kept for ever where the request names its version."""
        tag = f'W/"{self.version}"'
        told = {
            "cache-control": FOR_EVER if version == self.version else SHORTLY,
            "vary": "Accept-Encoding",
            "etag": tag,
        }
        if not condition.holds(tag):
            unchanged: Response[bytes] = not_modified(tag)
            unchanged.headers.update(told)
            return unchanged
        body = self.body
        if _takes_gzip(headers):
            body, told["content-encoding"] = self._compressed, "gzip"
        return Response(body, media_type=_KINDS[f".{self.name.rpartition('.')[2]}"], headers=told)

    def prepare(self) -> None:
        """Does once what the first answer would otherwise wait for."""
        self.version, self._compressed  # noqa: B018  both are kept

    @cached_property
    def _compressed(self) -> bytes:
        return gzip.compress(self.body, compresslevel=9, mtime=0)


@cache
def asset(name: str, package: str = "tidings_api.static") -> Asset:
    """The file of this name in a package of files."""
    return Asset(name, files(package).joinpath(name).read_bytes())


def _takes_gzip(headers: RawHeaders) -> bool:
    """Whether the client lists gzip and does not refuse it (RFC 9110, section 12.5.3)."""
    offered = b",".join(header(headers, b"accept-encoding"))
    if len(offered) > _OFFERS_BYTES:
        return False
    offers = offered.lower().replace(b" ", b"").split(b",")
    return any(_GZIP.fullmatch(offer) for offer in offers)
