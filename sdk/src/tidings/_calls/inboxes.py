"""Reading and marking the inbox of a user; with None as the user, the inbox of the token's user."""

from datetime import datetime
from typing import Final, Literal
from urllib.parse import quote

import msgspec

from tidings._calls.call import Call, decoded, instant, query, segment
from tidings._errors import InvalidArgumentError
from tidings._models import Acted, InboxPage
from tidings.protocol.names import LOG_RULE, is_log
from tidings.protocol.rest import Marked, MarkInbox, SnoozeInbox

_read_inbox: Final = decoded(InboxPage)
_read_marked: Final = decoded(Marked)
_read_acted: Final = decoded(Acted)


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """The filters of a list of an inbox, and the form of its counts."""

    state: str | None = None
    category: str | None = None
    log: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    counts: Literal["category"] | None = None

    def query(self) -> dict[str, str]:
        """The parameters. Raises InvalidArgumentError for an unknown log or a time without a time zone."""
        if self.log is not None and not is_log(self.log):
            raise InvalidArgumentError(f"{self.log!r} cannot name a log: it is {LOG_RULE}")
        return query(
            state=self.state,
            category=self.category,
            log=self.log,
            after=instant("after", self.after),
            before=instant("before", self.before),
            since=instant("since", self.since),
            until=instant("until", self.until),
            counts=self.counts,
        )


def page(user: str | None, selection: Selection, *, limit: int | None, cursor: str | None) -> Call[InboxPage]:
    """`GET /v1/users/{id}/notifications` or `GET /v1/me/notifications`."""
    return Call(
        method="GET",
        path=_path(user),
        scope="inbox" if user is None else "read",
        query=selection.query() | query(limit=limit, cursor=cursor),
        read=_read_inbox,
    )


def counts(user: str | None, *, by_category: bool) -> Call[InboxPage]:
    """The smallest page that has the counts."""
    return page(user, Selection(counts="category" if by_category else None), limit=1, cursor=None)


def mark(user: str | None, wanted: MarkInbox) -> Call[Marked]:
    """`POST /v1/users/{id}/notifications/mark` or `POST /v1/me/notifications/mark`."""
    return Call(
        method="POST",
        path=f"{_path(user)}/mark",
        scope="inbox" if user is None else "users",
        body=msgspec.json.encode(wanted),
        read=_read_marked,
    )


def snooze(user: str | None, wanted: SnoozeInbox) -> Call[Marked]:
    """`POST /v1/users/{id}/notifications/snooze` or `POST /v1/me/notifications/snooze`."""
    return Call(
        method="POST",
        path=f"{_path(user)}/snooze",
        scope="inbox" if user is None else "users",
        body=msgspec.json.encode(wanted),
        read=_read_marked,
    )


def act(user: str | None, notification: str, action: str) -> Call[Acted]:
    """`POST /v1/users/{id}/notifications/{id}/actions/{action}`, or the same below `/v1/me`.

    Raises InvalidArgumentError for an id that cannot be in a path.
    """
    if not action or "/" in action or action in {".", ".."}:
        raise InvalidArgumentError(
            f"{action!r} cannot be in a path: use an action whose id is a text without a slash"
        )
    return Call(
        method="POST",
        path=f"{_path(user)}/{segment('notification', notification)}/actions/{quote(action, safe='')}",
        scope="inbox" if user is None else "users",
        read=_read_acted,
    )


def _path(user: str | None) -> str:
    return "/v1/me/notifications" if user is None else f"/v1/users/{segment('user', user)}/notifications"
