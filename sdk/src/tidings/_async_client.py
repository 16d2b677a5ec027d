"""The async client. It differs from the blocking one in how it waits, and in that it can listen."""

import asyncio
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from tidings import _options as options
from tidings import _publish
from tidings import _wire as wire
from tidings._async_pool import AsyncPools
from tidings._async_resources import AsyncGroups, AsyncInbox, AsyncTokens, AsyncUsers
from tidings._calls import sending
from tidings._calls.batches import Batch, encoded
from tidings._calls.call import Call
from tidings._credentials import AsyncCredential, AsyncTokenSource
from tidings._exchange import Done, Exchange
from tidings._keywords import explained
from tidings._listen.arguments import BUFFER
from tidings._listen.backoff import ReconnectPolicy
from tidings._many import CONCURRENCY, check, key_of, send_many_async
from tidings._messages import Message
from tidings._models import BatchResult, Page, Sent, SentNotification, UserReceipt
from tidings._pages import AsyncPages, Extent
from tidings._progress import SendProgress
from tidings._retries import Retries
from tidings._wire import Wire
from tidings.protocol.frames import Resume
from tidings.protocol.notifications import Action, Priority

if TYPE_CHECKING:
    from tidings._listen.live import EventHook, LiveInbox

T = TypeVar("T")
AnyMessages = Iterable[Message | Mapping[str, Any]] | AsyncIterable[Message | Mapping[str, Any]]


class AsyncTidings:
    """The async client of one Tidings server: the methods of `Tidings`, to be awaited, and `listen`.

    `token` may also be an async callable. One client serves all tasks of any number of event loops, also in
    several threads or one after another: each loop has connections of its own, closed when it ends.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        token: AsyncTokenSource | None = None,
        timeout: float = wire.TIMEOUT_SECONDS,
        retries: Retries = options.RETRIES,
        max_connections: int = wire.MAX_CONNECTIONS,
        ssl_context: ssl.SSLContext | None = None,
        proxy: wire.Proxy | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = options.base_url(url)
        self._credential = AsyncCredential(key, token)
        self._policy = options.retry_policy(retries)
        self._wire = Wire(
            self._url,
            timeout=timeout,
            max_connections=max_connections,
            ssl_context=ssl_context,
            proxy=proxy,
        )
        self._pools = AsyncPools(self._wire, transport)
        self._sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
        self.groups = AsyncGroups(self._run)
        self.tokens = AsyncTokens(self._run)
        self.users = AsyncUsers(self._run)

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        /,
        *,
        url: str | None = None,
        key: str | None = None,
        token: AsyncTokenSource | None = None,
        timeout: float = wire.TIMEOUT_SECONDS,
        retries: Retries = options.RETRIES,
        max_connections: int = wire.MAX_CONNECTIONS,
        ssl_context: ssl.SSLContext | None = None,
        proxy: wire.Proxy | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> Self:
        """As `Tidings.from_env`."""
        url, key = options.from_environment(environ, url=url, key=key, keyless=token is not None)
        return cls(
            url,
            key=key,
            token=token,
            timeout=timeout,
            retries=retries,
            max_connections=max_connections,
            ssl_context=ssl_context,
            proxy=proxy,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        self._pools.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections of this event loop, each when its call is done.

        Calls after it raise ClientClosedError. Live inboxes are closed by their own contexts.
        """
        await self._pools.close()

    @explained
    async def send(
        self,
        *,
        to_users: Iterable[str] | str = (),
        to_groups: Iterable[str] | str = (),
        to_all: bool = False,
        exclude: Iterable[str] | str = (),
        category: str | None = None,
        title: str | None = None,
        body: str | None = None,
        data: Mapping[str, Any] | None = None,
        link: str | None = None,
        icon: str | None = None,
        actions: Iterable[Action | Mapping[str, Any]] = (),
        priority: Priority = "normal",
        expires_in: int | timedelta | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Sent:
        """Send one notification to users, groups or all.

        `to_users`, `to_groups`, `to_all`: who gets it, one copy each: ids, a lone string is a list of one;
        up to 1,000 users and 100 groups. `exclude`: ids of users who get none.
        `title`, `body`: text; `data`: a JSON object for your own code; one of the three is needed.
        `category`: what it is about, up to 128 characters; inboxes filter by it.
        `link`, `icon`: http, https, mailto, or a path beginning with one slash.
        `actions`: up to 10 buttons: `Action`, or dicts with `id`, `label` and perhaps `link`.
        `priority`: low, normal, high or urgent.
        `expires_in`: seconds, or a timedelta, until it is removed from inboxes; at most a year.
        `idempotency_key`: within 24 hours the same key gives the first answer again; without one, each call
        is a send of its own.

        It is accepted when this returns, and in the inboxes milliseconds later. At most 32 KB as JSON.
        """
        message = Message(
            to_users=to_users,
            to_groups=to_groups,
            to_all=to_all,
            exclude=exclude,
            category=category,
            title=title,
            body=body,
            data=data,
            link=link,
            icon=icon,
            actions=actions,
            priority=priority,
            expires_in=expires_in,
        )
        return await self._run(sending.send(message, idempotency_key), timeout=timeout, retries=retries)

    @explained
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
        for message in messages:
            batch.add(encoded(message))
        batch.check()
        return await self._deliver(batch, idempotency_key, timeout=timeout, retries=retries)

    @explained
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

    @explained
    def sent(
        self,
        *,
        category: str | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> AsyncPages[Page[SentNotification], SentNotification]:
        """As `Tidings.sent`, for `async for`."""
        return AsyncPages(
            lambda size, at: self._run(sending.sent(category, size, at), timeout=timeout, retries=retries),
            Extent(limit, page_size, cursor),
        )

    @explained
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

    def inbox(self, user: str | None = None) -> AsyncInbox:
        """As `Tidings.inbox`; its lists are for `async for`."""
        options.check_owner(user, holds_key=self._credential.holds_key)
        return AsyncInbox(self._run, user)

    @explained
    def listen(
        self,
        *,
        user: str | None = None,
        device: str | None = None,
        resume: Resume | None = None,
        rewind: int | None = None,
        on_event: "EventHook | None" = None,
        token: AsyncTokenSource | None = None,
        realtime_url: str | None = None,
        buffer: int = BUFFER,
        reconnect: ReconnectPolicy | None = None,
    ) -> "LiveInbox":
        """A live inbox, to be entered with `async with`; iterate it for deliveries.

        Who listens: a client with a key names the `user`. A client with a user's own token names none and
        gives `realtime_url`; `token` with `realtime_url` takes the place of the client's own, and may be a
        callable.
        Where it starts: now. A `device`, 1 to 64 characters as in ids, goes on where it last acknowledged,
        also in another process; `resume` starts at given positions, as of `InboxPage.resume` or
        `LiveInbox.resume_point`; `rewind` starts with the last N, at most 200.
        `on_event` is called in order with everything that is no delivery, and
        awaited where it is async.
        `buffer`: so many events wait for the application before the socket is no longer read.
        `reconnect`: how long it waits before it connects again.

        Raises ConfigurationError where the keywords do not say who listens, or where to.
        """
        from tidings._listen.opening import opener  # noqa: PLC0415 - websockets cost 70 ms

        return opener(
            self.tokens.create,
            self._credential,
            on_event=on_event,
            wire=self._wire,
            first_tries=self._policy.tries,
        )(
            user=user,
            device=device,
            resume=resume,
            rewind=rewind,
            token=token,
            realtime_url=realtime_url,
            buffer=buffer,
            reconnect=reconnect,
        )

    async def _run(
        self, call: Call[T], /, *, timeout: float | None = None, retries: Retries | None = None
    ) -> T:
        policy = options.policy_of(retries, self._policy)
        limits = wire.timeouts_of(timeout, self._wire.timeouts)
        exchange = Exchange(call, self._url, policy, renewable=self._credential.renewable)
        renew = False
        while True:
            pool = await self._pools.current()
            async with pool.gate:
                exchange.begin()
                token = await self._credential.token(call.scope, renew=renew)
                outcome = await pool.ask(call, exchange, token, limits)
            verdict = exchange.judge(outcome)
            if isinstance(verdict, Done):
                return verdict.value
            renew = verdict.renew
            await self._sleep(verdict.wait)


_publish(globals())
