"""The export of all sent notifications, as a stream of lines."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final

import msgspec
from litestar import Request, Router, get
from litestar.datastructures import State
from litestar.response import Stream

from tidings.protocol.rest import ExportFault
from tidings_api.answers import is_head
from tidings_api.authorisation import needs
from tidings_api.moments import Since, Until, period
from tidings_api.problems import ProblemError, problem_of
from tidings_api.requests import Caller, OpenStore
from tidings_api.routes.sent import as_sent
from tidings_workers.store import StoredNotification

MEDIA_TYPE: Final = "application/x-ndjson"
# The exports of a tenant at one process. Each has a page in memory for as long as its client takes.
RUNNING: Final = 8

_encode_lines: Final = msgspec.json.Encoder().encode_lines
_running: Final = Counter[str]()


@get(
    "/v1/export/notifications",
    opt=needs("read"),
    media_type=MEDIA_TYPE,
    summary="Export sent notifications",
)
async def export_notifications(
    request: Request[Any, Any, State],
    identity: Caller,
    store: OpenStore,
    since: Since = None,
    until: Until = None,
) -> Stream:
    """All of the tenant's notifications in order of their ids, oldest first, those of the history too.

    Each line is the JSON of one notification with its status and receipts, as an item of
    `GET /v1/notifications`. A line that begins with `{"error":` is the last one, and has a problem: the
    export is incomplete. Notifications that are sent during the export are in it or not.
    """
    chosen = period(since=since, until=until)
    if _running[identity.tenant] >= RUNNING:
        detail = f"{RUNNING} exports of this tenant run already: wait for one to end."
        raise ProblemError("overloaded", detail)
    pages = store.exports.pages(identity.tenant, chosen.since, chosen.until)
    # The answer begins after the first page, so that a failure until then has its own status.
    first = await anext(pages)
    if is_head(request.scope):
        await pages.aclose()
        return Stream(_nothing(), media_type=MEDIA_TYPE)
    request_id = request.scope["state"]["request_id"]
    return Stream(_lines(identity.tenant, first, pages, request_id), media_type=MEDIA_TYPE)


routes: Final = Router("/", tags=["Notifications"], route_handlers=[export_notifications])


async def _lines(
    tenant: str,
    first: list[StoredNotification],
    pages: AsyncGenerator[list[StoredNotification]],
    request_id: str,
) -> AsyncIterator[bytes]:
    """The lines of each page, which is read when the client has taken the page before."""
    _running[tenant] += 1
    try:
        async with aclosing(pages):
            yield _encode_lines(map(as_sent, first))
            async for page in pages:
                if page:
                    yield _encode_lines(map(as_sent, page))
    except Exception as error:  # noqa: BLE001  the answer has begun: its last line tells the fault
        document, _ = problem_of(error, request_id)
        yield _encode_lines([ExportFault(document)])
    finally:
        _running[tenant] -= 1
        if not _running[tenant]:
            del _running[tenant]


async def _nothing() -> AsyncIterator[bytes]:
    yield b""
