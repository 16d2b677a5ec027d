"""The `Host` header: untrusted text, until it is known to be a name or an address."""

import re
from ipaddress import ip_address
from typing import Final

_NAME: Final = r"[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?"
_HOST: Final = re.compile(rf"(?P<name>{_NAME}|\[[0-9a-f:.]{{2,45}}\])(?::\d{{1,5}})?", re.ASCII)
# Names that no public registrar gives away, so no foreign page can be served under one of them.
_PRIVATE_ENDINGS: Final = (".localhost", ".local", ".internal")


def host_of(header: str) -> str | None:
    """The host of a Host header as a URL has it, without the port; None for what is no host."""
    found = _HOST.fullmatch(header.lower())
    if found is None:
        return None
    name = found["name"]
    return name if not name.startswith("[") or _is_address(name[1:-1]) else None


def is_private(host: str) -> bool:
    """Whether only this network can have a page under this host: an address, or a name of its own.

    By DNS rebinding a page of another site can reach this machine, but only under a name that its
    owner has registered, which has a dot and a public ending.
    """
    return "." not in host or host.endswith(_PRIVATE_ENDINGS) or _is_address(host.strip("[]"))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
