"""The upstream of a tenant: the endpoint that answers the messages of clients."""

from typing import Final

from litestar import Response, Router, delete, get, put
from litestar.params import JSONBody

from tidings.protocol.errors import FieldError
from tidings.protocol.rest import SetUpstream, UpstreamSetting, UpstreamWithSecret
from tidings_api.authorisation import needs
from tidings_api.problems import ProblemError
from tidings_api.requests import Caller, OpenStore, Parts
from tidings_workers import standard_webhooks
from tidings_workers.egress.addresses import Networks, is_allowed_host
from tidings_workers.egress.urls import InvalidUrl, read_url
from tidings_workers.registry import Registry
from tidings_workers.store import Store
from tidings_workers.store.errors import UNREACHABLE
from tidings_workers.store.reasons import unavailable
from tidings_workers.strict_json import INVALID
from tidings_workers.tenants import RegistryError, Upstream

_NONE: Final = "The tenant has no upstream: set one by PUT /v1/upstream."


@put("/v1/upstream", opt=needs("tenant"), summary="Set the upstream")
async def set_upstream(
    data: JSONBody[SetUpstream], identity: Caller, store: OpenStore, services: Parts
) -> Response[UpstreamWithSecret]:
    """Set the endpoint that answers the messages of clients, in place of any other.

    The secret signs its calls. Without a `secret` the server makes a new one at each call, and the answer is
    the only place that shows it. All gateways use the new upstream within a second.
    """
    secret = standard_webhooks.new_secret() if data.secret is None else data.secret
    _check(data, services.settings.egress_allowed)
    await _change(store, identity.tenant, Upstream(data.url, secret))
    return Response(UpstreamWithSecret(data.url, secret), headers={"cache-control": "no-store"})


@get("/v1/upstream", opt=needs("tenant"), summary="Get the upstream")
async def get_upstream(identity: Caller, store: OpenStore) -> UpstreamSetting:
    """The endpoint that answers the messages of clients, without its secret."""
    try:
        record = await Registry(store.redis).tenant(identity.tenant)
    except UNREACHABLE as error:
        raise unavailable(error, "") from error
    if record is None or record.upstream is None:
        raise ProblemError("not_found", _NONE)
    return UpstreamSetting(record.upstream.url)


@delete("/v1/upstream", opt=needs("tenant"), summary="Remove the upstream")
async def remove_upstream(identity: Caller, store: OpenStore) -> None:
    """Remove the upstream, so that messages are refused with `no_upstream`; idempotent."""
    await _change(store, identity.tenant, None)


async def _change(store: Store, tenant: str, upstream: Upstream | None) -> None:
    try:
        await Registry(store.redis).update_tenant(tenant, upstream=upstream)
    except UNREACHABLE as error:
        raise unavailable(error, "") from error
    except RegistryError:
        raise ProblemError("overloaded", "The tenant is being changed by others: try again.") from None


def _check(data: SetUpstream, allowed: Networks) -> None:
    """Raise ProblemError (422) for a URL or a secret that cannot be used."""
    faults = []
    try:
        host = read_url(data.url).host
    except InvalidUrl as error:
        faults.append(FieldError("#/url", str(error)))
    else:
        # The addresses of a name may change, so each call checks them.
        if not is_allowed_host(host, allowed):
            faults.append(
                FieldError("#/url", "The address is not public: the operator may allow its network.")
            )
    if data.secret is not None and not standard_webhooks.is_secret(data.secret):
        faults.append(FieldError("#/secret", f"A secret is {standard_webhooks.SECRET_RULE}."))
    if faults:
        raise ProblemError("invalid_request", INVALID, tuple(faults))


routes: Final = Router("/", tags=["Upstream"], route_handlers=[set_upstream, get_upstream, remove_upstream])
