"""Server-sent events for a user in a thousand groups, whose positions do not fit into a cursor by name."""

import asyncio

from tests.support.events import EventClient
from tests.support.realtime import Realtime
from tests.support.sending import eventually, notification
from tidings_workers.store import Store

GROUPS = [f"a-team-with-a-long-name-{number}" for number in range(1_000)]


async def send(store: Store, title: str, groups: list[str]) -> None:
    """Send one notification to each of these groups."""
    await store.sends.send("demo", [notification(title, groups=[group]) for group in groups])


async def arrivals(client: EventClient, count: int) -> list[tuple[str, str]]:
    """The log and the title of the next notifications."""
    found: list[tuple[str, str]] = []
    while len(found) < count:
        event = await client.next()
        if event.type == "notification":
            found.append((event.frame["log"], event.frame["notification"]["title"]))
    return found


async def test_a_user_in_a_thousand_groups(store: Store, realtime: Realtime, working: None) -> None:
    """After a reconnect nothing is missing and nothing comes twice, whatever groups have moved."""
    token = realtime.token("ana")
    for start in range(0, len(GROUPS), 100):
        await asyncio.gather(
            *(store.groups.change("demo", group, ["ana"], []) for group in GROUPS[start : start + 100])
        )
    await send(store, "old", GROUPS)

    async def groups() -> int:
        return len((await store.groups.of_user("demo", "ana", 1_001, None)).items)

    await eventually(groups, expected=len(GROUPS))
    async with EventClient.to(realtime.port, token) as ana:
        welcome = await ana.expect("welcome")
        assert sum(position > 0 for position in welcome["positions"].values()) == len(GROUPS)
        await send(store, "first", GROUPS[:90])
        expected = {(f"group:{group}", "first") for group in GROUPS[:90]}
        before = await arrivals(ana, 40)
        middle = ana.last_id
        before += await arrivals(ana, 50)
        assert set(before) == expected
        assert len(before) == len(expected)
        end = ana.last_id
    assert max(len(middle), len(end)) < 8_000
    await send(store, "second", GROUPS[60:160])
    later = {(f"group:{group}", "second") for group in GROUPS[60:160]}
    for last_id, missed in ((middle, set(before[40:]) | later), (end, later)):
        async with EventClient.to(realtime.port, token, last_id=last_id) as again:
            assert (await again.expect("welcome"))["resume"] == "complete"
            frames = (await again.until("caught_up"))[:-1]
            found = [(frame["log"], frame["notification"]["title"]) for frame in frames]
            assert set(found) == missed
            assert len(found) == len(missed)
