"""The async client."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import httpx

from tidings import _options as options
from tidings import _wire as wire
from tidings._async_pool import AsyncPools
from tidings._async_resources import AsyncGroups, AsyncInbox, AsyncTokens, AsyncUsers
from tidings._async_sending import AsyncSending
from tidings._async_webhook_settings import AsyncWebhooks
from tidings._calls import sending
from tidings._calls.call import Call
from tidings._credentials import AsyncCredential, AsyncTokenSource
from tidings._events import BATCH, AsyncEventStream, Reading
from tidings._exchange import Done, Exchange
from tidings._export import export_async
from tidings._keywords import checks_keywords
from tidings._listen.arguments import BUFFER
from tidings._listen.backoff import ReconnectPolicy
from tidings._models import SentNotification
from tidings._outbox import WINDOW, checked_window
from tidings._public import publish
from tidings._retries import Retries
from tidings._upstream_setting import AsyncUpstreamSettings
from tidings._wire import Wire
from tidings.protocol import limits
from tidings.protocol.frames import Resume

if TYPE_CHECKING:
    from tidings._listen.live import EventHook, LiveInbox
    from tidings._sender import AsyncSender

T = TypeVar("T")


class AsyncTidings(AsyncSending):
    """The async client of one Tidings server: the methods of `Tidings`, for `await`.

    The arguments are those of `Tidings`; `token` may also be an async callable, `transport` is an async one.
    One client serves all tasks of any number of event loops, also in several threads or one after another:
    each loop has its own connections, which are closed when the loop ends.
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
        self.upstream = AsyncUpstreamSettings(self._run)
        self.webhooks = AsyncWebhooks(self._run)

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
        """Close the connections of this event loop, each when its call is finished.

        Later calls raise ClientClosedError. Live inboxes stay open until their own contexts close them.
        """
        await self._pools.close()

    @checks_keywords
    def events(
        self,
        *,
        types: Iterable[str] | str = (),
        consumer: str | None = None,
        after: str | None = None,
        wait: int = limits.EVENTS_WAIT_SECONDS,
        batch: int = BATCH,
        retries: Retries | None = None,
    ) -> AsyncEventStream:
        """As `Tidings.events`; iterate with `async for`."""
        return AsyncEventStream(self._run, Reading(types, consumer, after, wait, batch), retries)

    @checks_keywords
    def export(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> AsyncGenerator[SentNotification]:
        """As `Tidings.export`, for `async for`. `aclose()` of the iterator ends it early."""
        call = sending.export(since, until)
        policy = options.policy_of(retries, self._policy)
        return export_async(
            Exchange(call, self._url, policy, renewable=self._credential.renewable),
            call,
            self._pools.current,
            lambda renew: self._credential.token(call.scope, renew=renew),
            self._sleep,
            wire.timeouts_of(timeout, self._wire.timeouts),
        )

    def inbox(self, user: str | None = None) -> AsyncInbox:
        """As `Tidings.inbox`; iterate its lists with `async for`."""
        options.check_owner(user, holds_key=self._credential.holds_key)
        return AsyncInbox(self._run, user)

    @checks_keywords
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
        topics: Iterable[str] | str | None = None,
        buffer: int = BUFFER,
        reconnect: ReconnectPolicy | None = None,
    ) -> "LiveInbox":
        """A live inbox. Enter it with `async with`, then iterate it for deliveries.

        User: a client with a key needs `user`. A client with a user's own token needs `realtime_url`
        instead. `token` with `realtime_url` replaces the client's own token, and may be a callable.
        Start: by default the inbox starts with new notifications. A `device`, 1 to 64 characters as in ids,
        continues after the positions that it last acknowledged, also in another process. `resume` starts
        after given positions, from `InboxPage.resume` or `LiveInbox.resume_point`. `rewind` starts with the
        last N notifications, at most 200.
        `on_event` is called in order with each event that is not a delivery, and awaited if it is async.
        `topics`: patterns of the topics to which `subscribe` may subscribe, for a client with a key.
        `buffer`: the number of events that wait for the application before reading from the socket pauses.
        `reconnect`: the waits before reconnecting.

        Raises ConfigurationError if the keywords do not name the user or the address.
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
            topics=topics,
            buffer=buffer,
            reconnect=reconnect,
        )

    @checks_keywords
    def sender(
        self,
        *,
        realtime_url: str | None = None,
        window: int = WINDOW,
        reconnect: ReconnectPolicy | None = None,
    ) -> "AsyncSender":
        """A sender, for services that send much: one WebSocket. Enter it with `async with`.

        Its `send` has the arguments and the result of the client's `send`. Each send is repeated after a lost
        connection with the same idempotency key, so it takes effect once. The key or token needs the scope
        `send`. `realtime_url` replaces the address that the API gives. At most `window` sends are under way;
        more wait. `reconnect`: the waits before reconnecting.
        """
        from tidings._sender import AsyncSender, SenderOptions  # noqa: PLC0415 - websockets cost 70 ms

        async def address() -> str:
            return realtime_url or (await self._run(sending.realtime_address())).realtime_url

        return AsyncSender(
            SenderOptions(
                address=address,
                credential=self._credential,
                wire=self._wire,
                retries=self._policy,
                reconnect=reconnect or ReconnectPolicy(),
                window=checked_window(window),
            )
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
                outcome = await pool.request(call, exchange, token, limits)
            step = exchange.next_step(outcome)
            if isinstance(step, Done):
                return step.value
            renew = step.renew
            await self._sleep(step.wait)


publish(globals())
