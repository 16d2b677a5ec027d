"""The resources of an async client: groups, tokens, users and their inboxes."""

from collections.abc import Coroutine, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from tidings._calls import groups as group_calls
from tidings._calls import inboxes
from tidings._calls import users as user_calls
from tidings._calls.call import Call
from tidings._keywords import checks_keywords
from tidings._marking import Item, Items, Marks, compose_mark, id_of
from tidings._models import Acted, Erased, Group, InboxItem, InboxPage, Member, Page, Presence
from tidings._pages import AsyncPages, Extent
from tidings._public import publish
from tidings._retries import Retries
from tidings._snoozing import Snoozes
from tidings._token import UserToken
from tidings.protocol.frames import Counts, State
from tidings.protocol.rest import Marked, MembersChanged, SnoozeInbox

T = TypeVar("T")


class AsyncRun(Protocol):
    """Sends a call, with retries, and returns its result."""

    async def __call__(
        self, call: Call[T], /, *, timeout: float | None = None, retries: Retries | None = None
    ) -> T: ...


class AsyncGroups:
    """As `Groups`."""

    def __init__(self, run: AsyncRun) -> None:
        self._run = run

    @checks_keywords
    async def add(
        self,
        group: str,
        users: Iterable[str] | str,
        *,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> MembersChanged:
        """As `Groups.add`."""
        return await self._run(group_calls.change_members(group, users, ()), timeout=timeout, retries=retries)

    @checks_keywords
    async def remove(
        self,
        group: str,
        users: Iterable[str] | str,
        *,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> MembersChanged:
        """As `Groups.remove`."""
        return await self._run(group_calls.change_members(group, (), users), timeout=timeout, retries=retries)

    @checks_keywords
    async def get(self, group: str, *, timeout: float | None = None, retries: Retries | None = None) -> Group:
        """As `Groups.get`."""
        return await self._run(group_calls.get(group), timeout=timeout, retries=retries)

    @checks_keywords
    async def delete(
        self, group: str, *, timeout: float | None = None, retries: Retries | None = None
    ) -> None:
        """As `Groups.delete`."""
        await self._run(group_calls.delete(group), timeout=timeout, retries=retries)

    @checks_keywords
    def list(
        self,
        *,
        limit: int | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> AsyncPages[Page[Group], Group]:
        """As `Groups.list`, for `async for`."""
        return AsyncPages(
            lambda size, at: self._run(group_calls.listed(size, at), timeout=timeout, retries=retries),
            Extent(limit, page_size, cursor),
        )

    @checks_keywords
    def members(
        self,
        group: str,
        *,
        limit: int | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> AsyncPages[Page[Member], Member]:
        """As `Groups.members`, for `async for`."""
        return AsyncPages(
            lambda size, at: self._run(
                group_calls.members(group, size, at), timeout=timeout, retries=retries
            ),
            Extent(limit, page_size, cursor),
        )

    @checks_keywords
    def of_user(
        self,
        user: str,
        *,
        limit: int | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> AsyncPages[Page[Group], Group]:
        """As `Groups.of_user`, for `async for`."""
        return AsyncPages(
            lambda size, at: self._run(group_calls.of_user(user, size, at), timeout=timeout, retries=retries),
            Extent(limit, page_size, cursor),
        )


class AsyncTokens:
    """As `Tokens`."""

    def __init__(self, run: AsyncRun) -> None:
        self._run = run

    @checks_keywords
    async def create(
        self,
        user: str,
        *,
        expires_in: int = 3600,
        topics: Iterable[str] | None = None,
        publish: Iterable[str] | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> UserToken:
        """As `Tokens.create`."""
        call = user_calls.create_token(user, expires_in, topics, publish)
        return await self._run(call, timeout=timeout, retries=retries)


class AsyncUsers:
    """As `Users`."""

    def __init__(self, run: AsyncRun) -> None:
        self._run = run

    @checks_keywords
    async def presence(
        self, user: str, *, timeout: float | None = None, retries: Retries | None = None
    ) -> Presence:
        """As `Users.presence`."""
        return await self._run(user_calls.presence(user), timeout=timeout, retries=retries)

    @checks_keywords
    async def disconnect(
        self,
        user: str | None = None,
        *,
        connection: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> None:
        """As `Users.disconnect`."""
        await self._run(user_calls.disconnect(user, connection), timeout=timeout, retries=retries)

    @checks_keywords
    async def erase(
        self, user: str, *, timeout: float | None = None, retries: Retries | None = None
    ) -> Erased:
        """As `Users.erase`."""
        return await self._run(user_calls.erase(user), timeout=timeout, retries=retries)


class AsyncInbox(Marks[Coroutine[Any, Any, Marked]], Snoozes[Coroutine[Any, Any, Marked]]):
    """As `Inbox`: await its marks, and iterate its lists with `async for`."""

    def __init__(self, run: AsyncRun, user: str | None) -> None:
        self._run = run
        self._user = user

    @checks_keywords
    def list(
        self,
        *,
        state: str | None = None,
        category: str | None = None,
        log: str | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
        counts: Literal["category"] | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> AsyncPages[InboxPage, InboxItem]:
        """As `Inbox.list`, for `async for`."""
        selection = inboxes.Selection(
            state=state,
            category=category,
            log=log,
            after=after,
            before=before,
            since=since,
            until=until,
            counts=counts,
        )

        async def fetch(size: int | None, at: str | None) -> InboxPage:
            return await self._run(
                inboxes.page(self._user, selection, limit=size, cursor=at), timeout=timeout, retries=retries
            )

        return AsyncPages(fetch, Extent(limit, page_size, cursor))

    @checks_keywords
    async def counts(
        self, *, by_category: bool = False, timeout: float | None = None, retries: Retries | None = None
    ) -> Counts:
        """As `Inbox.counts`."""
        return (
            await self._run(
                inboxes.counts(self._user, by_category=by_category), timeout=timeout, retries=retries
            )
        ).counts

    @checks_keywords
    async def mark(
        self,
        state: State,
        ids: Items | None = None,
        *,
        up_to: Mapping[str, int] | None = None,
        all: bool = False,
        category: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Marked:
        """As `Inbox.mark`."""
        return await self._run(
            inboxes.mark(self._user, compose_mark(state, ids, up_to=up_to, all=all, category=category)),
            timeout=timeout,
            retries=retries,
        )

    async def _snooze(self, wanted: SnoozeInbox, timeout: float | None, retries: Retries | None) -> Marked:
        return await self._run(inboxes.snooze(self._user, wanted), timeout=timeout, retries=retries)

    @checks_keywords
    async def act(
        self,
        notification: Item,
        action: str,
        *,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Acted:
        """As `Inbox.act`."""
        return await self._run(
            inboxes.act(self._user, id_of(notification), action), timeout=timeout, retries=retries
        )


publish(globals())
