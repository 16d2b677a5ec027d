"""The states of users in shared logs, erasure, and what the archive no longer waits for."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
import pytest

from tests.archiver.history import DAY, History, pages, titles
from tests.archiver.sends import send
from tests.support.sending import eventually
from tidings.protocol.rest import MarkInbox
from tidings_workers.archive import Archive, ArchiveUnavailable, StateSegment
from tidings_workers.archiver.upkeep import rules_of
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.dispatcher.sweeper import Backlog
from tidings_workers.store import InboxItem, InboxQuery, Store, retention
from tidings_workers.store.core import Core
from tidings_workers.store.freezing import freeze_states
from tidings_workers.store.ids import milliseconds, milliseconds_of_id
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.keys import Log
from tidings_workers.tenants import Tenant


def as_live(items: Sequence[InboxItem]) -> list[InboxItem]:
    return [msgspec.structs.replace(item, in_archive=False) for item in items]


async def test_states_in_shared_logs(store: Store, history: History, dispatcher: Dispatcher) -> None:
    """Marks in shared logs stay exact after Redis has forgotten them, for each user alone."""
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    ids = await send(store, 6, groups=["team"]) + await send(store, 4, to_all=True)
    await eventually(lambda: store.inbox.counts("demo", "bob"), await store.inbox.counts("demo", "ana"))
    for state, some in (("seen", ids[:2]), ("read", ids[2:4]), ("archived", [ids[5], ids[9]])):
        await store.marks.mark("demo", "ana", MarkInbox(state=state, ids=tuple(some)))  # type: ignore[arg-type]
    await store.marks.mark("demo", "bob", MarkInbox(state="read", all=True))
    filters = ("unseen", "seen", "unread", "read", "archived", None)
    before = {
        (user, state): await pages(store, user, state=state) for user in ("ana", "bob") for state in filters
    }
    assert len(before["ana", "archived"]) == 2
    assert await history.move(8) == 10

    async def unchanged() -> None:
        for (user, state), items in before.items():
            assert as_live(await pages(store, user, state=state)) == items

    await unchanged()
    for user in ("ana", "bob"):
        log = store.keys.user("demo", user)
        await freeze_states(store._core, history.archive, log)
        await freeze_states(store._core, history.archive, log)
        for shared in (store.keys.group("demo", "team"), store.keys.all("demo")):
            packed = await store.redis.hget(log.key("state"), shared.base)
            assert packed is not None
            state = msgspec.json.decode(packed)
            bounds: Bounds = state.get("seen", [])
            assert len(bounds) <= 2
    await unchanged()
    later = await send(store, 2, groups=["team"])
    await store.marks.mark("demo", "ana", MarkInbox(state="archived", ids=(later[0],)))
    assert await history.move(16) == 2
    await freeze_states(store._core, history.archive, store.keys.user("demo", "ana"))
    assert len(await pages(store, "ana", state="archived")) == 3
    assert len(await pages(store, "ana")) == 9


async def test_an_erased_user_has_no_history(store: Store, history: History, dispatcher: Dispatcher) -> None:
    """An erasure reaches the archive before its answer, and others keep what they have."""
    await send(store, 3, users=["ana"])
    await send(store, 2, users=["ana", "bob"])
    assert await history.move(8) == 7
    assert (await store.erasure.erase("demo", "ana")).complete
    assert await pages(store, "ana") == []
    assert titles(await pages(store, "bob")) == ["1", "0"]
    await send(store, 1, users=["ana"])
    assert [item.position for item in await pages(store, "ana")] == [6]


async def test_an_erasure_without_the_archive_says_so(
    store: Store, history: History, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the archive is away an erasure is not complete; repeated, it is."""
    await send(store, 2, users=["ana"])
    assert await history.move(8) == 2

    async def away(*_: object, **__: object) -> None:
        raise ArchiveUnavailable("the archive does not answer: start it")

    with monkeypatch.context() as patch:
        patch.setattr(history.archive, "erase_user", away)
        assert not (await store.erasure.erase("demo", "ana")).complete
    assert (await store.erasure.erase("demo", "ana")).complete
    assert await pages(store, "ana") == []


async def test_a_gap_names_the_history(store: Store, history: History) -> None:
    """Positions that the retention removed are in the archive, so a gap says that the lists have them."""
    await send(store, 5, users=["ana"])
    log = store.keys.user("demo", "ana")
    assert await history.move(8) == 5
    lost = await store.retention.lost(log, [0, 5])
    assert lost is not None
    assert (lost.missed, lost.in_archive) == (5, True)


async def test_too_much_waits_for_the_archive(store: Store, history: History) -> None:
    """Beyond the limit of bytes, the oldest are removed without a copy, and a gap does not promise them."""
    await send(store, 300, users=["ana"])
    await history.sweep(8)
    waiting = await store.archiving.backlog()
    assert 300 * 200 < waiting < 300 * 600
    backlog = Backlog(store, waiting - 1)
    await backlog.count()
    before = backlog.is_full
    log, now = store.keys.user("demo", "ana"), milliseconds() + 8 * DAY
    for _ in range(4):
        await store.retention.sweep(log.partition, [log.base], now=now, uncopied=True)
    await backlog.count()
    assert (before, backlog.is_full) == (True, False)
    assert await history.live() == 0
    lost = await store.retention.lost(log, [0, 300])
    assert lost is not None
    assert (lost.missed, lost.in_archive) == (300, False)


async def test_a_tenant_without_history(store: Store, history: History) -> None:
    """A tenant that wants no archive loses its old notifications as without one."""
    plain = Tenant(id="demo", created_at=datetime.now(UTC), retention_days=7, archive=False)
    store.follow_policies({"demo": plain}.get)
    await send(store, 3, users=["ana"])
    assert await history.move(8) == 0
    assert await history.live() == 0
    assert await pages(store, "ana") == []


async def test_the_retention_of_the_archive(store: Store, history: History) -> None:
    """The archive keeps a category for its own time, and the rest as long as the tenant says."""
    tenant = Tenant(
        id="demo",
        created_at=datetime.now(UTC),
        retention_days=7,
        archive_retention=90,
        category_archive_retention={"audit.": None, "chat": 30},
    )
    store.follow_policies({"demo": tenant}.get)
    for category in ("audit.login", "chat", "news"):
        await send(store, 2, users=["ana"], category=category)
    assert await history.move(8) == 6
    rules, kept = rules_of(tenant), []
    for days in (29, 31, 91, 4_000):
        cursor: str | None = ""
        while cursor is not None:
            cursor = await history.archive.retire("demo", rules, milliseconds() + days * DAY, cursor)
        kept.append(len((await store.inbox.page("demo", "ana", InboxQuery(limit=10))).items))
    assert kept == [6, 4, 2, 2]


async def test_a_history_that_is_turned_off(store: Store, history: History) -> None:
    """Entries that wait for the archive of a tenant, which then wants none, are removed and not moved."""
    await send(store, 3, users=["ana"])
    await history.sweep(8)
    store.follow_policies(lambda _: None)
    assert await history.move(8) == 0
    plain = Tenant(id="demo", created_at=datetime.now(UTC), retention_days=7, archive=False)
    store.follow_policies({"demo": plain}.get)
    await history.sweep(8)
    assert await history.live() == 0
    assert await history.archive.tenants() == []


async def test_a_tenant_without_history_keeps_its_states_out_of_the_archive(
    store: Store, history: History, dispatcher: Dispatcher
) -> None:
    """The states of users do not enter the archive when their tenant wants none, and hidden entries leave."""
    plain = Tenant(id="demo", created_at=datetime.now(UTC), retention_days=7, archive=False)
    store.follow_policies({"demo": plain}.get)
    await store.groups.change("demo", "team", ["ana"], [])
    ids = await send(store, 2, groups=["team"])
    await store.marks.mark("demo", "ana", MarkInbox(state="read", ids=tuple(ids)))
    await history.sweep(8)
    await store.retention._tidy(store.keys.user("demo", "ana"))
    assert [segment async for segment in history.archive.segments("demo")] == []


async def test_a_batch_between_saving_and_forgetting(
    store: Store, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries that move while a user's states are saved keep their state and times."""
    await store.groups.change("demo", "team", ["ana"], [])
    first = await send(store, 2, groups=["team"])
    await asyncio.sleep(0.3)
    ids = [*first, *await send(store, 2, groups=["team"])]
    await store.marks.mark("demo", "ana", MarkInbox(state="read", ids=tuple(ids)))
    before = await pages(store, "ana")
    between = (milliseconds_of_id(first[-1]) + 7 * DAY + 100 - milliseconds()) / DAY
    assert await history.move(between) == 2

    async def freeze(core: Core, archive: Archive, user: Log) -> Mapping[str, int]:
        floors = await freeze_states(core, archive, user)
        assert await history.move(8) == 2
        return floors

    monkeypatch.setattr(retention, "freeze_states", freeze)
    log = store.keys.user("demo", "ana")
    await store.retention._tidy(log)
    assert as_live(await pages(store, "ana")) == before
    monkeypatch.undo()
    await store.retention._tidy(log)
    assert as_live(await pages(store, "ana")) == before


async def test_the_retention_of_states_alone(store: Store, history: History) -> None:
    """States leave the archive after its retention, also when no notification of the tenant is left."""
    segment = StateSegment(
        tenant="demo", user="ana", log="a/demo", after=0, up_to=2, saved_at=1_000, state=b"{}"
    )
    await history.archive.save_states([segment])
    assert await history.archive.tenants() == ["demo"]
