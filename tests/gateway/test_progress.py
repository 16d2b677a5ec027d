"""Each user counts once for delivered, seen and read, whatever the target and the way to mark."""

from functools import partial
from typing import Any

import pytest

from tests.support.realtime import Realtime
from tests.support.sending import eventually, notification
from tidings.protocol.rest import MarkInbox
from tidings_workers.store import NoUserReceipts, Store

pytestmark = pytest.mark.usefixtures("working")


async def send(store: Store, title: str, **target: Any) -> str:
    """Accept a notification; its id."""
    return (await store.sends.send("demo", [notification(title, **target)])).ids[0]


async def receipts(store: Store, identity: str) -> tuple[int, int, int]:
    """Delivered, seen, read."""
    found = await store.sends.notification("demo", identity)
    assert found is not None
    return found.delivered, found.seen, found.read


async def per_user(store: Store, identity: str) -> dict[str, tuple[bool, bool, bool]]:
    """Delivered, seen and read of each user, page by page."""
    found: dict[str, tuple[bool, bool, bool]] = {}
    cursor: bytes | None = None
    while True:
        page = await store.receipts.of("demo", identity, 2, cursor)
        assert page is not None
        found |= {item.user: (item.delivered, item.seen, item.read) for item in page.items}
        cursor = page.next
        if cursor is None:
            return found


async def mark(store: Store, user: str, state: Any, **which: Any) -> None:
    """Mark by REST."""
    await store.marks.mark("demo", user, MarkInbox(state=state, **which))


@pytest.mark.parametrize(
    "target", [{"users": ["ana"]}, {"groups": ["team"]}, {"to_all": True}, {"users": ["ana", "bob"]}]
)
async def test_read_implies_the_rest(store: Store, realtime: Realtime, target: Any) -> None:
    """Read implies seen and seen implies delivered; a later delivery counts no user again."""
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    identity = await send(store, "hello", **target)
    await eventually(lambda: _status(store, identity), "stored")
    await mark(store, "ana", "read", all=True)
    await eventually(partial(receipts, store, identity), (1, 1, 1))
    async with realtime.user("ana", rewind=5) as ana:
        log = (await ana.expect("notification"))["log"]
        await ana.send("ack", positions={log: 1})
        await ana.send("mark", state="unread", all=True)
        await ana.until("state")
        await ana.send("mark", state="read", all=True)
        await ana.until("state")
    later = await send(store, "later", **target)
    await eventually(lambda: _status(store, later), "stored")
    await mark(store, "ana", "seen", all=True)
    await eventually(partial(receipts, store, later), (1, 1, 0))
    assert await receipts(store, identity) == (1, 1, 1)


@pytest.mark.parametrize("device", [None, "phone"])
@pytest.mark.parametrize("target", [{"users": ["ana"]}, {"groups": ["team"]}, {"to_all": True}])
async def test_a_resume_acknowledges(
    store: Store, realtime: Realtime, target: Any, device: str | None
) -> None:
    """A resume counts as an acknowledgement, because that of a killed gateway may be lost."""
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    before = await send(store, "before", users=["ana", "bob"])
    await eventually(lambda: _status(store, before), "stored")
    options: dict[str, Any] = {"device": device} if device else {}
    async with realtime.user("ana", **options) as ana:
        sent = [await send(store, title, **target) for title in ("acknowledged", "lost", "lost too", "later")]
        frames = [frame for _ in sent for frame in (await ana.until("notification"))[-1:]]
        log, positions = frames[0]["log"], [frame["position"] for frame in frames]
        await ana.send("ack", positions={log: positions[0]})
        await eventually(partial(receipts, store, sent[0]), (1, 0, 0))
    resume = {"epoch": store.epoch, "positions": {log: positions[2]}}
    for _ in range(2):
        async with realtime.user("ana", resume=resume, **options) as ana:
            assert (await ana.until("caught_up"))[-2]["position"] == positions[3]
        for identity, delivered in zip(sent, (1, 1, 1, 0), strict=True):
            await eventually(partial(receipts, store, identity), (delivered, 0, 0))
    # The client connected behind it, and its resume tells nothing of it.
    assert await receipts(store, before) == (0, 0, 0)


async def test_a_resume_acknowledges_what_exists(store: Store, realtime: Realtime) -> None:
    """A resume with positions that no log has acknowledges what the user may see, and nothing else."""
    await store.groups.change("demo", "team", ["bob"], [])
    foreign = await send(store, "for bob", groups=["team"])
    await store.groups.change("demo", "team", ["ana"], ["bob"])
    own = await send(store, "for ana", groups=["team"])
    resume = {"epoch": store.epoch, "positions": {"group:team": 99, "group:other": 5, "all": 7}}
    async with realtime.user("ana", resume=resume) as ana:
        await ana.until("caught_up")
        await eventually(partial(receipts, store, own), (1, 0, 0))
    assert await receipts(store, foreign) == (0, 0, 0)


async def test_a_long_log(store: Store) -> None:
    """Marks over many positions of a group's log count at each of these positions, and at no other."""
    await store.groups.change("demo", "team", [f"u{n}" for n in range(10)], [])
    sent = (await store.sends.send("demo", [notification(str(n), groups=["team"]) for n in range(1_500)])).ids
    for n in range(10):
        await mark(store, f"u{n}", "read", up_to={"group:team": 150 * (n + 1)})
        await mark(store, f"u{n}", "unread", up_to={"group:team": 100})
        await mark(store, f"u{n}", "seen", ids=(sent[-1],))
    for position in (1, 100, 150, 151, 1_024, 1_025, 1_499, 1_500):
        read = sum(150 * (n + 1) >= position for n in range(10))
        seen = 10 if position == 1_500 else read
        await eventually(partial(receipts, store, sent[position - 1]), (seen, seen, read))


async def test_excluded(store: Store) -> None:
    """The marks of an excluded user do not count on the excluded notification."""
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    ids = [await send(store, "1", groups=["team"]), await send(store, "2", groups=["team"], exclude=["ana"])]
    ids.append(await send(store, "3", groups=["team"]))
    await eventually(partial(_statuses, store, ids), ["stored"] * 3)
    for user in ("ana", "bob"):
        await mark(store, user, "read", up_to={"group:team": 3})
    for identity, expected in zip(ids, (2, 1, 2), strict=True):
        await eventually(partial(receipts, store, identity), (expected, expected, expected))


async def test_marks_outside_a_membership(store: Store) -> None:
    """A member's marks count only for notifications sent during the membership."""
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    before = await send(store, "before", groups=["team"])
    await store.groups.change("demo", "team", ["eve"], [])
    during = await send(store, "during", groups=["team"])
    await store.groups.change("demo", "team", [], ["eve"])
    after = await send(store, "after", groups=["team"])
    await eventually(lambda: _unread(store, "eve"), 1)
    await mark(store, "eve", "read", all=True)
    await eventually(partial(receipts, store, during), (1, 1, 1))
    assert [await receipts(store, each) for each in (before, after)] == [(0, 0, 0)] * 2


async def test_recalled_keeps_its_receipts(store: Store, realtime: Realtime) -> None:
    """A recalled notification keeps its receipts, also when devices acknowledge later positions."""
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    targets: list[Any] = [
        {"users": ["ana"]},
        {"groups": ["team"]},
        {"to_all": True},
        {"users": ["ana", "bob"]},
    ]
    for target in targets:
        read = await send(store, "read", **target)
        unread = await send(store, "unread", **target)
        await send(store, "last", **target)
        await eventually(partial(_status, store, read), "stored")
        await mark(store, "ana", "read", ids=(read,))
        await eventually(partial(receipts, store, read), (1, 1, 1))
        for identity in (read, unread):
            await store.sends.recall("demo", identity)
            await eventually(partial(_in_inbox, store, identity), False)
        async with realtime.user("ana", rewind=1) as ana:
            frame = await ana.expect("notification")
            await ana.send("ack", positions={frame["log"]: frame["position"]})
            await eventually(partial(receipts, store, frame["notification"]["id"]), (1, 0, 0))
        await mark(store, "ana", "read", all=True)
        assert (await receipts(store, read), await receipts(store, unread)) == ((1, 1, 1), (0, 0, 0))
        if "users" in target:
            assert (await per_user(store, read))["ana"] == (True, True, True)
            assert (await per_user(store, unread))["ana"] == (False, False, False)


async def test_per_user(store: Store, realtime: Realtime) -> None:
    """Receipts per user list the users of a compound notification in order; those of groups do not exist."""
    await store.groups.change("demo", "team", ["eve", "fay"], [])
    identity = await send(store, "hello", users=["ana", "bob"], groups=["team"], exclude=["fay"])
    await eventually(lambda: _status(store, identity), "stored")
    async with realtime.user("bob", rewind=1) as bob:
        await bob.expect("notification")
        await bob.send("ack", positions={"user": 1})
        await mark(store, "ana", "read", ids=(identity,))
        await mark(store, "ana", "unread", ids=(identity,))
        await eventually(partial(receipts, store, identity), (2, 1, 1))
    assert list((await per_user(store, identity)).items()) == [
        ("ana", (True, True, True)),
        ("bob", (True, False, False)),
        ("eve", (False, False, False)),
    ]
    page = await store.receipts.of("demo", identity, 2, None)
    assert page is not None
    assert page.items[0].seen_at is not None
    assert page.items[0].read_at is None
    page = await store.receipts.of("demo", identity, 2, page.next)
    assert page is not None
    page = await store.receipts.of("demo", identity, 2, page.previous)
    assert page is not None
    assert ([item.user for item in page.items], page.previous) == (["ana", "bob"], None)
    with pytest.raises(NoUserReceipts):
        await store.receipts.of("demo", await send(store, "group", groups=["team"]), 9, None)
    assert await store.receipts.of("other", identity, 9, None) is None


async def _status(store: Store, identity: str) -> str:
    found = await store.sends.notification("demo", identity)
    assert found is not None
    return found.status


async def _unread(store: Store, user: str) -> int:
    return (await store.inbox.counts("demo", user)).unread


async def _in_inbox(store: Store, identity: str) -> bool:
    result = await store.marks.mark("demo", "ana", MarkInbox(state="unarchived", ids=(identity,)))
    return not result.unknown


async def _statuses(store: Store, identities: list[str]) -> list[str]:
    return [await _status(store, identity) for identity in identities]
