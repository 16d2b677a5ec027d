"""The async client. It differs from the blocking one in how it waits, and in that it can listen."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, Unpack

import httpx

from tidings import _options as options
from tidings import _publish
from tidings._async_resources import AsyncGroups, AsyncInbox, AsyncTokens, AsyncUsers
from tidings._calls import sending
from tidings._calls.call import Answer, Call
from tidings._credentials import AsyncCredential, AsyncTokenSource
from tidings._errors import APIError
from tidings._exchange import Done, Exchange, Failure
from tidings._listen.arguments import ListenOptions
from tidings._messages import Message
from tidings._models import BatchSent, Page, Sent, SentNotification, UserReceipt
from tidings._pages import AsyncPages
from tidings._retries import Retries

if TYPE_CHECKING:
    from tidings._listen.live import EventHook, LiveInbox

T = TypeVar("T")


class AsyncTidings:
    """The async client of one Tidings server: the methods of `Tidings`, to be awaited, and `listen`.

    `token` may also be an async callable. One client serves all tasks of its event loop.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        token: AsyncTokenSource | None = None,
        timeout: float = options.TIMEOUT_SECONDS,
        retries: Retries = options.RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = options.base_url(url)
        self._credential = AsyncCredential(key, token)
        self._policy = options.retry_policy(retries)
        self._timeout = timeout
        self._timeouts = options.timeouts(timeout)
        self._sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
        self._http = httpx.AsyncClient(
            timeout=self._timeouts,
            limits=options.CONNECTIONS,
            transport=transport,
            trust_env=False,
            headers={"User-Agent": options.user_agent()},
        )
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
        timeout: float = options.TIMEOUT_SECONDS,
        retries: Retries = options.RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> Self:
        """As `Tidings.from_env`."""
        url, key = options.from_environment(environ, url=url, key=key, keyless=token is not None)
        return cls(url, key=key, token=token, timeout=timeout, retries=retries, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the pooled connections; live inboxes are closed by their own contexts."""
        await self._http.aclose()

    async def send(
        self,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
        **message: Unpack[Message],
    ) -> Sent:
        """As `Tidings.send`."""
        return await self._run(sending.send(message, idempotency_key), timeout=timeout, retries=retries)

    async def send_batch(
        self,
        messages: Iterable[Message],
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> list[BatchSent | APIError]:
        """As `Tidings.send_batch`."""
        return await self._run(
            sending.send_batch(messages, idempotency_key), timeout=timeout, retries=retries
        )

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

    def sent(
        self,
        *,
        category: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> AsyncPages[Page[SentNotification], SentNotification]:
        """As `Tidings.sent`, for `async for`."""
        return AsyncPages(
            lambda at: self._run(sending.sent(category, limit, at), timeout=timeout, retries=retries), cursor
        )

    def receipts(
        self,
        notification: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> AsyncPages[Page[UserReceipt], UserReceipt]:
        """As `Tidings.receipts`, for `async for`."""
        return AsyncPages(
            lambda at: self._run(sending.receipts(notification, limit, at), timeout=timeout, retries=retries),
            cursor,
        )

    def inbox(self, user: str | None = None) -> AsyncInbox:
        """As `Tidings.inbox`; its lists are for `async for`."""
        return AsyncInbox(self._run, user)

    def listen(self, *, on_event: "EventHook | None" = None, **options: Unpack[ListenOptions]) -> "LiveInbox":
        """A live inbox, to be entered with `async with`; `ListenOptions` lists the keywords.

        `on_event` is called in order with everything that is no delivery, and awaited where it is async.
        Raises ConfigurationError where the keywords do not say who listens, or where to.
        """
        from tidings._listen.opening import opener  # noqa: PLC0415 - websockets cost 70 ms

        return opener(
            self.tokens.create,
            self._credential,
            on_event=on_event,
            timeout=self._timeout,
            first_tries=self._policy.tries,
        )(**options)

    async def _run(
        self, call: Call[T], /, *, timeout: float | None = None, retries: Retries | None = None
    ) -> T:
        policy = options.policy_of(retries, self._policy)
        limits = options.timeouts_of(timeout, self._timeouts)
        exchange = Exchange(call, self._url, policy, renewable=self._credential.renewable)
        renew = False
        while True:
            exchange.begin()
            token = await self._credential.token(call.scope, renew=renew)
            verdict = exchange.judge(await self._try(call, exchange, token, limits))
            if isinstance(verdict, Done):
                return verdict.value
            renew = verdict.renew
            await self._sleep(verdict.wait)

    async def _try(
        self, call: Call[T], exchange: Exchange[T], token: str, limits: httpx.Timeout
    ) -> Answer | Failure:
        try:
            response = await self._http.request(
                call.method,
                exchange.url,
                params=call.query or None,
                content=call.body,
                headers=exchange.headers(token),
                timeout=limits,
            )
        except httpx.RequestError as error:
            return options.failure_of(error, limits)
        return options.answer_of(response)


_publish(globals())
