"""Subscribers of a topic while the gateway is killed."""

import asyncio

from tests.support.sending import eventually
from tests.support.stack import Stack
from tests.support.traffic import stubborn_client
from tidings import AsyncTidings, Delivery, Gap, TopicStream

TOPICS = ["load/a", "load/b"]
SUBSCRIBERS = 6
SENDS = 400


async def test_subscribers_get_each_once_and_in_order(stack: Stack) -> None:
    """During kills of gateway and store each subscriber gets every send to its topic once and in order."""
    seen: list[dict[str, list[int]]] = [{topic: [] for topic in TOPICS} for _ in range(SUBSCRIBERS)]
    gaps: list[Gap] = []
    acknowledged: list[tuple[str, ...]] = []
    async with stubborn_client(stack) as client, asyncio.TaskGroup() as reading:
        ready = asyncio.Semaphore(0)
        tasks = [
            reading.create_task(follow(client, f"s{number}", seen[number], gaps, ready))
            for number in range(SUBSCRIBERS)
        ]
        for _ in range(SUBSCRIBERS):
            await ready.acquire()
        async with asyncio.TaskGroup() as group:
            group.create_task(send(client, acknowledged))
            group.create_task(kill(stack, acknowledged))
        due = {topic: [n for n, topics in enumerate(acknowledged) if topic in topics] for topic in TOPICS}

        async def behind() -> int:
            return sum(len(mine[topic]) < len(due[topic]) for mine in seen for topic in TOPICS)

        await eventually(behind, 0)
        # A second copy would arrive with the next one at the latest.
        last = (await client.send(to_topics=TOPICS, title="end", data={"n": -1})).id

        async def without_the_last() -> int:
            return sum(mine[topic][-1] != -1 for mine in seen for topic in TOPICS)

        await eventually(without_the_last, 0)
        assert (await client.get(last)).status == "stored"
        for task in tasks:
            task.cancel()
    assert not gaps
    for mine in seen:
        for topic in TOPICS:
            assert mine[topic] == [*due[topic], -1]


async def follow(
    client: AsyncTidings, user: str, seen: dict[str, list[int]], gaps: list[Gap], ready: asyncio.Semaphore
) -> None:
    """Note what each topic gives, until cancelled."""
    async with client.listen(user=user, topics="load/*") as inbox, asyncio.TaskGroup() as group:
        streams = [inbox.subscribe(topic) for topic in TOPICS]
        for stream in streams:
            await stream.__aenter__()
        ready.release()
        for stream in streams:
            group.create_task(note(stream, seen[stream.topic], gaps))


async def note(stream: TopicStream, seen: list[int], gaps: list[Gap]) -> None:
    async for event in stream.events():
        if isinstance(event, Delivery):
            seen.append((event.notification.data or {})["n"])
        elif isinstance(event, Gap):
            gaps.append(event)


async def send(client: AsyncTidings, acknowledged: list[tuple[str, ...]]) -> None:
    """Send one after another, some of them to both topics."""
    for number in range(SENDS):
        topics = tuple(TOPICS) if number % 5 == 0 else (TOPICS[number % 2],)
        await client.send(to_topics=topics, data={"n": number}, idempotency_key=f"topic-load-{number}")
        acknowledged.append(topics)


async def kill(stack: Stack, acknowledged: list[tuple[str, ...]]) -> None:
    """Kill the gateway twice, and the store once, while sends go on."""
    for part, reached in (("gateway", SENDS // 4), ("valkey", SENDS // 2), ("gateway", 3 * SENDS // 4)):

        async def enough(wanted: int = reached) -> bool:
            return len(acknowledged) >= wanted

        await eventually(enough, expected=True)
        stack.kill(part)  # type: ignore[arg-type]
