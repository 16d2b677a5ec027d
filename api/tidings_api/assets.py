"""Files of the package that browsers load. Each has a version by its content, and is compressed once.

`static/` contains the files that `make browser` builds from `sdk/browser`. They are checked in, so that
installing a server needs no Node.
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

# RFC 8246: a client that has the file of this address never requests it again.
IMMUTABLE: Final = "public, max-age=31536000, immutable"
# A page that names no version gets the new file soon after an upgrade, and does not wait while its browser
# loads it.
SHORT_LIVED: Final = "public, max-age=300, stale-while-revalidate=86400"

# The client and the widget in one file, for a <script>.
WIDGET: Final = "widget.js"
# The same as an npm package, which is an archive.
PACKAGE: Final = "tidings.tgz"

_VERSION_LENGTH: Final = 12
# Any weight except zero, with at most three decimals.
_GZIP: Final = re.compile(rb"gzip(;q=(?!0(\.0*)?$)[01](\.\d{0,3})?)?")
# A longer Accept-Encoding is ignored, and the answer is not compressed.
_ACCEPT_ENCODING_BYTES: Final = 1024
_MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".tgz": "application/gzip",
}


class Asset:
    """One file of the package."""

    def __init__(self, name: str, body: bytes) -> None:
        self.name = name
        self.body = body

    @cached_property
    def version(self) -> str:
        """A short hash of the content: it changes when the file changes."""
        return hashlib.sha256(self.body).hexdigest()[:_VERSION_LENGTH]

    @cached_property
    def integrity(self) -> str:
        """The value of `integrity` in a page: with it a browser runs this file only."""
        return "sha384-" + base64.b64encode(hashlib.sha384(self.body).digest()).decode()

    @property
    def path(self) -> str:
        """The path of this file with its version."""
        return f"/{self.name}?v={self.version}"

    def answer(self, headers: RawHeaders, condition: Condition, version: str | None) -> Response[bytes]:
        """The file, or 304. Caches keep it for a year where the request names its `version`."""
        tag = f'W/"{self.version}"'
        common = {
            "cache-control": IMMUTABLE if version == self.version else SHORT_LIVED,
            "vary": "Accept-Encoding",
            "etag": tag,
        }
        if not condition.is_met(tag):
            unchanged: Response[bytes] = not_modified(tag)
            unchanged.headers.update(common)
            return unchanged
        body = self.body
        if self.name != PACKAGE and _accepts_gzip(headers):
            body, common["content-encoding"] = self._compressed, "gzip"
        return Response(body, media_type=_MEDIA_TYPES[f".{self.name.rpartition('.')[2]}"], headers=common)

    def prepare(self) -> None:
        """Compute the version and the compressed body now, so that the first answer does not wait."""
        self.version, self._compressed  # noqa: B018  both are cached properties

    @cached_property
    def _compressed(self) -> bytes:
        return gzip.compress(self.body, compresslevel=9, mtime=0)


@cache
def asset(name: str, package: str = "tidings_api.static") -> Asset:
    """The file `name` of the package `package`; it is read once."""
    return Asset(name, files(package).joinpath(name).read_bytes())


def _accepts_gzip(headers: RawHeaders) -> bool:
    """Whether the client lists gzip and does not refuse it (RFC 9110, section 12.5.3)."""
    offered = b",".join(header(headers, b"accept-encoding"))
    if len(offered) > _ACCEPT_ENCODING_BYTES:
        return False
    offers = offered.lower().replace(b" ", b"").split(b",")
    return any(_GZIP.fullmatch(offer) for offer in offers)
