"""The inbox: several logs as one list, newest first, stable while new items arrive."""

import asyncio
import random
from typing import Any

import msgspec

from tests.support.sending import eventually, every_item, notification, titles
from tidings.protocol.rest import MarkInbox
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import InboxItem, InboxPage, InboxQuery, Store

ITEMS = 500
GROUPS = 40
Place = tuple[str, int]


def places(page: InboxPage) -> list[Place]:
    """Log and position of each item."""
    return [(item.log, item.position) for item in page.items]


def accepted_at(item: InboxItem) -> str:
    created: str = msgspec.json.decode(item.content)["created_at"]
    return created


async def fill(store: Store, seed: int, items: int) -> dict[str, str]:
    """Send `items` that ana must see and some that she must not, over five logs; id -> title."""
    chance = random.Random(seed)
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    await store.groups.change("demo", "club", ["ana"], [])
    await store.groups.change("demo", "left", ["ana"], [])
    visible: dict[str, str] = {}
    for number in range(items):
        if number == items // 2:
            await store.groups.change("demo", "left", ["bob"], ["ana"])
        targets: list[dict[str, Any]] = [
            {"users": ["ana"]},
            {"to_all": True},
            {"groups": ["team"]},
            {"groups": ["club"]},
        ]
        if number < items // 2:
            targets.append({"groups": ["left"]})
        title, category = f"t{number}", chance.choice(("orders", "news", None))
        accepted = await store.sends.send(
            "demo", [notification(title, **chance.choice(targets), category=category)]
        )
        visible[accepted.ids[0]] = title
        if number % 25 == 0:
            # Not for ana: excluded, of a group without her, of another user.
            unseen = [
                notification("x", to_all=True, exclude=["ana"]),
                notification("x", groups=["team"], exclude=["ana"]),
                notification("x", groups=["left"] if number > items // 2 else ["other"]),
                notification("x", users=["bob"]),
            ]
            await store.sends.send("demo", unseen)
    return visible


async def total(store: Store, user: str = "ana") -> int:
    return (await store.inbox.counts("demo", user)).unseen


async def test_pages_both_ways(store: Store, dispatcher: Dispatcher) -> None:
    """Every item is on one page, newest first, and pages back are the same, while more items arrive."""
    visible = await fill(store, 1, ITEMS)
    await eventually(lambda: total(store), len(visible))
    pages = [await store.inbox.page("demo", "ana", InboxQuery(limit=37))]
    latest: list[str] = []
    while (cursor := pages[-1].next) is not None:
        latest.append(f"new{len(pages)}")
        await store.sends.send("demo", [notification(latest[-1], users=["ana"])])
        pages.append(await store.inbox.page("demo", "ana", InboxQuery(limit=37), cursor))
    assert pages[0].previous is None
    items = [item for page in pages for item in page.items]
    assert {msgspec.json.decode(item.content)["id"] for item in items} == visible.keys()
    assert len(items) == len(visible)
    times = [accepted_at(item) for item in items]
    assert times == sorted(times, reverse=True)
    assert {item.log for item in items} == {"user", "all", "group:team", "group:club", "group:left"}

    back = pages[-1]
    for page in pages[-2::-1]:
        assert back.previous is not None
        back = await store.inbox.page("demo", "ana", InboxQuery(limit=37), back.previous)
        assert places(back) == places(page)
        assert back.next is not None
    assert back.previous is not None, "more has arrived on top since"
    newest = await store.inbox.page("demo", "ana", InboxQuery(limit=37), back.previous)
    assert [msgspec.json.decode(item.content)["title"] for item in newest.items] == latest[::-1]
    assert newest.previous is None


async def test_pages_over_many_logs(store: Store, dispatcher: Dispatcher) -> None:
    """Small pages over many logs are the parts of one large page, with any filter and in both directions."""
    chance = random.Random(3)
    groups = [f"group-{number}" for number in range(GROUPS)]
    for group in groups:
        await store.groups.change("demo", group, ["ana"], [])
    times = []
    for number in range(12):
        # Those of one call were accepted in the same millisecond.
        some = [chance.choice(groups) for _ in range(chance.choice((1, 2, 30)))]
        category = chance.choice(("orders", "news.local", None))
        sends = [notification(f"t{number}", groups=[group], category=category) for group in some]
        times.append((await store.sends.send("demo", sends)).accepted_at)
        await asyncio.sleep(0.002)
    visible = [f"group:{group}" for group in groups]
    await eventually(lambda: _named(store, "ana"), {"user", "all", *visible})
    read = MarkInbox(state="read", up_to=dict.fromkeys(visible[::2], 1))
    await store.marks.mark("demo", "ana", read)
    for query in (
        InboxQuery(limit=200),
        InboxQuery(limit=200, category="orders"),
        InboxQuery(limit=200, category="news."),
        InboxQuery(limit=200, state="read"),
        InboxQuery(limit=200, state="unread"),
        InboxQuery(limit=200, before=times[6]),
        InboxQuery(limit=200, after=times[4], before=times[9]),
    ):
        whole = places(await store.inbox.page("demo", "ana", query))
        assert whole
        small = msgspec.structs.replace(query, limit=3)
        page = await store.inbox.page("demo", "ana", small)
        pages = [page]
        while page.next is not None:
            page = await store.inbox.page("demo", "ana", small, page.next)
            pages.append(page)
        assert [place for page in pages for place in places(page)] == whole
        for earlier in pages[-2::-1]:
            page = await store.inbox.page("demo", "ana", small, page.previous)
            assert places(page) == places(earlier)


async def _named(store: Store, user: str) -> set[str]:
    return set((await store.inbox.page("demo", user, InboxQuery(limit=1))).positions)


async def test_late_copies_are_not_skipped(store: Store) -> None:
    """A copy that was accepted early and stored late is listed at its place, in both directions."""
    early = await store.sends.send("demo", [notification("early", users=["ana", "bob"])])
    await store.sends.send(
        "demo", [notification("later", users=["ana"]), notification("last", users=["ana"])]
    )
    running = Dispatcher(store)
    await running.beat()
    await eventually(lambda: total(store), 3)
    await running.close()
    assert early.ids
    first = await store.inbox.page("demo", "ana", InboxQuery(limit=1))
    second = await store.inbox.page("demo", "ana", InboxQuery(limit=1), first.next)
    third = await store.inbox.page("demo", "ana", InboxQuery(limit=1), second.next)
    assert places(first) + places(second) + places(third) == [("user", 3), ("user", 2), ("user", 1)]
    assert places(await store.inbox.page("demo", "ana", InboxQuery(limit=1), third.previous)) == places(
        second
    )
    assert places(await store.inbox.page("demo", "ana", InboxQuery(limit=1), second.previous)) == places(
        first
    )
    assert places(await store.inbox.page("demo", "ana", InboxQuery(limit=5), third.previous)) == [
        ("user", 3),
        ("user", 2),
    ]


async def test_group_joined_between_pages(store: Store, dispatcher: Dispatcher) -> None:
    """Items of a group joined between two pages are found at the top, not in the middle."""
    await store.sends.send("demo", [notification(str(number), users=["ana"]) for number in range(6)])
    first = await store.inbox.page("demo", "ana", InboxQuery(limit=2))
    second = await store.inbox.page("demo", "ana", InboxQuery(limit=2), first.next)
    await store.groups.change("demo", "team", ["ana"], [])
    await store.sends.send("demo", [notification("joined", groups=["team"])])
    await eventually(lambda: total(store), 7)
    assert places(await store.inbox.page("demo", "ana", InboxQuery(limit=2), second.next)) == [
        ("user", 2),
        ("user", 1),
    ]
    assert places(await store.inbox.page("demo", "ana", InboxQuery(limit=9), second.previous)) == [
        ("group:team", 1),
        ("user", 6),
        ("user", 5),
    ]


async def test_category(store: Store, dispatcher: Dispatcher) -> None:
    """Pages of a category have all of its items and no others, at any page size."""
    visible = await fill(store, 2, 150)
    await eventually(lambda: total(store), len(visible))
    everything = await every_item(store, "ana")
    for category in ("orders", "news", "unknown"):
        expected = [
            (item.log, item.position)
            for item, _ in everything
            if msgspec.json.decode(item.content).get("category") == category
        ]
        for limit in (3, 200):
            found = await every_item(store, "ana", limit=limit, category=category)
            assert [(item.log, item.position) for item, _ in found] == expected


async def test_totals_equal_listings(store: Store, dispatcher: Dispatcher) -> None:
    """Counts equal full lists, with excludes, recalls and expiry."""
    chance = random.Random(3)
    await store.groups.change("demo", "team", ["ana", "bob", "carl"], [])
    ids = []
    for number in range(200):
        target: dict[str, Any] = chance.choice(
            ({"users": ["ana"]}, {"to_all": True}, {"groups": ["team"]}, {"users": ["ana", "bob"]})
        )
        exclude = chance.choice(([], [], ["ana"], ["bob", "carl"]))
        seconds = chance.choice((0, 0, 1, 3_600))
        data, expires = {"seconds": seconds}, seconds or None
        sent = notification(str(number), **target, exclude=exclude, data=data, expires_in=expires)
        ids += (await store.sends.send("demo", [sent])).ids
    for identity in chance.sample(ids, 60):
        assert await store.sends.recall("demo", identity)

    users = ("ana", "bob", "carl", "dora")

    async def differences() -> list[int]:
        return [await total(store, user) - len(await every_item(store, user)) for user in users]

    async def lifetimes() -> set[int]:
        shown = [msgspec.json.decode(item.content) for item, _ in await every_item(store, "ana")]
        return {content["data"]["seconds"] for content in shown}

    await eventually(differences, [0, 0, 0, 0])
    await eventually(lifetimes, {0, 3_600})
    assert await differences() == [0, 0, 0, 0]


async def test_positions_are_where_to_resume(store: Store, dispatcher: Dispatcher) -> None:
    """The positions of a page are the ends of the user's logs, those of former groups included."""
    await store.groups.change("demo", "team", ["ana"], [])
    await store.sends.send("demo", [notification("1", groups=["team"]), notification("2", users=["ana"])])
    await store.groups.change("demo", "team", ["bob"], ["ana"])
    await store.sends.send("demo", [notification("3", groups=["team"])])
    await eventually(lambda: titles(store, "bob"), ["3"])

    async def positions() -> dict[str, int]:
        return (await store.inbox.page("demo", "ana", InboxQuery(limit=1))).positions

    await eventually(positions, {"user": 1, "all": 0, "group:team": 1})


async def test_many_expire_at_once(store: Store) -> None:
    """Counts and their version are exact when a thousand notifications expire at once."""
    await store.sends.send("demo", [notification(str(n), users=["ana"], expires_in=1) for n in range(1_000)])
    await store.sends.send("demo", [notification("lasting", users=["ana"])])
    await eventually(lambda: _unread(store, "ana"), 1)
    # One per entry and one per expiry, some of which may be before the first look.
    assert (await store.inbox.counts("demo", "ana")).version == 1_001 + 1_000


async def _unread(store: Store, user: str) -> int:
    return (await store.inbox.counts("demo", user)).unread
