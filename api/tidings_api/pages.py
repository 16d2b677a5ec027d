"""Headers of the server's own pages: they limit what a browser may load, run and call for a page.

By default a page may do nothing. Each page lists the origins that it needs. No page allows inline scripts,
inline styles, or text that becomes markup.
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


def page_headers(**allowed: str | None) -> dict[str, str]:
    """The headers of a page with these directives of its policy, such as `style_src="'self'"`.

    None leaves a directive out.
    """
    directives = {**_NOTHING, **{name.replace("_", "-"): value for name, value in allowed.items()}}
    return {
        "content-security-policy": "; ".join(
            f"{name} {value}" for name, value in directives.items() if value is not None
        ),
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
    }
