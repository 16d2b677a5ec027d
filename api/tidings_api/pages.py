"""Headers of the server's own pages: what a browser may load, run and call on their behalf.

Every page begins with nothing allowed. What it needs is named, by origin; inline scripts and styles,
and text that turns into markup, are never among it.
"""

from collections.abc import Mapping
from typing import Final

_NOTHING: Final[Mapping[str, str]] = {
    "default-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}


def page_headers(**allowed: str) -> dict[str, str]:
    """The headers of a page that may do this much: `style_src="'self'"`; shared by all pages."""
    directives = {**_NOTHING, **{name.replace("_", "-"): value for name, value in allowed.items()}}
    return {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in directives.items()),
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
    }
