"""Inboxes: a user's notifications and their state, for the application and for the user."""

from typing import Annotated, Any, Final, Literal

from litestar import Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import UNSET, Raw

from tidings.protocol import limits
from tidings.protocol.frames import Acted
from tidings.protocol.marks import faults
from tidings.protocol.names import LOG_PATTERN, LOG_RULE
from tidings.protocol.notifications import UsedAction
from tidings.protocol.rest import (
    AckInbox,
    InboxItem,
    InboxPage,
    Marked,
    MarkInbox,
    StateFilter,
)
from tidings.protocol.times import timestamp, timestamp_or_none
from tidings_api.authorisation import needs
from tidings_api.conditional import CONDITIONAL, Conditional, not_modified, provide_condition, weak_tag
from tidings_api.cursors import Cursors
from tidings_api.moments import After, Before, Since, Until, period
from tidings_api.problems import ProblemError
from tidings_api.requests import BODY_BYTES_OPTION, Caller, Category, Cursor, Limit, OpenStore, UserPath
from tidings_api.routes.sent import NotificationPath, used_action
from tidings_workers.refused_actions import refusal
from tidings_workers.store import ActionUsed, InboxQuery, NotInInbox, Store, UnknownAction
from tidings_workers.store import InboxItem as StoredItem
from tidings_workers.strict_json import INVALID

# 1,000 ids, or a position in each of 1,000 logs of the longest name.
MARK_BYTES: Final = limits.MARK_IDS * (limits.ID_LENGTH + 32) + 1024

InState = Annotated[
    StateFilter | None,
    QueryParameter(
        name="state",
        description="Only notifications in this state: `unseen`, `seen` (read or not), `unread` or `read`, "
        "each without archived and snoozed ones, `archived`, or `snoozed`. Without it: neither of these two.",
    ),
]
Log = Annotated[
    str | None,
    QueryParameter(pattern=LOG_PATTERN, description=f"Only notifications of this log: {LOG_RULE}."),
]
ActionPath = Annotated[
    str,
    PathParameter(description="The id of one of the notification's `actions`, percent-encoded."),
]
CountsBy = Annotated[
    Literal["category"] | None,
    QueryParameter(description="`category` gives the counts by category as well."),
]
Selection = NamedDependency[InboxQuery]

_HISTORY_ONLY: Final = (
    "Older than the retention: {}. Such a notification keeps the state that it had: leave it out."
)


async def provide_selection(
    # Litestar keeps the name `state` for itself.
    state_: InState = None,
    category: Category = None,
    log: Log = None,
    after: After = None,
    before: Before = None,
    since: Since = None,
    until: Until = None,
    counts: CountsBy = None,
    limit: Limit = limits.PAGE_DEFAULT,
) -> InboxQuery:
    """The filters and the size of a page of an inbox, from the query."""
    chosen = period(after=after, before=before, since=since, until=until)
    return InboxQuery(
        limit=limit,
        state=state_,
        category=category,
        log=log,
        after=None if chosen.since is None else chosen.since - 1,
        before=chosen.until,
        by_category=counts is not None,
    )


@get(
    "/v1/users/{user:str}/notifications", opt={**needs("read"), **CONDITIONAL}, summary="List a user's inbox"
)
async def list_inbox(
    user: UserPath,
    identity: Caller,
    store: OpenStore,
    selection: Selection,
    condition: Conditional,
    cursor: Cursor = None,
) -> Response[InboxPage]:
    """The user's inbox, newest first: notifications to the user, to groups while a member, and to all.

    `counts` are those of the whole inbox, without the filters.
    """
    return await _page(store, identity.tenant, user, selection, condition, cursor)


@get("/v1/me/notifications", opt={**needs("inbox"), **CONDITIONAL}, summary="List the own inbox")
async def list_own_inbox(
    identity: Caller, store: OpenStore, selection: Selection, condition: Conditional, cursor: Cursor = None
) -> Response[InboxPage]:
    """The inbox of the token's subject, newest first."""
    return await _page(store, identity.tenant, identity.subject, selection, condition, cursor)


@post(
    "/v1/users/{user:str}/notifications/mark",
    opt={**needs("users"), BODY_BYTES_OPTION: MARK_BYTES},
    status_code=200,
    summary="Mark notifications of a user",
)
async def mark_inbox(user: UserPath, data: JSONBody[MarkInbox], identity: Caller, store: OpenStore) -> Marked:
    """Changes the state of notifications for the user. Each connection of the user gets a `state` frame."""
    return await _mark(store, identity.tenant, user, data)


@post(
    "/v1/me/notifications/mark",
    opt={**needs("inbox"), BODY_BYTES_OPTION: MARK_BYTES},
    status_code=200,
    summary="Mark own notifications",
)
async def mark_own_inbox(data: JSONBody[MarkInbox], identity: Caller, store: OpenStore) -> Marked:
    """Changes the state of notifications for the token's subject, on all devices."""
    return await _mark(store, identity.tenant, identity.subject, data)


@post(
    "/v1/users/{user:str}/notifications/{notification:str}/actions/{action:str}",
    opt=needs("users"),
    status_code=200,
    summary="Use an action for a user",
)
async def use_action(
    user: UserPath, notification: NotificationPath, action: ActionPath, identity: Caller, store: OpenStore
) -> Acted:
    """The user uses an action of a notification; see the route for the token's subject."""
    return await _act(store, identity.tenant, user, notification, action)


@post(
    "/v1/me/notifications/{notification:str}/actions/{action:str}",
    opt=needs("inbox"),
    status_code=200,
    summary="Use an action",
)
async def use_own_action(
    notification: NotificationPath, action: ActionPath, identity: Caller, store: OpenStore
) -> Acted:
    """The token's subject uses an action of a notification. The first one counts, on whichever device.

    A repetition gets the same answer. Each connection of the user gets a `state` frame with `acted`. Without
    such an action the answer is 404 `unknown_action`, whose detail lists those that the notification has;
    after another action it is 409 `action_used`. The request has no body.
    """
    return await _act(store, identity.tenant, identity.subject, notification, action)


@post(
    "/v1/me/ack",
    opt={**needs("inbox"), BODY_BYTES_OPTION: MARK_BYTES},
    status_code=204,
    summary="Acknowledge own notifications",
)
async def acknowledge(data: JSONBody[AckInbox], identity: Caller, store: OpenStore) -> None:
    """Everything up to these positions arrived at the user, who needs no connection for this.

    It counts as delivered, and moves the positions of `device` forward. A device that is new begins at the
    ends of the logs that are not named. Logs that the user does not have, and topics, are ignored.
    """
    await store.acknowledging.acknowledge(identity.tenant, identity.subject, data.positions, data.device)


routes: Final = Router(
    "/",
    tags=["Inboxes"],
    route_handlers=[
        list_inbox,
        list_own_inbox,
        mark_inbox,
        mark_own_inbox,
        use_action,
        use_own_action,
        acknowledge,
    ],
    dependencies={"selection": Provide(provide_selection), "condition": Provide(provide_condition)},
)


async def _page(
    store: Store, tenant: str, user: str, selection: InboxQuery, condition: Conditional, cursor: str | None
) -> Response[Any]:
    filters = (selection.state, selection.category, selection.log, selection.after, selection.before)
    cursors = Cursors(store, tenant, "inbox", user, *filters)
    packed = cursors.read(cursor)

    def tag(version: int) -> str:
        shape = (selection.limit, selection.by_category, cursor)
        return weak_tag(store.epoch, version, tenant, user, *filters, *shape)

    if condition.given:
        # Reading the counts costs a fraction of reading the page.
        current = tag((await store.inbox.counts(tenant, user)).version)
        if not condition.is_met(current):
            return not_modified(current)
    page = await store.inbox.page(tenant, user, selection, packed)
    content = InboxPage(
        items=[_item(item) for item in page.items],
        next=cursors.write(page.next),
        previous=cursors.write(page.previous),
        counts=page.counts,
        epoch=store.epoch,
        positions=page.positions,
        state_version=page.state_version,
        history=UNSET if page.complete else "unavailable",
    )
    if not page.complete or any(item.in_archive for item in page.items):
        # The version of the counts does not follow the retention of the history.
        return Response(content)
    return Response(content, headers={"etag": tag(page.counts.version)})


def _item(item: StoredItem) -> InboxItem:
    return InboxItem(
        log=item.log,
        position=item.position,
        state=item.state,
        seen_at=timestamp_or_none(item.seen_at),
        read_at=timestamp_or_none(item.read_at),
        archived_at=timestamp_or_none(item.archived_at),
        snoozed_until=timestamp_or_none(item.snoozed_until),
        action=used_action(item.used),
        notification=Raw(item.content),
        archived_copy=True if item.in_archive else UNSET,
    )


async def _mark(store: Store, tenant: str, user: str, mark: MarkInbox) -> Marked:
    errors = faults(mark)
    if errors:
        raise ProblemError("invalid_request", INVALID, errors)
    result = await store.marks.mark(tenant, user, mark)
    if mark.ids is not None and len(result.unknown) == len(set(mark.ids)):
        past = await store.inbox.in_history(tenant, user, result.unknown)
        if past:
            raise ProblemError(
                "history_only",
                _HISTORY_ONLY.format(", ".join(past)),
            )
    return Marked(result.changed, result.counts, result.unknown)


async def _act(store: Store, tenant: str, user: str, notification: str, action: str) -> Acted:
    try:
        result = await store.acting.act(tenant, user, notification, action)
    except (NotInInbox, UnknownAction, ActionUsed) as error:
        if isinstance(error, NotInInbox) and await store.inbox.in_history(tenant, user, [notification]):
            raise ProblemError("history_only", _HISTORY_ONLY.format(notification)) from None
        raise ProblemError(*refusal(error, notification, action)) from None
    return Acted(notification, UsedAction(result.used.action, timestamp(result.used.at)))
