"""Where a client is told to connect."""

from tidings_api.bodies import RawHeaders, header
from tidings_workers.config import Settings, is_wildcard
from tidings_workers.hosts import host_of


def realtime_url(headers: RawHeaders, settings: Settings) -> str:
    """The gateway's URL for the caller of a request.

    It is TIDINGS_REALTIME_URL. Without that a gateway on all addresses of this machine is at the host
    that the request asked for, and one on a single address is there.
    """
    if settings.realtime_url is None and is_wildcard(settings.realtime_host):
        asked = header(headers, b"host")
        host = host_of(asked[0].decode("latin-1")) if len(asked) == 1 else None
        if host is not None:
            return f"ws://{host}:{settings.realtime_port}/v1/realtime"
    return settings.public_realtime_url


def is_left_to_chance(settings: Settings) -> bool:
    """Whether others reach this API, but are told to connect where only this machine can."""
    return settings.realtime_url is None and is_wildcard(settings.host)
