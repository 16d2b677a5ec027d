"""Marking: one item, and everything at once, in a full inbox and in one of ten items."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from bench.inbox.calls import dispatched, main_thread_seconds, timed
from bench.inbox.world import COMMON
from bench.measurement import Measurement
from bench.server import Server
from bench.websocket import Unexpected
from tidings.protocol.rest import MarkInbox
from tidings_workers.store import Store

ONE: Final = "mark, one item"
ONE_OF_GAPS: Final = "mark, one item between thousands of gaps"
ALL_OF_TEN: Final = "mark, all of ten"
ALL: Final = "mark, all of a full inbox"
ALL_OF_GAPS: Final = "mark, all of a full inbox with thousands of gaps"
CATEGORY: Final = "mark, all of a common category"

_IDS_PER_CALL: Final = 1_000


ALL_READ: Final = MarkInbox(state="read", all=True)
COMMON_READ: Final = MarkInbox(state="read", all=True, category=COMMON)


def read(*ids: str) -> MarkInbox:
    """The mark that makes these read."""
    return MarkInbox(state="read", ids=ids)


async def mark(store: Store, tenant: str, user: str, mark: MarkInbox, changes: int) -> None:
    """Mark, and raise Unexpected unless it changed the expected number."""
    marked = await store.marks.mark(tenant, user, mark)
    if marked.changed != changes:
        raise Unexpected(f"a mark of {user} changed {marked.changed:,} instead of {changes:,}")


async def one_by_one(store: Store, running: Server, name: str, user: str, ids: Sequence[str]) -> Measurement:
    """Mark these one at a time."""
    calls = [partial(mark, store, running.tenant, user, read(identity), 1) for identity in ids]
    return await timed(name, running, calls)


async def everything(
    store: Store, running: Server, name: str, users: Sequence[tuple[str, str]], every: MarkInbox, items: int
) -> Measurement:
    """Mark the whole inbox of each user (tenant, name), who has no marks yet.

    The time of a mark does not include counting its receipts afterwards: `us_receipts` is the CPU time that
    this takes in Valkey and the dispatcher.
    """
    calls = [partial(mark, store, tenant, user, every, items) for tenant, user in users]
    parts = [running.processes[part] for part in ("valkey", "dispatcher")]
    before = sum(map(main_thread_seconds, parts))
    taken = await timed(name, running, calls, prepare=partial(dispatched, store))
    await dispatched(store)
    after = (sum(map(main_thread_seconds, parts)) - before) / len(calls) * 1e6
    receipts = after - taken.details["us_valkey"]
    return msgspec.structs.replace(taken, details=taken.details | {"items": items, "us_receipts": receipts})


async def every_second(store: Store, tenant: str, user: str, ids: Sequence[str]) -> int:
    """Mark every second of these as read; returns their number."""
    chosen = ids[::2]
    for start in range(0, len(chosen), _IDS_PER_CALL):
        some = chosen[start : start + _IDS_PER_CALL]
        await mark(store, tenant, user, read(*some), len(some))
    return len(chosen)
