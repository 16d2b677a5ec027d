"""Entries that retention removes leave the counts of open clients at once; later clients get gaps."""

from tests.support.dispatching import waiting
from tests.support.realtime import Frame, Realtime, delivered
from tests.support.sending import eventually, notification
from tidings.protocol.names import log_of_group
from tidings_workers.registry import Registry, RegistryView
from tidings_workers.store import Store
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.preparing import Preparing

DAY = 86_400_000
TEAM = log_of_group("team")


async def send(store: Store, *categories: str | None, days_ago: float = 0, **target: object) -> None:
    """A notification per category, to `ana` without a target."""
    sent = [
        notification("x", **(target or {"users": ["ana"]}), category=category)  # type: ignore[arg-type]
        for category in categories
    ]
    at = milliseconds() - int(days_ago * DAY)
    await Preparing(store._core).accept("demo", sent, at, [None] * len(sent))


async def keep(store: Store, registry: Registry, **rules: int) -> None:
    """Let `demo` keep these categories for so many days."""
    await registry.update_tenant("demo", category_retention=rules)
    view = RegistryView(store.redis)
    await view.load()
    store.follow_policies(view.tenant)


async def sweep(store: Store, *, days: float = 0) -> None:
    """Sweep every partition as if so many days had passed."""
    now = milliseconds() + int(days * DAY)
    for partition in range(store.partitions):
        while bases := await store.retention.due(partition, now=now):
            await store.retention.sweep(partition, bases, now=now)


def gaps(frames: list[Frame]) -> list[Frame]:
    return [frame for frame in frames if frame["type"] == "gap"]


async def resume(store: Store, realtime: Realtime, **positions: int) -> list[Frame]:
    """All frames up to `caught_up` that ana gets when she resumes from these positions."""
    named = {TEAM if name == "team" else name: position for name, position in positions.items()}
    async with realtime.user("ana", resume={"epoch": store.epoch, "positions": named}) as ana:
        await ana.until("caught_up")
        return ana.frames


async def test_gaps_name_removed_positions(
    store: Store, registry: Registry, realtime: Realtime, working: None
) -> None:
    """A client that resumes gets one exact gap per log with removed entries, before the other entries."""
    await keep(store, registry, chat=7)
    await store.groups.change("demo", "team", ["bob"], [])
    await send(store, "chat", "chat", groups=["team"], days_ago=8)
    await store.groups.change("demo", "team", ["ana"], [])
    await send(store, "chat", groups=["team"], exclude=["ana"], days_ago=8)
    await send(store, "chat", None, "chat", groups=["team"], days_ago=8)
    await send(store, "chat", None, "chat", days_ago=8)
    await send(store, None, "chat", to_all=True)
    await eventually(lambda: waiting(store), 0)
    await sweep(store)
    frames = await resume(store, realtime, user=0, all=0, team=2)
    assert frames[0]["resume"] == "gap"
    assert sorted(gaps(frames), key=lambda gap: gap["log"]) == [
        {"type": "gap", "log": TEAM, "from": 4, "to": 6, "missed": 2, "reason": "expired"},
        {"type": "gap", "log": "user", "from": 1, "to": 3, "missed": 2, "reason": "expired"},
    ]
    assert sorted(delivered(frames)) == [("all", 1), ("all", 2), (TEAM, 5), ("user", 2)]
    assert gaps(await resume(store, realtime, user=3, team=6)) == []
    (gap,) = gaps(await resume(store, realtime, user=1, team=6))
    assert (gap["from"], gap["to"], gap["missed"]) == (3, 3, 1)


async def test_while_connected(store: Store, registry: Registry, realtime: Realtime) -> None:
    """Open clients get counts without the entries that retention removed, and later clients get gaps."""
    await keep(store, registry, chat=7)
    await send(store, None, "chat", "chat")
    async with realtime.user("ana") as ana:
        assert ana.frames[0]["counts"]["unseen"] == 3
        await sweep(store, days=8)
        (*_, state) = await ana.until("state")
        assert (state["changes"], state["counts"]["unseen"]) == ([], 1)
        assert state["counts"]["version"] > ana.frames[0]["counts"]["version"]
        (gap,) = gaps(await resume(store, realtime, user=0))
        assert (gap["from"], gap["to"], gap["missed"]) == (2, 3, 2)
        await sweep(store, days=91)
        (*_, state) = await ana.until("state")
        assert state["counts"]["unseen"] == 0
        (gap,) = gaps(await resume(store, realtime, user=0))
        assert (gap["from"], gap["to"], gap["missed"]) == (1, 3, 3)
