"""Calls the upstreams of tenants: signed, within five seconds, with bounded concurrency.

A tenant without calls has no state here, except its open connections for half a minute.
"""

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from tidings.protocol import limits
from tidings.protocol.messages import UpstreamRequest
from tidings.protocol.pointers import listing
from tidings_workers import metrics, sending, standard_webhooks
from tidings_workers.egress.addresses import Networks
from tidings_workers.gateway.interest import Spawn
from tidings_workers.refused import Refused
from tidings_workers.slots import CALLS_PER_TENANT, Slots
from tidings_workers.store.content import PostedNotification
from tidings_workers.strict_json import BodyDecoder, check_value
from tidings_workers.tenants import Tenant, Upstream

if TYPE_CHECKING:
    from tidings_workers.egress.client import Answer, Egress, Endpoint

IDLE_SECONDS: Final = 30.0
# Before a call is repeated whose connection failed.
PAUSE_SECONDS: Final = 0.05

_HEADERS: Final = {
    "content-type": "application/json",
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": "tidings",
}


class Accepted(Struct, frozen=True):
    """The answer of an upstream after its checks. `reply` is JSON, or empty without one."""

    reply: bytes = b""
    notifications: tuple[PostedNotification, ...] = ()


class _Body(Struct, frozen=True, forbid_unknown_fields=True):
    """`messages.UpstreamAnswer`, with undecoded parts."""

    reply: Raw | UnsetType = UNSET
    notifications: Annotated[tuple[Raw, ...], Meta(max_length=limits.BATCH_NOTIFICATIONS)] = ()


_decode: Final = BodyDecoder(_Body, undecoded_parts=True).decode
_encode: Final = msgspec.json.Encoder().encode


class _Lane:
    """The connections to the upstream of one tenant."""

    __slots__ = ("calls", "endpoint", "is_current", "timer", "url")

    def __init__(self, url: str, endpoint: "Endpoint") -> None:
        self.url = url
        self.endpoint = endpoint
        self.calls = 0
        # False after the tenant has set another URL.
        self.is_current = True
        self.timer: asyncio.TimerHandle | None = None


class Upstreams:
    """The calls of one gateway. `allowed`: the networks that a call may reach beside public addresses."""

    def __init__(self, allowed: Networks, spawn: Spawn) -> None:
        self._allowed = allowed
        self._spawn = spawn
        self._slots = Slots()
        self._lanes: dict[str, _Lane] = {}
        self._egress: Egress | None = None

    async def call(self, tenant: str, upstream: Upstream, message: str, request: UpstreamRequest) -> Accepted:
        """The answer of the upstream to a message with this id.

        Raises Refused: `upstream_timeout` after five seconds in all, the wait for a slot included;
        `upstream_failed` when there is no valid answer. A call whose connection failed is repeated once.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        until = began + limits.UPSTREAM_SECONDS
        try:
            async with asyncio.timeout_at(until):
                await self._slots.acquire(tenant)
        except TimeoutError:
            raise Refused("upstream_timeout", "Too many calls of the upstream are in progress.") from None
        try:
            answer = await self._post(tenant, upstream, message, _encode(request), until)
        finally:
            self._slots.release(tenant)
            metrics.UPSTREAM_SECONDS.observe(clock() - began)
        return _checked(answer)

    async def _post(
        self, tenant: str, upstream: Upstream, message: str, body: bytes, until: float
    ) -> "Answer":
        # The import of the HTTP client takes longer than all of a gateway without upstreams.
        from tidings_workers.egress.client import EgressError, Late, Unreachable  # noqa: PLC0415

        lane = self._lane(tenant, upstream.url)
        lane.calls += 1
        try:
            try:
                return await _try(lane, upstream, message, body, until)
            except Unreachable:
                await asyncio.sleep(PAUSE_SECONDS)
                return await _try(lane, upstream, message, body, until)
        except Late:
            detail = f"The upstream did not answer within {limits.UPSTREAM_SECONDS} seconds."
            raise Refused("upstream_timeout", detail) from None
        except EgressError as error:
            raise Refused("upstream_failed", str(error)) from None
        finally:
            lane.calls -= 1
            self._settle(tenant, lane)

    def _lane(self, tenant: str, url: str) -> _Lane:
        lane = self._lanes.get(tenant)
        if lane is not None and lane.url != url:
            lane.is_current = False
            self._settle(tenant, lane)
            lane = None
        if lane is None:
            if self._egress is None:
                from tidings_workers.egress.client import Egress  # noqa: PLC0415 - as above

                self._egress = Egress(self._allowed)
            endpoint = self._egress.endpoint(url, CALLS_PER_TENANT)
            lane = self._lanes[tenant] = _Lane(url, endpoint)
        return lane

    def _settle(self, tenant: str, lane: _Lane) -> None:
        """Close the connections of a lane that no call uses: at once, or after a while without calls."""
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None
        if lane.calls:
            return
        if lane.is_current:
            lane.timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._expire, tenant, lane)
        else:
            self._spawn(lane.endpoint.close())

    def _expire(self, tenant: str, lane: _Lane) -> None:
        if lane.is_current and not lane.calls:
            lane.is_current = False
            del self._lanes[tenant]
            self._spawn(lane.endpoint.close())

    def forget(self, tenant_of: Callable[[str], Tenant | None]) -> None:
        """Close the connections to URLs that tenants have no longer set."""
        for tenant, lane in list(self._lanes.items()):
            record = tenant_of(tenant)
            if record is None or record.upstream is None or record.upstream.url != lane.url:
                lane.is_current = False
                del self._lanes[tenant]
                self._settle(tenant, lane)

    async def close(self) -> None:
        """Close all connections."""
        for lane in self._lanes.values():
            if lane.timer is not None:
                lane.timer.cancel()
            await lane.endpoint.close()
        self._lanes.clear()
        if self._egress is not None:
            self._egress.close()


async def _try(lane: _Lane, upstream: Upstream, message: str, body: bytes, until: float) -> "Answer":
    signed = standard_webhooks.headers(upstream.secret, message, int(time.time()), body)
    seconds = max(0.0, until - asyncio.get_running_loop().time())
    return await lane.endpoint.post({**_HEADERS, **signed}, body, seconds)


def _checked(answer: "Answer") -> Accepted:
    """The parts of an answer. Raises Refused: `upstream_failed` with the faults."""
    if answer.status == HTTPStatus.NO_CONTENT:
        return Accepted()
    if answer.status != HTTPStatus.OK:
        raise Refused("upstream_failed", f"The upstream answered with the status {answer.status}.")
    try:
        body = _decode(answer.body)
        reply = b"" if body.reply is UNSET else bytes(body.reply)
        if reply:
            check_value(reply)
        notifications = tuple(
            sending.decode(each, f"#/notifications/{index}") for index, each in enumerate(body.notifications)
        )
    except Refused as fault:
        faults = listing(fault.errors) or fault.detail
        raise Refused("upstream_failed", f"The answer of the upstream is not valid: {faults}") from None
    return Accepted(reply, notifications)
