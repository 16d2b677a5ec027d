# Over 300 lines: each method has all its options, so that editors show them.
"""The resources of a blocking client: groups, tokens, users and their inboxes."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, Protocol, TypeVar

from tidings._calls import groups as group_calls
from tidings._calls import inboxes
from tidings._calls import users as user_calls
from tidings._calls.call import Call
from tidings._keywords import checks_keywords
from tidings._marking import Item, Items, Marks, compose_mark, id_of
from tidings._models import Acted, Erased, Group, InboxItem, InboxPage, Member, Page, Presence
from tidings._pages import Extent, Pages
from tidings._public import publish
from tidings._retries import Retries
from tidings._snoozing import Snoozes
from tidings._token import UserToken
from tidings.protocol.frames import Counts, State
from tidings.protocol.rest import Marked, MembersChanged, SnoozeInbox

T = TypeVar("T")


class Run(Protocol):
    """Sends a call, with retries, and returns its result."""

    def __call__(
        self, call: Call[T], /, *, timeout: float | None = None, retries: Retries | None = None
    ) -> T: ...


class Groups:
    """The tenant's groups. A change applies to every send that is accepted after it returned."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @checks_keywords
    def add(
        self,
        group: str,
        users: Iterable[str] | str,
        *,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> MembersChanged:
        """Add up to 10,000 users to a group. The first member creates the group."""
        return self._run(group_calls.change_members(group, users, ()), timeout=timeout, retries=retries)

    @checks_keywords
    def remove(
        self,
        group: str,
        users: Iterable[str] | str,
        *,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> MembersChanged:
        """Remove up to 10,000 users from a group. Notifications that they received stay in their inboxes."""
        return self._run(group_calls.change_members(group, (), users), timeout=timeout, retries=retries)

    @checks_keywords
    def get(self, group: str, *, timeout: float | None = None, retries: Retries | None = None) -> Group:
        """A group with the number of its members. Raises NotFoundError if it does not exist."""
        return self._run(group_calls.get(group), timeout=timeout, retries=retries)

    @checks_keywords
    def delete(self, group: str, *, timeout: float | None = None, retries: Retries | None = None) -> None:
        """Delete a group with all its memberships; idempotent."""
        self._run(group_calls.delete(group), timeout=timeout, retries=retries)

    @checks_keywords
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

        `limit` is the largest number of items in all, `page_size` the number of items per request, at most
        200. `cursor` is the start: `next` or `previous` of a page. The other lists have the same arguments.
        """
        return Pages(
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
    ) -> Pages[Page[Member], Member]:
        """The members of a group, in the order of joining; empty for a group that does not exist."""
        return Pages(
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
    ) -> Pages[Page[Group], Group]:
        """The groups of which a user is a member."""
        return Pages(
            lambda size, at: self._run(group_calls.of_user(user, size, at), timeout=timeout, retries=retries),
            Extent(limit, page_size, cursor),
        )


class Tokens:
    """Tokens for users, with which a browser or another device connects."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @checks_keywords
    def create(
        self,
        user: str,
        *,
        expires_in: int = 3600,
        topics: Iterable[str] | None = None,
        publish: Iterable[str] | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> UserToken:
        """A token for the user's own inbox, for `expires_in` seconds, at most 86,400.

        `topics`, `publish`: patterns of the topics to which a connection with the token may subscribe, and
        publish. In a pattern `*` is one segment, `**` at the end the rest, and `{sub}` the user.
        """
        call = user_calls.create_token(user, expires_in, topics, publish)
        return self._run(call, timeout=timeout, retries=retries)


class Users:
    """The presence of users, closing their connections, and erasing them."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @checks_keywords
    def presence(
        self, user: str, *, timeout: float | None = None, retries: Retries | None = None
    ) -> Presence:
        """The presence of a user: online or not, with the open connections. It exists for every user id."""
        return self._run(user_calls.presence(user), timeout=timeout, retries=retries)

    @checks_keywords
    def disconnect(
        self,
        user: str | None = None,
        *,
        connection: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> None:
        """Close all connections of a user, or one by its id, with code 4005: the client stays away.

        Raises NotFoundError if no connection with that id is open.
        """
        self._run(user_calls.disconnect(user, connection), timeout=timeout, retries=retries)

    @checks_keywords
    def erase(self, user: str, *, timeout: float | None = None, retries: Retries | None = None) -> Erased:
        """Erase all data of a user. This cannot be undone.

        Connections close, memberships end, and own notifications, marks and devices are removed. Returns
        the number of each; `pending` names what may still have data, so that the call has to be repeated.
        """
        return self._run(user_calls.erase(user), timeout=timeout, retries=retries)


class Inbox(Marks[Marked], Snoozes[Marked]):
    """The inbox of one user, newest first.

    A mark is idempotent and atomic, and the server sends it to all connections of the user. The first time of
    a state is kept. Each method that marks takes `ids` (one or up to 1,000 ids, notifications or items of a
    list), or `up_to` (a position per log), or `all`, optionally with a `category`.
    """

    def __init__(self, run: Run, user: str | None) -> None:
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
    ) -> Pages[InboxPage, InboxItem]:
        """The items of the inbox, newest first; archived and snoozed items only with those states.

        `state` is `unseen`, `seen` (read or not), `unread`, `read`, `archived` or `snoozed`. A `category`
        that ends in a dot is a prefix. `log` is `user`, `all` or ``group:<id>``. `after` and `before` are
        times with a zone, both exclusive; `since` is inclusive, and `until` is `before`. `limit` is the most
        items in all, `page_size` those per request, at most 200. `.page()` returns one page with the counts,
        with `counts="category"` by category too, and the positions to resume from.
        """
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

        def fetch(size: int | None, at: str | None) -> InboxPage:
            call = inboxes.page(self._user, selection, limit=size, cursor=at)
            return self._run(call, timeout=timeout, retries=retries)

        return Pages(fetch, Extent(limit, page_size, cursor))

    @checks_keywords
    def counts(
        self, *, by_category: bool = False, timeout: float | None = None, retries: Retries | None = None
    ) -> Counts:
        """The numbers of unseen and unread items in the default list. A higher `version` is newer."""
        call = inboxes.counts(self._user, by_category=by_category)
        return self._run(call, timeout=timeout, retries=retries).counts

    @checks_keywords
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

        Give exactly one of the three. `category` narrows `all`; with a dot at its end it is a prefix. `state`
        is seen, unseen, read, unread, archived or unarchived. An id that is not in this inbox is no error:
        `unknown` of the result has it. Raises InvalidArgumentError.
        """
        return self._run(
            inboxes.mark(self._user, compose_mark(state, ids, up_to=up_to, all=all, category=category)),
            timeout=timeout,
            retries=retries,
        )

    def _snooze(self, wanted: SnoozeInbox, timeout: float | None, retries: Retries | None) -> Marked:
        return self._run(inboxes.snooze(self._user, wanted), timeout=timeout, retries=retries)

    @checks_keywords
    def act(
        self,
        notification: Item,
        action: str,
        *,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Acted:
        """Use an action of a notification for the user, by the action's id.

        The first action counts, on whichever device, and a repetition returns it again. Raises
        ActionUsedError after another action, UnknownActionError and NotFoundError.
        """
        return self._run(
            inboxes.act(self._user, id_of(notification), action), timeout=timeout, retries=retries
        )


publish(globals())
