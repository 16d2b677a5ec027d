"""Origins of pages: the form in which an operator may list them, and the check of a page's origin.

A listed origin is stored as browsers write it in `Origin` (RFC 6454): lower case, no default port, no path,
an international name as punycode. `https://*.shop.example` admits every subdomain of a host, but not the
host itself. `null` admits pages without an origin of their own.
"""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

NULL: Final = "null"

# Pages of the web; the other schemes are of applications and browser extensions.
_WEB: Final = {"http": 80, "https": 443}
_SCHEMES: Final = (
    *("http", "https", "capacitor", "ionic", "tauri", "app"),
    *("chrome-extension", "moz-extension", "safari-web-extension"),
)
_HOST: Final = re.compile(
    r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*"
).fullmatch
_ADDRESS: Final = re.compile(r"\[[0-9a-f:.]+\]").fullmatch
# Browsers and Python's codec write these four characters differently.
_AMBIGUOUS: Final = frozenset("\N{LATIN SMALL LETTER SHARP S}\N{GREEK SMALL LETTER FINAL SIGMA}\u200c\u200d")
# A host has at most 253 characters. A longer origin is on no list.
_LENGTH: Final = 300

_FORM: Final = "an origin is scheme://host or scheme://host:port, such as https://shop.example"


class InvalidOrigin(ValueError):
    """The text is not an origin. The message names the fault, and what to write instead."""


def listed_form(text: str) -> str:
    """An origin in the form for a list. Raises InvalidOrigin when no page can have it."""
    if text.strip().lower() == NULL:
        return NULL
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise InvalidOrigin(f"{_FORM}, not {text!r}") from None
    if (
        not parts.hostname
        or parts.path not in {"", "/"}
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
    ):
        raise InvalidOrigin(f"{_FORM}, not {text!r}")
    if parts.scheme not in _SCHEMES:
        raise InvalidOrigin(f"the scheme of an origin is {', '.join(_SCHEMES)}, not {parts.scheme!r}")
    host = _host(parts.hostname, text, wildcard=parts.scheme in _WEB)
    return f"{parts.scheme}://{host}" + ("" if port in {None, _WEB.get(parts.scheme)} else f":{port}")


def is_listed(origin: str, origins: Collection[str]) -> bool:
    """Whether `origin`, as a browser sends it, is in a list of origins in `listed_form`."""
    if len(origin) > _LENGTH:
        return False
    origin = origin.lower()
    if origin in origins:
        return True
    scheme, _, host = origin.partition("://")
    while "." in host:
        host = host.partition(".")[2]
        if f"{scheme}://*.{host}" in origins:
            return True
    return False


def _host(name: str, text: str, *, wildcard: bool) -> str:
    if ":" in name:
        name = f"[{name}]"
        if _ADDRESS(name):
            return name
    stars, name = ("*.", name[2:]) if name.startswith("*.") else ("", name)
    if stars and not (wildcard and ("." in name or name == "localhost") and not name[-1:].isdigit()):
        raise InvalidOrigin(
            f"the wildcard of the origin {text!r} is not allowed: write one for the subdomains of a host, "
            "as in https://*.shop.example"
        )
    if not name.isascii():
        if _AMBIGUOUS & set(name):
            raise InvalidOrigin(
                f"the host of the origin {text!r} has a letter that browsers encode differently: write the "
                "host in the form that begins with xn--"
            )
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            raise InvalidOrigin(f"the host of the origin {text!r} is not a name: correct it") from None
    if not _HOST(name):
        raise InvalidOrigin(f"{_FORM}, not {text!r}")
    return stars + name
