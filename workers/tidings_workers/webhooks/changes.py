"""Changes of a tenant's webhook endpoints, for the API.

An endpoint wants its types before the change is answered, so that every event after the answer is written.
"""

import secrets
from collections.abc import Callable

from msgspec import structs

from tidings.protocol import limits
from tidings_workers import standard_webhooks
from tidings_workers.refused import Refused
from tidings_workers.registry import Registry
from tidings_workers.store import Store, TooManyConsumers
from tidings_workers.store.errors import UNREACHABLE
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.reasons import unavailable
from tidings_workers.tenants import RegistryError
from tidings_workers.webhook_endpoints import ROTATION_MS, Webhook

Change = Callable[[Webhook], Webhook]


class WebhookChanges:
    """The endpoints of one tenant. Methods raise Refused, or StorageUnavailable: the call may be repeated."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        self._registry = Registry(store.redis)

    async def all(self) -> tuple[Webhook, ...]:
        """The endpoints, in the order of their creation."""
        try:
            record = await self._registry.tenant(self._tenant)
        except UNREACHABLE as error:
            raise unavailable(error, "") from error
        return () if record is None else record.webhooks

    async def get(self, webhook: str) -> Webhook:
        """An endpoint. Raises Refused: `not_found`."""
        found = next((each for each in await self.all() if each.id == webhook), None)
        if found is None:
            raise _unknown(webhook)
        return found

    async def create(self, url: str, events: tuple[str, ...], description: str, *, enabled: bool) -> Webhook:
        """Create an endpoint with a new secret. It gets the events from now on."""
        made = Webhook(
            id=f"wh_{secrets.token_hex(8)}",
            url=url,
            events=events,
            secret=standard_webhooks.new_secret(),
            created_at=milliseconds(),
            description=description,
            enabled=enabled,
        )
        if len(await self.all()) >= limits.WEBHOOKS:
            raise _too_many()
        await self._want(made)
        await self._store.webhooks.open(self._tenant, made.id, await self._store.events.heads(self._tenant))

        def add(webhooks: tuple[Webhook, ...]) -> tuple[Webhook, ...]:
            if len(webhooks) >= limits.WEBHOOKS:
                raise _too_many()
            return (*webhooks, made)

        try:
            await self._change(add)
        except Refused:
            await self._remove(made)
            raise
        return made

    async def update(self, webhook: str, change: Change) -> Webhook:
        """Change an endpoint. The change keeps its id."""
        before = await self.get(webhook)
        # The types of both: the present ones are read until the record is changed.
        await self._want(change(before), before)

        def replace(webhooks: tuple[Webhook, ...]) -> tuple[Webhook, ...]:
            if all(each.id != webhook for each in webhooks):
                raise _unknown(webhook)
            return tuple(change(each) if each.id == webhook else each for each in webhooks)

        after = next(each for each in await self._change(replace) if each.id == webhook)
        await self._want(after)
        return after

    async def rotate(self, webhook: str) -> Webhook:
        """Give an endpoint a new secret. For 24 hours both sign."""
        secret, until = standard_webhooks.new_secret(), milliseconds() + ROTATION_MS
        return await self.update(
            webhook,
            lambda each: (
                each
                if each.secret == secret
                else structs.replace(each, secret=secret, previous_secret=each.secret, previous_until=until)
            ),
        )

    async def delete(self, webhook: str) -> None:
        """Remove an endpoint with its deliveries; idempotent."""
        found = next((each for each in await self.all() if each.id == webhook), None)
        if found is not None:
            await self._change(lambda webhooks: tuple(each for each in webhooks if each.id != webhook))
            await self._remove(found)

    async def _remove(self, webhook: Webhook) -> None:
        await self._store.webhooks.forget(self._tenant, webhook.id)
        await self._store.events.want(self._tenant, webhook.wish, ())

    async def _want(self, *webhooks: Webhook) -> None:
        types = frozenset[str]().union(*(each.types for each in webhooks if each.enabled))
        try:
            await self._store.events.want(self._tenant, webhooks[0].wish, types)
        except TooManyConsumers as error:
            raise Refused("quota_exceeded", str(error)) from error

    async def _change(
        self, change: Callable[[tuple[Webhook, ...]], tuple[Webhook, ...]]
    ) -> tuple[Webhook, ...]:
        try:
            return await self._registry.change_webhooks(self._tenant, change)
        except UNREACHABLE as error:
            raise unavailable(error, "") from error
        except RegistryError:
            raise Refused("overloaded", "The tenant is being changed by others: try again.") from None


def _unknown(webhook: str) -> Refused:
    return Refused("not_found", f"There is no webhook {webhook!r}: GET /v1/webhooks lists them.")


def _too_many() -> Refused:
    return Refused(
        "quota_exceeded",
        f"The tenant has {limits.WEBHOOKS} webhooks: delete one, or change its events.",
    )
