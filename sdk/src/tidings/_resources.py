"""What a blocking client works on: groups, tokens, users and their inboxes."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, Protocol, TypeVar

from tidings import _publish
from tidings._calls import groups as group_calls
from tidings._calls import inboxes
from tidings._calls import users as user_calls
from tidings._calls.call import Call
from tidings._keywords import explained
from tidings._marking import Items, Marks, compose_mark
from tidings._models import Erased, Group, InboxItem, InboxPage, Member, Page, Presence
from tidings._pages import Extent, Pages
from tidings._retries import Retries
from tidings._token import UserToken
from tidings.protocol.frames import Counts, State
from tidings.protocol.rest import Marked, MembersChanged

T = TypeVar("T")


class Run(Protocol):
    """Sends a call, again where that helps, and gives its result."""

    def __call__(
        self, call: Call[T], /, *, timeout: float | None = None, retries: Retries | None = None
    ) -> T: ...


class Groups:
    """The tenant's groups. A change holds for every send that is accepted after it returned."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @explained
    def add(
        self,
        group: str,
        users: Iterable[str] | str,
        *,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> MembersChanged:
        """Make users members, up to 10,000; the group comes into being with its first."""
        return self._run(group_calls.change_members(group, users, ()), timeout=timeout, retries=retries)

    @explained
    def remove(
        self,
        group: str,
        users: Iterable[str] | str,
        *,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> MembersChanged:
        """End memberships, up to 10,000. What a member received stays in their inbox."""
        return self._run(group_calls.change_members(group, (), users), timeout=timeout, retries=retries)

    @explained
    def get(self, group: str, *, timeout: float | None = None, retries: Retries | None = None) -> Group:
        """A group with the number of its members. Raises NotFoundError."""
        return self._run(group_calls.get(group), timeout=timeout, retries=retries)

    @explained
    def delete(self, group: str, *, timeout: float | None = None, retries: Retries | None = None) -> None:
        """End all memberships of a group; idempotent."""
        self._run(group_calls.delete(group), timeout=timeout, retries=retries)

    @explained
    def list(
        self,
        *,
        limit: int | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Pages[Page[Group], Group]:
        """All groups of the tenant.

        `limit` is the most items that it gives in all, `page_size` how many one request asks for, at most
        200; `cursor` is where to begin, as a page says. The same in the other lists.
        """
        return Pages(
            lambda size, at: self._run(group_calls.listed(size, at), timeout=timeout, retries=retries),
            Extent(limit, page_size, cursor),
        )

    @explained
    def members(
        self,
        group: str,
        *,
        limit: int | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Pages[Page[Member], Member]:
        """A group's members; empty for a group that nobody has used."""
        return Pages(
            lambda size, at: self._run(
                group_calls.members(group, size, at), timeout=timeout, retries=retries
            ),
            Extent(limit, page_size, cursor),
        )

    @explained
    def of_user(
        self,
        user: str,
        *,
        limit: int | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Pages[Page[Group], Group]:
        """The groups that a user is a member of."""
        return Pages(
            lambda size, at: self._run(group_calls.of_user(user, size, at), timeout=timeout, retries=retries),
            Extent(limit, page_size, cursor),
        )


class Tokens:
    """Tokens for users: what a browser or another device connects with."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @explained
    def create(
        self,
        user: str,
        *,
        expires_in: int = 3600,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> UserToken:
        """A token for the user's own inbox and nothing else, for `expires_in` seconds, at most 86,400."""
        return self._run(user_calls.create_token(user, expires_in), timeout=timeout, retries=retries)


class Users:
    """Who is online, and ending that."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @explained
    def presence(
        self, user: str, *, timeout: float | None = None, retries: Retries | None = None
    ) -> Presence:
        """Whether a user is online, since when and on which devices; also for one who never came."""
        return self._run(user_calls.presence(user), timeout=timeout, retries=retries)

    @explained
    def disconnect(
        self,
        user: str | None = None,
        *,
        connection: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> None:
        """Close all connections of a user, or one by its id, with code 4005: the client stays away.

        Raises NotFoundError where no such connection is open.
        """
        self._run(user_calls.disconnect(user, connection), timeout=timeout, retries=retries)

    @explained
    def erase(self, user: str, *, timeout: float | None = None, retries: Retries | None = None) -> Erased:
        """Erase everything of a user for good, and say how much it was.

        Connections are closed, memberships ended; own notifications, marks and devices are gone.
        """
        return self._run(user_calls.erase(user), timeout=timeout, retries=retries)


class Inbox(Marks[Marked]):
    """One user's inbox, newest first.

    Marking is idempotent, atomic, and pushed to all connections of the user; the first time of a state is
    kept. Each way of marking takes `ids` - one or up to 1,000 ids, notifications or items of a list -, or
    `up_to` a position per log, or `all`, perhaps of one `category`.
    """

    def __init__(self, run: Run, user: str | None) -> None:
        self._run = run
        self._user = user

    @explained
    def list(
        self,
        *,
        state: str | None = None,
        category: str | None = None,
        log: str | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
        counts: Literal["category"] | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Pages[InboxPage, InboxItem]:
        """The inbox's items, newest first; the archived only with `state="archived"`.

        `state` is `unseen`, `seen` (read or not), `unread`, `read` or `archived`. A `category` that ends
        in a dot is a prefix: `orders.`. `log` is `user`, `all` or ``group:<id>``. `after` and `before` are
        times with a zone, both exclusive. `limit` is the most items that it gives in all, `page_size` how
        many one request asks for, at most 200. `.page()` gives one page with counts, with
        `counts="category"` also by category, and the positions to resume from.
        """
        selection = inboxes.Selection(
            state=state, category=category, log=log, after=after, before=before, counts=counts
        )

        def fetch(size: int | None, at: str | None) -> InboxPage:
            return self._run(
                inboxes.page(self._user, selection, limit=size, cursor=at), timeout=timeout, retries=retries
            )

        return Pages(fetch, Extent(limit, page_size, cursor))

    @explained
    def counts(
        self, *, by_category: bool = False, timeout: float | None = None, retries: Retries | None = None
    ) -> Counts:
        """How much is unseen and unread, the archived not counted; a higher `version` is newer."""
        return self._run(
            inboxes.counts(self._user, by_category=by_category), timeout=timeout, retries=retries
        ).counts

    @explained
    def mark(
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
        """Change the state of some `ids`, of everything `up_to` a position per log, or of `all`.

        Exactly one of the three; `category` narrows `all`: with a dot at its end, to all that begin so.
        `state` is seen, unseen, read, unread, archived or unarchived. What is not in this inbox is named by
        `unknown` of the answer, and no error.
        """
        return self._run(
            inboxes.mark(self._user, compose_mark(state, ids, up_to=up_to, all=all, category=category)),
            timeout=timeout,
            retries=retries,
        )


_publish(globals())
