"""The methods of the async client that send notifications and read sent ones."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from tidings._async_resources import AsyncRun
from tidings._calls import sending
from tidings._calls.batches import Batch, checked_messages, encoded
from tidings._keywords import checks_keywords
from tidings._many import CONCURRENCY, check, key_of, send_many_async
from tidings._messages import Message
from tidings._models import BatchResult, Page, Sent, SentNotification, UserReceipt
from tidings._pages import AsyncPages, Extent
from tidings._progress import SendProgress
from tidings._retries import Retries
from tidings.protocol.notifications import Action, Priority

AnyMessages = Iterable[Message | Mapping[str, Any]] | AsyncIterable[Message | Mapping[str, Any]]


class AsyncSending:
    """Sending notifications, and reading their status and receipts."""

    _run: AsyncRun

    @checks_keywords
    async def send(
        self,
        *,
        to_users: Iterable[str] | str = (),
        to_groups: Iterable[str] | str = (),
        to_all: bool = False,
        exclude: Iterable[str] | str = (),
        to_topics: Iterable[str] | str = (),
        category: str | None = None,
        title: str | None = None,
        body: str | None = None,
        data: Mapping[str, Any] | None = None,
        link: str | None = None,
        icon: str | None = None,
        group_key: str | None = None,
        actions: Iterable[Action | Mapping[str, Any]] = (),
        priority: Priority = "normal",
        expires_in: int | timedelta | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Sent:
        """Send one notification to users, groups or all, or to topics.

        `to_users`, `to_groups`, `to_all`: the recipients; each receives one copy. Give ids, up to 1,000 users
        and 100 groups; a single string counts as a list of one. `exclude`: ids of users who receive none.
        `to_topics`: names of up to 100 topics, without other targets: the connections that are subscribed to
        one of them receive it, and no inbox has it.
        `title`, `body`: text; `data`: a JSON object for your own code. One of the three is required.
        `category`: the subject, up to 128 characters; inboxes filter by it.
        `link`, `icon`: http, https, mailto, or a path that begins with one slash.
        `group_key`: inboxes show consecutive notifications with the same key as one row.
        `actions`: up to 10 buttons: `Action`, or dicts with `id`, `label` and optionally `link`.
        `priority`: low, normal, high or urgent.
        `expires_in`: seconds, or a timedelta, until it is removed from inboxes; at most a year.
        `idempotency_key`: within 24 hours a call with the same key returns the first answer again and sends
        nothing. Without a key each call sends.

        The notification is accepted and in the inboxes when this returns. With several groups, or groups and
        users, it is in the inboxes milliseconds later. It has at most 32 KB as JSON.
        """
        message = Message(
            to_users=to_users,
            to_groups=to_groups,
            to_all=to_all,
            exclude=exclude,
            to_topics=to_topics,
            category=category,
            title=title,
            body=body,
            data=data,
            link=link,
            icon=icon,
            group_key=group_key,
            actions=actions,
            priority=priority,
            expires_in=expires_in,
        )
        return await self._run(sending.send(message, idempotency_key), timeout=timeout, retries=retries)

    @checks_keywords
    async def send_batch(
        self,
        messages: Iterable[Message | Mapping[str, Any]],
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> list[BatchResult]:
        """As `Tidings.send_batch`."""
        batch = Batch()
        for message in checked_messages(messages):
            batch.add(encoded(message))
        batch.check()
        return await self._deliver(batch, idempotency_key, timeout=timeout, retries=retries)

    @checks_keywords
    def send_many(
        self,
        messages: AnyMessages,
        *,
        concurrency: int = CONCURRENCY,
        progress: bool | Callable[[SendProgress], object] | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> AsyncIterator[BatchResult]:
        """As `Tidings.send_many`, for `async for`; `messages` may be an async iterable too."""
        check(concurrency, idempotency_key)

        async def deliver(batch: Batch) -> list[BatchResult]:
            key = key_of(batch, idempotency_key)
            return await self._deliver(batch, key, timeout=timeout, retries=retries)

        return send_many_async(messages, deliver, concurrency=concurrency, progress=progress)

    async def _deliver(
        self, batch: Batch, idempotency_key: str | None, *, timeout: float | None, retries: Retries | None
    ) -> list[BatchResult]:
        call = batch.call(idempotency_key)
        return batch.refused() if call is None else await self._run(call, timeout=timeout, retries=retries)

    async def get(
        self, notification: str, *, timeout: float | None = None, retries: Retries | None = None
    ) -> SentNotification:
        """As `Tidings.get`."""
        return await self._run(sending.get(notification), timeout=timeout, retries=retries)

    async def recall(
        self, notification: str, *, timeout: float | None = None, retries: Retries | None = None
    ) -> None:
        """As `Tidings.recall`."""
        await self._run(sending.recall(notification), timeout=timeout, retries=retries)

    @checks_keywords
    def sent(
        self,
        *,
        category: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> AsyncPages[Page[SentNotification], SentNotification]:
        """As `Tidings.sent`, for `async for`."""
        chosen = sending.SentSelection(category=category, since=since, until=until)
        return AsyncPages(
            lambda size, at: self._run(sending.sent(chosen, size, at), timeout=timeout, retries=retries),
            Extent(limit, page_size, cursor),
        )

    @checks_keywords
    def receipts(
        self,
        notification: str,
        *,
        limit: int | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> AsyncPages[Page[UserReceipt], UserReceipt]:
        """As `Tidings.receipts`, for `async for`."""
        return AsyncPages(
            lambda size, at: self._run(
                sending.receipts(notification, size, at), timeout=timeout, retries=retries
            ),
            Extent(limit, page_size, cursor),
        )
