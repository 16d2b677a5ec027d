"""The `Host` header: untrusted text that must be a name or an address."""

import re
from ipaddress import ip_address
from typing import Final

_NAME: Final = r"[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?"
_HOST: Final = re.compile(rf"(?P<name>{_NAME}|\[[0-9a-f:.]{{2,45}}\])(?::\d{{1,5}})?", re.ASCII)
# No public registrar sells names below these, so no page of another site can have one.
_PRIVATE_ENDINGS: Final = (".localhost", ".local", ".internal")


def host_of(header: str) -> str | None:
    """The host of a Host header without its port, as in a URL; None when it is not a host."""
    found = _HOST.fullmatch(header.lower())
    if found is None:
        return None
    name = found["name"]
    return name if not name.startswith("[") or _is_address(name[1:-1]) else None


def is_private(host: str) -> bool:
    """Whether only this network can serve a page under this host: an address, or a private name.

    By DNS rebinding a page of another site can reach this machine, but only under a registered name, which
    has a dot and a public ending.
    """
    return "." not in host or host.endswith(_PRIVATE_ENDINGS) or _is_address(host.strip("[]"))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
