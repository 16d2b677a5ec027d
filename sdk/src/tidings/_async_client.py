"""The async client. It differs from the blocking one in how it waits, and in that it can listen."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeVar, Unpack

import httpx

from tidings import _calls as calls
from tidings import _options as options
from tidings._calls import Answer, Call
from tidings._credentials import AsyncCredential, AsyncTokenSource
from tidings._errors import APIError
from tidings._exchange import Done, Exchange, Failure
from tidings._listen.arguments import ListenOptions
from tidings._messages import Message
from tidings._models import (
    BatchSent,
    Group,
    InboxItem,
    InboxPage,
    Member,
    Page,
    Sent,
    SentNotification,
    UserToken,
)
from tidings._pages import AsyncPages
from tidings._retries import RetryPolicy
from tidings.protocol.rest import MembersChanged

if TYPE_CHECKING:
    from tidings._listen.live import EventHook, LiveInbox

T = TypeVar("T")


class AsyncRun(Protocol):
    """Sends a call, again where that helps, and gives its result."""

    async def __call__(self, call: Call[T], /) -> T: ...


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
        retries: int | RetryPolicy = 3,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = options.base_url(url)
        self._credential = AsyncCredential(key, token)
        self._policy = options.retry_policy(retries)
        self._timeout = timeout
        self._sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
        self._http = httpx.AsyncClient(
            timeout=options.timeouts(timeout),
            limits=options.CONNECTIONS,
            transport=transport,
            trust_env=False,
            headers={"User-Agent": options.user_agent()},
        )
        self.groups = AsyncGroups(self._run)
        self.tokens = AsyncTokens(self._run)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, /) -> Self:
        """As `Tidings.from_env`."""
        url, key = options.from_environment(environ)
        return cls(url, key=key)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the pooled connections; live inboxes are closed by their own contexts."""
        await self._http.aclose()

    async def send(self, *, idempotency_key: str | None = None, **message: Unpack[Message]) -> Sent:
        """As `Tidings.send`."""
        return await self._run(calls.send(message, idempotency_key))

    async def send_batch(
        self, messages: Iterable[Message], *, idempotency_key: str | None = None
    ) -> list[BatchSent | APIError]:
        """As `Tidings.send_batch`."""
        return await self._run(calls.send_batch(messages, idempotency_key))

    async def get(self, notification: str) -> SentNotification:
        """As `Tidings.get`."""
        return await self._run(calls.get(notification))

    async def recall(self, notification: str) -> None:
        """As `Tidings.recall`."""
        await self._run(calls.recall(notification))

    def inbox(self, user: str | None = None) -> "AsyncInbox":
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

    async def _run(self, call: Call[T], /) -> T:
        exchange = Exchange(call, self._url, self._policy, renewable=self._credential.renewable)
        renew = False
        while True:
            token = await self._credential.token(call.scope, renew=renew)
            verdict = exchange.judge(await self._try(call, exchange, token))
            if isinstance(verdict, Done):
                return verdict.value
            renew = verdict.renew
            await self._sleep(verdict.wait)

    async def _try(self, call: Call[T], exchange: Exchange[T], token: str) -> Answer | Failure:
        try:
            response = await self._http.request(
                call.method,
                exchange.url,
                params=call.query or None,
                content=call.body,
                headers=exchange.headers(token),
            )
        except httpx.RequestError as error:
            return options.failure_of(error)
        return options.answer_of(response)


class AsyncGroups:
    """As `Groups`."""

    def __init__(self, run: AsyncRun) -> None:
        self._run = run

    async def add(self, group: str, users: Iterable[str] | str) -> MembersChanged:
        """As `Groups.add`."""
        return await self._run(calls.change_members(group, users, ()))

    async def remove(self, group: str, users: Iterable[str] | str) -> MembersChanged:
        """As `Groups.remove`."""
        return await self._run(calls.change_members(group, (), users))

    async def get(self, group: str) -> Group:
        """As `Groups.get`."""
        return await self._run(calls.get_group(group))

    async def delete(self, group: str) -> None:
        """As `Groups.delete`."""
        await self._run(calls.delete_group(group))

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> AsyncPages[Page[Group], Group]:
        """As `Groups.list`, for `async for`."""
        return AsyncPages(lambda at: self._run(calls.groups(limit, at)), cursor)

    def members(
        self, group: str, *, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPages[Page[Member], Member]:
        """As `Groups.members`, for `async for`."""
        return AsyncPages(lambda at: self._run(calls.members(group, limit, at)), cursor)

    def of_user(
        self, user: str, *, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPages[Page[Group], Group]:
        """As `Groups.of_user`, for `async for`."""
        return AsyncPages(lambda at: self._run(calls.groups_of(user, limit, at)), cursor)


class AsyncTokens:
    """As `Tokens`."""

    def __init__(self, run: AsyncRun) -> None:
        self._run = run

    async def create(self, user: str, *, expires_in: int = 3600) -> UserToken:
        """As `Tokens.create`."""
        return await self._run(calls.create_token(user, expires_in))


class AsyncInbox:
    """As `Inbox`."""

    def __init__(self, run: AsyncRun, user: str | None) -> None:
        self._run = run
        self._user = user

    def list(
        self,
        *,
        state: str | None = None,
        category: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPages[InboxPage, InboxItem]:
        """As `Inbox.list`, for `async for`."""

        async def fetch(at: str | None) -> InboxPage:
            return await self._run(
                calls.inbox(self._user, state=state, category=category, limit=limit, cursor=at)
            )

        return AsyncPages(fetch, cursor)
