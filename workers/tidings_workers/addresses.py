"""Hosts and URLs of the settings: what they name, and how they are shown."""

import re
from typing import Final
from urllib.parse import urlsplit

_CLUSTER: Final = "+cluster"
_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}


def is_wildcard(host: str) -> bool:
    """Whether a server on this host listens on every address of the machine."""
    return host in _WILDCARDS


def reachable(host: str) -> str:
    """The host for the URL of a server that listens on `host`; for a wildcard it is the loopback address."""
    if host in _WILDCARDS:
        return _WILDCARDS[host]
    return f"[{host}]" if ":" in host else host


def is_cluster(url: str) -> bool:
    """Whether the URL names a cluster: ``redis+cluster://`` or ``rediss+cluster://``."""
    return url.split("://", 1)[0].endswith(_CLUSTER)


def cluster_addresses(url: str) -> tuple[str, list[tuple[str, int]]]:
    """The URL of the first node of a cluster, and the addresses of all nodes that the cluster's URL names.

    ``redis+cluster://user:password@a:7000,b:7000`` names two nodes. Raises ValueError for no address.
    """
    parts = urlsplit(url)
    login, at, hosts = parts.netloc.rpartition("@")
    named = [urlsplit(f"//{host}") for host in hosts.split(",")]
    addresses = [(node.hostname or "", node.port if node.port is not None else 6379) for node in named]
    first = parts._replace(scheme=parts.scheme.removesuffix(_CLUSTER), netloc=f"{login}{at}{named[0].netloc}")
    return first.geturl(), addresses


def masked(url: str) -> str:
    """The URL with its passwords replaced, for logs and terminals. In doubt it hides more than a password."""
    url = re.sub(r"(?<=://)([^:]*):.*@", r"\1:***@", url)
    return re.sub(r"([?&]password=)[^&]*", r"\1***", url)
