"""The webhooks of a tenant, for the async client."""

from collections.abc import Iterable
from datetime import datetime

from tidings._async_resources import AsyncRun
from tidings._calls import webhooks as calls
from tidings._keywords import checks_keywords
from tidings._models import Page
from tidings._pages import AsyncPages, Extent
from tidings._public import publish
from tidings._retries import Retries
from tidings._webhook_models import Webhook, WebhookDelivery, WebhookTest, WebhookWithSecret


class AsyncWebhooks:
    """As `Webhooks`."""

    def __init__(self, run: AsyncRun) -> None:
        self._run = run

    @checks_keywords
    async def create(
        self,
        url: str,
        events: Iterable[str] | str,
        *,
        description: str = "",
        enabled: bool = True,
        timeout: float | None = None,
        retries: Retries | None = 0,
    ) -> WebhookWithSecret:
        """As `Webhooks.create`."""
        call = calls.create(url, events, description, enabled=enabled)
        return await self._run(call, timeout=timeout, retries=retries)

    @checks_keywords
    async def get(
        self,
        webhook: str,
        *,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Webhook:
        """As `Webhooks.get`."""
        return await self._run(calls.get(webhook), timeout=timeout, retries=retries)

    @checks_keywords
    async def update(
        self,
        webhook: str,
        *,
        url: str | None = None,
        events: Iterable[str] | str | None = None,
        description: str | None = None,
        enabled: bool | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Webhook:
        """As `Webhooks.update`."""
        call = calls.update(webhook, url, events, description, enabled=enabled)
        return await self._run(call, timeout=timeout, retries=retries)

    @checks_keywords
    async def delete(
        self,
        webhook: str,
        *,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> None:
        """As `Webhooks.delete`."""
        await self._run(calls.delete(webhook), timeout=timeout, retries=retries)

    @checks_keywords
    async def rotate(
        self,
        webhook: str,
        *,
        timeout: float | None = None,
        retries: Retries | None = 0,
    ) -> WebhookWithSecret:
        """As `Webhooks.rotate`."""
        return await self._run(calls.rotate(webhook), timeout=timeout, retries=retries)

    @checks_keywords
    async def test(
        self,
        webhook: str,
        *,
        timeout: float | None = 15,
        retries: Retries | None = None,
    ) -> WebhookTest:
        """As `Webhooks.test`."""
        return await self._run(calls.test(webhook), timeout=timeout, retries=retries)

    @checks_keywords
    async def retry(
        self,
        webhook: str,
        delivery: str,
        *,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> None:
        """As `Webhooks.retry`."""
        await self._run(calls.retry(webhook, delivery), timeout=timeout, retries=retries)

    @checks_keywords
    async def replay(
        self,
        webhook: str,
        *,
        since: datetime,
        until: datetime | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> None:
        """As `Webhooks.replay`."""
        await self._run(calls.replay(webhook, since, until), timeout=timeout, retries=retries)

    @checks_keywords
    def deliveries(
        self,
        webhook: str,
        *,
        status: str | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> AsyncPages[Page[WebhookDelivery], WebhookDelivery]:
        """As `Webhooks.deliveries`, for `async for`."""
        return AsyncPages(
            lambda size, at: self._run(
                calls.deliveries(webhook, status, size, at), timeout=timeout, retries=retries
            ),
            Extent(limit, page_size, cursor),
        )

    @checks_keywords
    def list(
        self,
        *,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> AsyncPages[Page[Webhook], Webhook]:
        """As `Webhooks.list`, for `async for`."""
        return AsyncPages(
            lambda _size, _at: self._run(calls.listed(), timeout=timeout, retries=retries),
            Extent(None, None, None),
        )


publish(globals())
