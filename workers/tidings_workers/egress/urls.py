"""The form of a URL that a tenant may give. Pure."""

import re
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

URL_LENGTH: Final = 2_048

# The common form, for a schema: a host with a name. Addresses as hosts are valid too, if they are public.
URL_PATTERN: Final = (
    r"^https?://[A-Za-z](?:[A-Za-z0-9.\-]{0,200}[A-Za-z0-9])?(?::[1-9][0-9]{0,3})?(?:[/?][!\x22$-~]*)?$(?!\n)"
)

_PORTS: Final = {"http": 80, "https": 443}
_PRINTABLE: Final = re.compile(r"[\x21-\x7E]+").fullmatch
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}").fullmatch


class InvalidUrl(ValueError):
    """The URL cannot be used. The text has the fault and the cure."""


class Address(NamedTuple):
    """The parts of a URL. `host` is a name or an address without brackets, `target` path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The value of a header `Host`: the port only where it is not that of the scheme."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def read_url(url: str) -> Address:
    """The parts of a URL: http or https, with a host, without a user and a fragment. Raises InvalidUrl."""
    if len(url) > URL_LENGTH or not _PRINTABLE(url):
        raise InvalidUrl(f"A URL has 1 to {URL_LENGTH:,} printable ASCII characters: encode the others.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidUrl("This is not a URL: write https://host/path.") from None
    scheme = parts.scheme
    if scheme not in _PORTS:
        raise InvalidUrl("A URL begins with https:// or http://.")
    if "@" in parts.netloc:
        raise InvalidUrl("A URL has no user and no password: check the signature instead.")
    if "#" in url:
        raise InvalidUrl("A URL has no fragment: remove the # and the text after it.")
    if not _HOST(host) and not _is_address(host):
        raise InvalidUrl("The URL has no valid host: write https://host/path.")
    if port == 0:
        raise InvalidUrl("The port of a URL is 1 to 65535.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(scheme, host, port if port is not None else _PORTS[scheme], target)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
