"""Whether a request comes from the demo page itself: what it is given opens the tenant `demo`.

A page of another site can send requests here, and by DNS rebinding even under a name of its own that
leads to this machine. Neither can have both a `Host` and an `Origin` that are ours: a name that can be
made to point here is not `localhost`, not the operator's, and not an address.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

from tidings_api.bodies import RawHeaders, header
from tidings_workers.config import Settings


def own_host(headers: RawHeaders, settings: Settings) -> str | None:
    """The host by which the request reached us, as a URL has it; None when it is no name of ours."""
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
    """Whether our own page asks, by `Host` and `Origin`."""
    host = own_host(headers, settings)
    return host is not None and header(headers, b"origin") == [f"http://{host}".encode()]


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
