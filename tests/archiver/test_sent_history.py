"""Lists of sends, receipts and topics go on past the retention of Redis."""

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest

from tests.archiver.history import DAY, History, titles
from tests.archiver.sends import send
from tests.support.sending import eventually
from tidings.protocol.rest import MarkInbox
from tidings_workers.archive import ArchiveUnavailable, sql_archive
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import Store, StoredNotification, past_sends
from tidings_workers.store.archiving import SENDS_LEAD_MS
from tidings_workers.store.core import RECORD_GRACE_MS
from tidings_workers.store.ids import milliseconds, milliseconds_of_id, partition_of_id
from tidings_workers.store.keys import Record
from tidings_workers.tenants import Tenant

# Later than the retention, and than the time for which records are kept for the archiver.
LATER = 20.0


async def sent(
    store: Store, *, limit: int = 4, category: str | None = None, back: bool = True
) -> list[StoredNotification]:
    """All that `demo` has sent, page by page; the pages back from the last one have the same."""
    found: list[StoredNotification] = []
    cursor = None
    while True:
        page = await store.receipts.sent("demo", category, limit, cursor)
        assert page.complete
        found += page.items
        if page.next is None:
            break
        cursor = page.next
    returned = list(page.items)
    while back and page.previous is not None:
        page = await store.receipts.sent("demo", category, limit, page.previous)
        returned = [*page.items, *returned]
    if back:
        assert [each.id for each in returned] == [each.id for each in found]
    return found


async def test_the_list_of_sends_goes_on(store: Store, history: History, dispatcher: Dispatcher) -> None:
    """Each send is in the list once, in its order, before, while and after it moves into the archive."""
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    await send(store, 5, users=["ana"])
    await send(store, 2, users=["ana", "bob"])
    await send(store, 3, groups=["team"], category="chat")
    await send(store, 2, to_all=True)
    before = await sent(store)
    assert len(before) == 12
    assert await history.move(8) == 14
    assert [each.id for each in await sent(store)] == [each.id for each in before]
    await history.move(LATER)
    assert await history.store.redis.xlen(b"nothing") == 0
    after = await sent(store)
    assert [msgspec.structs.replace(each, in_archive=False) for each in after] == before
    await send(store, 3, users=["bob"])
    assert titles(await sent(store)) == ["2", "1", "0", *titles(before)]
    assert len(await sent(store, category="chat")) == 3


async def test_receipts_are_as_they_last_were(store: Store, history: History, dispatcher: Dispatcher) -> None:
    """Counts and receipts by user of an archived notification are those of its last moment in Redis."""
    direct, compound = (
        (await send(store, 1, users=["ana"]))[0],
        (await send(store, 1, users=["ana", "bob"]))[0],
    )
    await store.marks.mark("demo", "ana", MarkInbox(state="read", ids=(direct, compound)))
    await store.marks.mark("demo", "bob", MarkInbox(state="seen", ids=(compound,)))

    async def counts(notification: str) -> tuple[int, int, int]:
        stored = await store.sends.notification("demo", notification)
        assert stored is not None
        return stored.delivered, stored.seen, stored.read

    await eventually(lambda: counts(compound), (2, 2, 1))
    before = {each: await store.receipts.of("demo", each, 10, None) for each in (direct, compound)}
    await history.move(8)
    await history.move(LATER)
    await store.redis.flushdb()
    for each, expected in ((direct, (1, 1, 1)), (compound, (2, 2, 1))):
        assert await counts(each) == expected
        page, known = await store.receipts.of("demo", each, 10, None), before[each]
        assert page is not None
        assert known is not None
        assert page.items == known.items


async def test_the_history_of_a_topic(store: Store, history: History, dispatcher: Dispatcher) -> None:
    """The entries of a topic that its retention removed are in its list, page by page."""
    tenant = Tenant(id="demo", created_at=datetime.now(UTC), retention_days=30, topic_retention=3_600)
    store.follow_policies({"demo": tenant}.get)
    await send(store, 7, topics=["news"])
    assert await history.move(1) == 7
    await send(store, 4, topics=["news"])
    found, cursor, archived = [], None, 0
    while True:
        page = await store.topics.entries("demo", "news", 3, cursor)
        assert page.complete
        found += [entry.position for entry in page.items]
        archived += len(page.archived)
        if page.next is None:
            break
        cursor = page.next
    assert found == list(reversed(range(1, 12)))
    assert archived == 7
    back = await store.topics.entries("demo", "news", 20, page.previous)
    assert [entry.position for entry in back.items] == found[: len(back.items)]


async def test_a_send_without_an_entry(store: Store, history: History, dispatcher: Dispatcher) -> None:
    """A send that reached no user stays in the list of sends as others do, and a recalled one does not."""
    empty = await send(store, 1, groups=["nobody"])
    several = await send(store, 1, groups=["nobody", "none"])
    recalled = await send(store, 1, users=["ana"])
    assert await store.sends.recall("demo", recalled[0])
    await send(store, 1, users=["ana"])
    await history.move(8)
    await history.move(LATER)
    assert await store.redis.xlen(b"{p0}/sent/demo") == 0
    kept = [each.id for each in await sent(store)]
    assert empty[0] in kept
    assert several[0] in kept
    assert recalled[0] not in kept
    assert len(kept) == 3


async def test_the_list_of_sends_waits_for_the_archive(
    store: Store, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the archive is away no send leaves the list in Redis."""
    before = await send(store, 4, users=["ana"])

    async def away(*_: object) -> None:
        raise ArchiveUnavailable("the archive does not answer: start it")

    with monkeypatch.context() as patch:
        patch.setattr(history.archive, "append", away)
        with pytest.raises(ArchiveUnavailable):
            await history.move(LATER)
        assert {each.id for each in await sent(store)} == set(before)
    await history.move(LATER + 1)
    assert {each.id for each in await sent(store)} == set(before)


async def test_sends_leave_their_list_before_their_records_expire(store: Store, history: History) -> None:
    """An archiver that is two days late still finds the record of a send without an entry."""
    tenant = Tenant(
        id="demo", created_at=datetime.now(UTC), retention_days=30, category_retention={"short": 7}
    )
    store.follow_policies({"demo": tenant}.get)
    for category in (None, "short"):
        (sent_id,) = await send(store, 1, groups=["nobody"], category=category)
        record = Record(partition_of_id(sent_id) or 0, "demo", sent_id)
        ends = await store.redis.pexpiretime(record.root)
        old = await store.archiving.old_sends(record.partition, "s/demo", now=ends - 2 * DAY)
        assert sent_id in [each for some in old for each in some.ids]
        await history.sweep(0.1)
        assert abs(await store.redis.pexpiretime(record.root) - ends) < 1_000


async def test_an_expired_notification_to_one_user_leaves_no_copy(
    store: Store, history: History, dispatcher: Dispatcher
) -> None:
    """The archive has no notification to a user alone without an entry, by which an erasure finds it."""
    (expired,) = await send(store, 1, users=["ana"], expires_in=1)
    await asyncio.sleep(1.2)
    await history.move(8)
    await history.move(LATER)
    assert (await store.erasure.erase("demo", "ana")).complete
    await store.redis.flushdb()
    assert await store.sends.notification("demo", expired) is None


async def test_a_rare_category_ends_a_page_early(
    store: Store, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page looks at a bounded number of archived sends, and the next pages have the rest."""
    ids = await send(store, 1, users=["ana"], category="rare")
    await send(store, 12, users=["ana"], category="other")
    await history.move(8)
    await history.move(LATER)
    monkeypatch.setattr(sql_archive, "SENT_SCANNED", 2)
    monkeypatch.setattr(past_sends, "_READS", 2)
    found, cursor, empty = [], None, 0
    while True:
        page = await store.receipts.sent("demo", "rare", 4, cursor)
        found += [each.id for each in page.items]
        empty += not page.items
        if page.next is None:
            break
        cursor = page.next
    assert (found, empty) == (ids, 3)


async def test_a_send_in_both_is_on_one_page(store: Store, history: History) -> None:
    """Sends that the archive has before their list lets go of them are listed once, in both directions."""
    early = await send(store, 4, users=["ana"])
    await asyncio.sleep(1)
    late = await send(store, 4, users=["ana"])
    assert await history.move(8) == 8
    edge = milliseconds_of_id(early[-1]) + 100 + 7 * DAY + RECORD_GRACE_MS - SENDS_LEAD_MS
    await history.move((edge - milliseconds()) / DAY)
    for limit in (1, 2, 3):
        assert [each.id for each in await sent(store, limit=limit)] == [*early, *late][::-1]
