"""Snoozes: notifications that a user hides until a time."""

from typing import Final

from litestar import Router, post
from litestar.params import JSONBody

from tidings.protocol import limits
from tidings.protocol.errors import FieldError
from tidings.protocol.rest import Marked, SnoozeInbox
from tidings_api.authorisation import needs
from tidings_api.moments import EPOCH, MILLISECOND
from tidings_api.problems import ProblemError
from tidings_api.requests import BODY_BYTES_OPTION, Caller, OpenStore, UserPath
from tidings_api.routes.inbox import MARK_BYTES
from tidings_workers.store import Store
from tidings_workers.store.ids import milliseconds
from tidings_workers.strict_json import INVALID


@post(
    "/v1/users/{user:str}/notifications/snooze",
    opt={**needs("users"), BODY_BYTES_OPTION: MARK_BYTES},
    status_code=200,
    summary="Snooze notifications of a user",
)
async def snooze_inbox(
    user: UserPath, data: JSONBody[SnoozeInbox], identity: Caller, store: OpenStore
) -> Marked:
    """Hides notifications from the user's inbox until a time; see the route for the token's subject."""
    return await _snooze(store, identity.tenant, user, data)


@post(
    "/v1/me/notifications/snooze",
    opt={**needs("inbox"), BODY_BYTES_OPTION: MARK_BYTES},
    status_code=200,
    summary="Snooze own notifications",
)
async def snooze_own_inbox(data: JSONBody[SnoozeInbox], identity: Caller, store: OpenStore) -> Marked:
    """Hides notifications of the token's subject until a time, on all devices.

    Until then they are in no list but that of `state=snoozed`, and in no count. Within a second after `until`
    they are in the inbox again, as unseen, at their places by time. `"until": null` ends a snooze now: they
    are as they were before. Each connection of the user gets a `state` frame with `snoozed`, now and at the
    return.
    """
    return await _snooze(store, identity.tenant, identity.subject, data)


routes: Final = Router("/", tags=["Inboxes"], route_handlers=[snooze_inbox, snooze_own_inbox])


async def _snooze(store: Store, tenant: str, user: str, snooze: SnoozeInbox) -> Marked:
    until = None
    if snooze.until is not None:
        # The store has whole milliseconds: round up, so that no notification returns before its time.
        until = -((EPOCH - snooze.until) // MILLISECOND)
        ahead = until - milliseconds()
        fault = None
        if ahead <= 0:
            fault = "This time is not in the future. Give a later one, or null to end the snooze now."
        elif ahead > limits.SNOOZE_SECONDS * 1000:
            fault = "This time is more than a year ahead. Give an earlier one."
        if fault is not None:
            raise ProblemError("invalid_request", INVALID, (FieldError("#/until", fault),))
    result = await store.snoozing.snooze(tenant, user, snooze.ids, until)
    return Marked(result.changed, result.counts, result.unknown)
