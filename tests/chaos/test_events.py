"""Events while the API and Valkey are killed: none of an acknowledged change is lost."""

import asyncio
from collections import defaultdict

import pytest

from tests.support.stack import Part, Stack
from tests.support.traffic import STUBBORN, stubborn_client
from tidings import AsyncTidings, Event
from tidings.protocol import limits

USERS = [f"user-{number}" for number in range(8)]
KILLS: list[Part] = ["api", "valkey", "api", "dispatcher"]
EACH = 12
TYPES = ["notification.stored", "notification.read"]


class Happened:
    """The events that one reader was given."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.grew = asyncio.Event()

    def of(self, kind: str) -> dict[str, list[str]]:
        """The notifications of each user with an event of this type, in the order of the first ones."""
        found: dict[str, list[str]] = defaultdict(list)
        for event in self.events:
            user, notification = event.data["user"], event.data["notification"]
            if event.type == kind and notification not in found[user]:
                found[user].append(notification)
        return found

    async def follow(self, client: AsyncTidings, consumer: str | None) -> None:
        """Read without an end, through any failure."""
        stream = client.events(types=TYPES, consumer=consumer, wait=5, batch=20, retries=STUBBORN)
        async for event in stream:
            self.events.append(event)
            self.grew.set()

    async def has_all(self, kind: str, acknowledged: dict[str, list[str]], seconds: float) -> None:
        """Wait until every one of these notifications has an event."""
        async with asyncio.timeout(seconds):
            while any(not set(ids) <= set(self.of(kind)[user]) for user, ids in acknowledged.items()):
                self.grew.clear()
                await self.grew.wait()


class Changes:
    """The notifications that users got and then read, in order, as the API acknowledged them."""

    def __init__(self) -> None:
        self.stored: dict[str, list[str]] = {user: [] for user in USERS}
        self.read: dict[str, list[str]] = {user: [] for user in USERS}
        self._made = asyncio.Semaphore(0)

    async def make(self, client: AsyncTidings, user: str) -> None:
        """Send to a user and mark as read, one after another."""
        for number in range(EACH * len(KILLS)):
            sent = await client.send(to_users=[user], title=str(number), idempotency_key=f"{user}-{number}")
            self.stored[user].append(sent.id)
            await client.inbox(user).mark_read(sent.id)
            self.read[user].append(sent.id)
            self._made.release()

    async def kill(self, stack: Stack) -> None:
        """Kill one part after another, in the middle of equal shares of the changes."""
        half = EACH * len(USERS) // 2
        for part in KILLS:
            for _ in range(half):
                await self._made.acquire()
            stack.kill(part)
            for _ in range(half):
                await self._made.acquire()


def have_one_id(happened: Happened) -> bool:
    """Whether each event has one id, however often it was given, and no two share one."""
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for event in happened.events:
        ids[event.type, event.data["notification"]].add(event.id)
    return len(set[str]().union(*ids.values())) == len(ids) == sum(map(len, ids.values()))


@pytest.mark.timeout(300)  # what a killed API handed out is handed out again after a minute
async def test_no_event_of_an_acknowledged_change_is_lost(stack: Stack) -> None:
    """Readers get each change at least once, by one id; the reader of a position gets a user's in order."""
    changes, by_position, as_consumer = Changes(), Happened(), Happened()
    async with stubborn_client(stack) as client:
        # Both readers' types are on before the first change.
        for consumer in (None, "worker"):
            stream = client.events(types=TYPES, consumer=consumer, wait=0)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(stream), 1)
        readers = [
            asyncio.ensure_future(by_position.follow(client, None)),
            asyncio.ensure_future(as_consumer.follow(client, "worker")),
        ]
        try:
            await asyncio.gather(changes.kill(stack), *(changes.make(client, user) for user in USERS))
            for kind, made in zip(TYPES, (changes.stored, changes.read), strict=True):
                await by_position.has_all(kind, made, 30)
                await as_consumer.has_all(kind, made, 30 + 2 * limits.EVENTS_HELD_SECONDS)
                assert by_position.of(kind) == made
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
    assert have_one_id(by_position)
    assert have_one_id(as_consumer)
