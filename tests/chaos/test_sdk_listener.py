"""The SDK's live inbox while servers are killed."""

import asyncio
from collections import Counter

from tests.support.stack import Stack
from tests.support.traffic import Account, Reference, make_groups, send_steadily, stubborn_client
from tidings import Disconnected, Gap, InboxEvent, LiveInbox

USERS = [f"user-{number}" for number in range(5)]
LISTENER = USERS[1]
RATE = 100
PATIENCE_SECONDS = 30.0


async def test_the_application_gets_each_once(stack: Stack) -> None:
    """An application that iterates during kills of gateway and store gets each notification once."""
    reference, account = Reference(USERS, 1), Account()
    received: Counter[int] = Counter()
    others: list[InboxEvent] = []
    async with stubborn_client(stack) as client:
        await make_groups(client, reference, {"odd": USERS[1::2], "few": USERS[:3]})
        async with (
            asyncio.TaskGroup() as reading,
            client.listen(user=LISTENER, device="phone", on_event=others.append) as inbox,
        ):
            reading.create_task(read(inbox, received))
            async with asyncio.TaskGroup() as group:
                group.create_task(send_steadily(client, reference, account, rate=RATE, seconds=4))
                group.create_task(kill_twice(stack, account))
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    if received.keys() >= account.due(LISTENER):
                        break
                    await asyncio.sleep(0.05)
    assert received == Counter(account.due(LISTENER))
    assert any(isinstance(event, Disconnected) for event in others)
    assert not any(isinstance(event, Gap) for event in others)


async def read(inbox: LiveInbox, received: Counter[int]) -> None:
    """Iterate until the inbox is closed."""
    async for delivery in inbox:
        received[(delivery.notification.data or {})["n"]] += 1


async def kill_twice(stack: Stack, account: Account) -> None:
    await account.reaches(RATE)
    stack.kill("gateway")
    await account.reaches(2 * RATE)
    stack.kill("valkey")
