"""Sent notifications with their status and receipts, for the sender."""

from typing import Annotated, Final

import msgspec
from litestar import get
from litestar.params import PathParameter
from msgspec import UNSET

from tidings.protocol import limits
from tidings.protocol.notifications import Receipts, UsedAction
from tidings.protocol.rest import (
    ReceiptPage,
    SentNotification,
    SentPage,
    SentTarget,
    UserReceipt,
)
from tidings.protocol.times import timestamp, timestamp_or_none
from tidings_api.authorisation import needs
from tidings_api.cursors import Cursors
from tidings_api.moments import Since, Until, period
from tidings_api.problems import ProblemError
from tidings_api.requests import Caller, Category, Cursor, Limit, OpenStore
from tidings_workers.store import NoUserReceipts, StoredNotification, Use, UserProgress
from tidings_workers.store.content import Content

NotificationPath = Annotated[
    str, PathParameter(description="A notification's id, from the answer to its send.")
]

_content: Final = msgspec.json.Decoder(Content)
_target: Final = msgspec.json.Decoder(SentTarget)


@get("/v1/notifications", opt=needs("read"), summary="List sent notifications")
async def list_sent(
    identity: Caller,
    store: OpenStore,
    category: Category = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = limits.PAGE_DEFAULT,
    cursor: Cursor = None,
) -> SentPage:
    """The tenant's notifications, newest first, each with its status and receipts."""
    chosen = period(since=since, until=until)
    cursors = Cursors(store, identity.tenant, "sent", category, *chosen)
    page = await store.receipts.sent(
        identity.tenant, category, limit, cursors.read(cursor), since=chosen.since, until=chosen.until
    )
    return SentPage(
        [as_sent(stored) for stored in page.items],
        cursors.write(page.next),
        cursors.write(page.previous),
        UNSET if page.complete else "unavailable",
    )


@get("/v1/notifications/{notification:str}", opt=needs("read"), summary="Get a notification and its receipts")
async def get_notification(
    notification: NotificationPath, identity: Caller, store: OpenStore
) -> SentNotification:
    """The notification as it was sent, with its status and its receipts."""
    stored = await store.sends.notification(identity.tenant, notification)
    if stored is None:
        raise no_such(notification)
    return as_sent(stored)


@get(
    "/v1/notifications/{notification:str}/receipts",
    opt=needs("read"),
    summary="List the receipts of a notification by user",
)
async def list_receipts(
    notification: NotificationPath,
    identity: Caller,
    store: OpenStore,
    limit: Limit = limits.PAGE_DEFAULT,
    cursor: Cursor = None,
) -> ReceiptPage:
    """The progress of a notification with each of its users, for direct and compound notifications.

    A notification to one group or to all is stored once for all its users and has only counts: 422.
    """
    cursors = Cursors(store, identity.tenant, "receipts", notification)
    packed = cursors.read(cursor)
    try:
        page = await store.receipts.of(identity.tenant, notification, limit, packed)
    except NoUserReceipts:
        raise ProblemError(
            "invalid_request",
            "A notification to one group or to all has only counts of its receipts: "
            f"GET /v1/notifications/{notification} has them.",
        ) from None
    if page is None:
        raise no_such(notification)
    return ReceiptPage(
        [_receipt(progress) for progress in page.items],
        cursors.write(page.next),
        cursors.write(page.previous),
    )


def no_such(notification: str) -> ProblemError:
    """The 404 for an id of no notification of this tenant."""
    return ProblemError("not_found", f"There is no notification {notification[:64]!r}.")


def used_action(use: Use | None) -> UsedAction | None:
    """The action that a user used, as answers have it."""
    return UsedAction(use.action, timestamp(use.at)) if use is not None else None


def _receipt(progress: UserProgress) -> UserReceipt:
    return UserReceipt(
        user=progress.user,
        delivered=progress.delivered,
        seen=progress.seen,
        read=progress.read,
        seen_at=timestamp_or_none(progress.seen_at),
        read_at=timestamp_or_none(progress.read_at),
        action=used_action(progress.used),
    )


def as_sent(stored: StoredNotification) -> SentNotification:
    """A notification as answers have it."""
    content = _content.decode(stored.content)
    return SentNotification(
        id=stored.id,
        status=stored.status,
        to=_target.decode(stored.to),
        category=content.category,
        title=content.title,
        body=content.body,
        data=content.data,
        link=content.link,
        icon=content.icon,
        group_key=content.group_key,
        actions=content.actions,
        priority=content.priority,
        created_at=content.created_at,
        expires_at=content.expires_at,
        accepted_at=timestamp(stored.accepted_at),
        stored_at=timestamp_or_none(stored.stored_at),
        receipts=Receipts(
            recipients=stored.recipients,
            delivered=stored.delivered,
            seen=stored.seen,
            read=stored.read,
            actions=stored.actions,
        ),
        archived_copy=stored.in_archive,
    )
