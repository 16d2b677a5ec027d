"""Checks that a request comes from the demo page itself, because its tokens are valid for the tenant `demo`.

A page of another site can send requests to this server, by DNS rebinding even under its own host name. No
request of that page has a `Host` and an `Origin` of this server: a name that an attacker controls is not
`localhost`, not the configured host, and not an IP address.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

from tidings_api.bodies import RawHeaders, header
from tidings_workers.config import Settings


def own_host(headers: RawHeaders, settings: Settings) -> str | None:
    """The `Host` of the request, as in a URL; None when it is not a name of this server."""
    hosts = header(headers, b"host")
    if len(hosts) != 1:
        return None
    try:
        parts = urlsplit(f"//{hosts[0].decode('ascii')}")
        name, port = parts.hostname, parts.port or 80
    except ValueError:
        return None
    if name is None or port != settings.port or "@" in parts.netloc:
        return None
    if name not in {"localhost", settings.host.lower()} and not _is_address(name):
        return None
    return parts.netloc


def is_own_page(headers: RawHeaders, settings: Settings) -> bool:
    """Whether the request comes from the demo page, by its `Host` and `Origin`."""
    host = own_host(headers, settings)
    return host is not None and header(headers, b"origin") == [f"http://{host}".encode()]


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
