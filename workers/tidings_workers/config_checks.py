"""The checks of settings that are more than a type: URLs, paths and networks."""

import re
from typing import Final
from urllib.parse import urlsplit

from tidings_workers.addresses import cluster_addresses, is_cluster, masked
from tidings_workers.egress.addresses import networks_of

_REDIS_SCHEMES: Final = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster")
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_.-]+)+/?").fullmatch


class ConfigurationError(Exception):
    """A setting can't be used. The text is one line: the variable with its fault, a colon, and the cure."""


def check(variable: str, text: str) -> None:
    """Raise ConfigurationError for the text of a variable that can't be used."""
    if variable == "REDIS_URL":
        _check_redis_url(text)
    if variable == "TIDINGS_REALTIME_URL":
        _check_realtime_url(text)
    if variable == "TIDINGS_STOMP_PATHS":
        _check_stomp_paths(text)
    if variable == "TIDINGS_EGRESS_NETWORKS":
        _check_networks(text)
    if variable == "TIDINGS_ARCHIVE_URL":
        _check_archive_url(text)


def _check_redis_url(url: str) -> None:
    shown = repr(masked(url))
    scheme = url.partition("://")[0].lower()
    if "sentinel" in scheme:
        raise ConfigurationError(
            f"REDIS_URL is {shown}, but Sentinel is not supported: name the primary, or an address that "
            "follows it, as redis://host:6379/0"
        )
    if "#" in url:
        raise ConfigurationError(
            f"REDIS_URL is {shown}, and the part after the # would be ignored: write # as %23 in it"
        )
    try:
        addresses = cluster_addresses(url)[1]
    except ValueError:
        raise ConfigurationError(
            f"REDIS_URL is {shown}, which is not a URL: write it as redis://host:6379/0"
        ) from None
    if scheme not in _REDIS_SCHEMES:
        raise ConfigurationError(
            f"REDIS_URL is {shown}, but it must begin with one of "
            + ", ".join(f"{scheme}://" for scheme in _REDIS_SCHEMES)
        )
    if scheme == "unix":
        if not urlsplit(url).path:
            raise ConfigurationError("REDIS_URL names no socket: write it as unix:///path/to/redis.sock")
    elif not all(host and port for host, port in addresses):
        raise ConfigurationError(
            f"REDIS_URL is {shown}, which names no host and port: write it as redis://host:6379/0"
        )
    elif len(addresses) > 1 and not is_cluster(url):
        raise ConfigurationError(
            f"REDIS_URL is {shown}, but only a cluster has several nodes: write it as "
            "redis+cluster://host:6379,other:6379"
        )


def _check_archive_url(url: str) -> None:
    # Most processes have no archive, and its package imports a database.
    from tidings_workers.archive import ArchiveMisconfigured  # noqa: PLC0415
    from tidings_workers.archive.urls import parse  # noqa: PLC0415

    try:
        parse(url)
    except ArchiveMisconfigured as error:
        raise ConfigurationError(f"TIDINGS_ARCHIVE_URL can't be used: {error}") from None


def _check_realtime_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.netloc:
        raise ConfigurationError(
            f"TIDINGS_REALTIME_URL is {url!r}, but it must be a ws:// or wss:// URL, "
            "such as wss://push.example.com/v1/realtime"
        )


def _check_stomp_paths(text: str) -> None:
    for path in text.split(","):
        if not _PATH(path.strip()) or path.strip().startswith("/v1/"):
            raise ConfigurationError(
                f"TIDINGS_STOMP_PATHS is {text!r}, but a path has letters, digits, - _ . and /, begins with "
                "a slash, and is not below /v1/: write /ws, or /ws,/app/ws"
            )


def _check_networks(text: str) -> None:
    try:
        networks_of(text)
    except ValueError as error:
        raise ConfigurationError(
            f"TIDINGS_EGRESS_NETWORKS is {text!r}, but it must be networks as 10.0.0.0/8, fd00::/8: {error}"
        ) from None
