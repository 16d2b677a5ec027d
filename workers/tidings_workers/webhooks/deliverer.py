"""The lanes of the endpoints whose partitions a dispatcher leases."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from tidings_workers.egress.addresses import Networks
from tidings_workers.logs import get_logger
from tidings_workers.registry import Registry, RegistryView
from tidings_workers.store import StorageUnavailable, Store
from tidings_workers.store.errors import UNREACHABLE
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.reasons import unavailable
from tidings_workers.tasks import cancel_all, keep_running
from tidings_workers.tenants import RegistryError
from tidings_workers.webhook_endpoints import Reason, Webhook
from tidings_workers.webhooks.budget import Budget
from tidings_workers.webhooks.lane import Lane
from tidings_workers.webhooks.requests import Requests

if TYPE_CHECKING:
    from tidings_workers.egress.client import Endpoint

_log = get_logger(__name__)
_encode = msgspec.json.Encoder().encode


class Deliverer:
    """The webhooks of one dispatcher. `clock` gives Unix ms."""

    def __init__(
        self, store: Store, view: RegistryView, allowed: Networks, clock: Callable[[], int] = milliseconds
    ) -> None:
        self._store = store
        self._view = view
        self._requests = Requests(allowed)
        self._budget = Budget()
        self._clock = clock
        self._changed: set[asyncio.Event] = set()
        view.on_change(self._notify)

    def _notify(self) -> None:
        for event in self._changed:
            event.set()

    async def run(self, partition: int) -> None:
        """Deliver to the endpoints of a partition until cancelled."""
        changed = asyncio.Event()
        self._changed.add(changed)
        lanes: dict[tuple[str, str], tuple[Webhook, asyncio.Task[None]]] = {}
        try:
            while True:
                changed.clear()
                wanted = self._wanted(partition)
                for key, (webhook, task) in list(lanes.items()):
                    if wanted.get(key) != webhook:
                        del lanes[key]
                        await cancel_all([task])
                for key, webhook in wanted.items():
                    if key not in lanes:
                        work = keep_running("webhook", partial(self._lane, key[0], webhook))
                        lanes[key] = (webhook, asyncio.create_task(work, name=f"webhook-{webhook.id}"))
                await changed.wait()
        finally:
            self._changed.discard(changed)
            await cancel_all(task for _, task in lanes.values())

    def _wanted(self, partition: int) -> dict[tuple[str, str], Webhook]:
        place = self._store.webhooks.partition
        return {
            (tenant, webhook.id): webhook
            for tenant, webhooks in self._view.webhooks.items()
            for webhook in webhooks
            if webhook.enabled and place(tenant, webhook.id) == partition
        }

    async def _lane(self, tenant: str, webhook: Webhook) -> None:
        endpoint: Endpoint = self._requests.connect(webhook.url)
        try:
            await Lane(self._store, tenant, webhook, endpoint, self._budget, self._disable, self._clock).run()
        finally:
            self._budget.recovered(webhook.id)
            # A second cancellation must not leave connections open.
            await asyncio.shield(endpoint.close())

    async def _disable(self, tenant: str, webhook: Webhook, reason: Reason) -> None:
        """Disable an endpoint, and write the event."""
        now = self._clock()
        data = _encode({"webhook": webhook.id, "url": webhook.url, "reason": reason})
        once = f"webhook-{webhook.id}-{webhook.disabled_at}"
        await self._store.events.append(tenant, "", "webhook.disabled", data, once=once)

        def change(webhooks: tuple[Webhook, ...]) -> tuple[Webhook, ...]:
            return tuple(
                msgspec.structs.replace(each, enabled=False, disabled_reason=reason, disabled_at=now)
                if each == webhook
                else each
                for each in webhooks
            )

        try:
            await Registry(self._store.redis).change_webhooks(tenant, change)
        except UNREACHABLE as error:
            raise unavailable(error, "") from error
        except RegistryError as error:
            # Others change the tenant: the lane runs again, and disables the endpoint then.
            raise StorageUnavailable(str(error)) from error
        await self._store.events.want(tenant, webhook.wish, ())
        _log.warning("webhook disabled", tenant=tenant, webhook=webhook.id, reason=reason)

    def close(self) -> None:
        """Release what the requests use. No lane may run."""
        self._requests.close()
