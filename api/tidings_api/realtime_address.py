"""The address of the gateways that the API gives to clients."""

from tidings_api.bodies import RawHeaders, header
from tidings_workers.addresses import is_wildcard
from tidings_workers.config import Settings
from tidings_workers.hosts import host_of


def realtime_url(headers: RawHeaders, settings: Settings) -> str:
    """The gateway's URL for the caller of a request.

    It is TIDINGS_REALTIME_URL. Without that setting, it is the request's own host when the gateway listens
    on all addresses of this machine, and the gateway's address otherwise.
    """
    if settings.realtime_url is None and is_wildcard(settings.realtime_host):
        hosts = header(headers, b"host")
        host = host_of(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
        if host is not None:
            return f"ws://{host}:{settings.realtime_port}/v1/realtime"
    return settings.public_realtime_url


def is_guessed(settings: Settings) -> bool:
    """Whether other machines reach this API, but no setting names the gateways' address for them."""
    return settings.realtime_url is None and is_wildcard(settings.host)
