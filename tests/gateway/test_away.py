"""A device that reconnects after a thousand notifications gets exactly those that it missed."""

import random
from collections import Counter, defaultdict
from datetime import datetime
from functools import partial
from typing import Any

from tests.support.realtime import Client, Realtime
from tests.support.sending import eventually, every_item, notification
from tidings.protocol.rest import MarkInbox
from tidings_workers.store import Store

TARGETS: tuple[dict[str, Any], ...] = (
    {"users": ["ana"]},
    {"groups": ["team"]},
    {"to_all": True},
    {"users": ["ana", "bob"]},
    {"groups": ["team"], "exclude": ["ana"]},
    {"users": ["bob"]},
)
CATEGORIES = ("orders.new", "orders.paid", "chat", None)


async def replay(client: Client) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """The replayed ids per log, and the `caught_up` after them; positions rise in each log."""
    ids: dict[str, list[str]] = defaultdict(list)
    last: dict[str, int] = {}
    for frame in (frames := await client.until("caught_up"))[:-1]:
        assert (frame["type"], frame["replayed"]) == ("notification", True)
        assert frame["position"] > last.get(frame["log"], 0)
        last[frame["log"]] = frame["position"]
        ids[frame["log"]].append(frame["notification"]["id"])
    return ids, frames[-1]


async def receipts(store: Store, identity: str) -> tuple[int, int, int]:
    """Delivered, seen, read."""
    found = await store.sends.notification("demo", identity)
    assert found is not None
    return found.delivered, found.seen, found.read


async def test_a_thousand_away(store: Store, realtime: Realtime, working: None) -> None:
    """After a thousand sends, some of them recalled or expired, a device gets exactly the others, once."""
    chance = random.Random(4711)
    await store.groups.change("demo", "team", ["ana", "bob", "eve"], [])
    async with realtime.user("ana", device="phone") as ana:
        await store.sends.send("demo", [notification("seen before", users=["ana"])])
        await ana.until("notification")
        await ana.send("ack", positions={"user": 1})
        await ana.settle()

    # Recalled notifications expire later than the recall, however busy the machine is.
    to_recall = {n for n in range(1_000) if chance.random() < 0.1}
    requests = [
        (
            target := chance.choice(TARGETS),
            notification(
                str(n),
                category=chance.choice(CATEGORIES),
                expires_in=(3_600 if n in to_recall else 1) if chance.random() < 0.1 else None,
                **target,
            ),
        )
        for n in range(1_000)
    ]
    ids: list[str] = []
    for start in range(0, 1_000, 100):
        part = [request for _, request in requests[start : start + 100]]
        ids += (await store.sends.send("demo", part)).ids
    sent = dict(zip(ids, requests, strict=True))
    recalled = {identity for n, identity in enumerate(ids) if n in to_recall}
    for identity in recalled:
        await store.sends.recall("demo", identity)
    expired = {identity for identity, (_, request) in sent.items() if request.expires_in} - recalled
    mine = [identity for identity, (target, _) in sent.items() if target not in TARGETS[4:]]
    expected = [identity for identity in mine if identity not in recalled | expired]
    await eventually(lambda: _unread(store), len(expected) + 1)

    async with realtime.user("ana", device="phone") as ana:
        welcome = ana.frames[0]
        assert (welcome["resume"], welcome["counts"]["unread"]) == ("complete", len(expected) + 1)
        replayed, caught_up = await replay(ana)
        for log, kinds in (("user", (0, 3)), ("group:team", (1,)), ("all", (2,))):
            # Copies of compound sends may be stored in another order than they were accepted.
            wanted = {i for i in expected if sent[i][0] in [TARGETS[kind] for kind in kinds]}
            assert (set(replayed[log]), len(replayed[log])) == (wanted, len(wanted))
        categories = Counter(sent[i][1].category or "" for i in expired.intersection(mine))
        summary = caught_up["expired"]
        assert (summary["count"], summary["categories"]) == (sum(categories.values()), dict(categories))
        assert datetime.fromisoformat(summary["oldest"]) <= datetime.fromisoformat(summary["newest"])
        await ana.send("ack", positions=caught_up["positions"])
        read = [i for i in expected if (sent[i][1].category or "").startswith("orders.")]
        await store.marks.mark("demo", "ana", MarkInbox(state="read", all=True, category="orders."))
        assert (await ana.until("state"))[-1]["counts"]["unread"] == len(expected) + 1 - len(read)

    listed = [
        item.content[7:43].decode() for item, title in await every_item(store, "ana") if title.isdecimal()
    ]
    assert (sorted(listed), len(listed)) == (sorted(expected), len(expected))
    for identity in chance.sample(expected, 100):
        await eventually(partial(receipts, store, identity), (1, *[int(identity in read)] * 2))
    for identity in chance.sample(sorted(recalled | expired), 50):
        assert await receipts(store, identity) == (0, 0, 0)


async def _unread(store: Store) -> int:
    return (await store.inbox.counts("demo", "ana")).unread
