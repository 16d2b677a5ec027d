"""The SDK's live inbox while the servers behind it die."""

import asyncio
from collections import Counter

from tests.support.stack import Stack
from tests.support.traffic import Account, Reference, make_groups, send_steadily, stubborn_client
from tidings import Disconnected, Gap, InboxEvent, LiveInbox

USERS = [f"user-{number}" for number in range(5)]
LISTENER = USERS[1]
RATE = 100
PATIENCE_SECONDS = 30.0


async def test_the_application_sees_each_once(stack: Stack) -> None:
    """Gateway and store are killed while an application iterates: it sees each notification once."""
    reference, account = Reference(USERS, 1), Account()
    seen: Counter[int] = Counter()
    others: list[InboxEvent] = []
    async with stubborn_client(stack) as client:
        await make_groups(client, reference, {"odd": USERS[1::2], "few": USERS[:3]})
        async with (
            asyncio.TaskGroup() as taking,
            client.listen(user=LISTENER, device="phone", on_event=others.append) as inbox,
        ):
            taking.create_task(take(inbox, seen))
            async with asyncio.TaskGroup() as group:
                group.create_task(send_steadily(client, reference, account, rate=RATE, seconds=4))
                group.create_task(kill_twice(stack, account))
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    if seen.keys() >= account.due(LISTENER):
                        break
                    await asyncio.sleep(0.05)
    assert seen == Counter(account.due(LISTENER))
    assert any(isinstance(event, Disconnected) for event in others)
    assert not any(isinstance(event, Gap) for event in others)


async def take(inbox: LiveInbox, seen: Counter[int]) -> None:
    """Iterate, as an application does, until the inbox is left."""
    async for delivery in inbox:
        seen[(delivery.notification.data or {})["n"]] += 1


async def kill_twice(stack: Stack, account: Account) -> None:
    await account.reaches(RATE)
    stack.kill("gateway")
    await account.reaches(2 * RATE)
    stack.kill("valkey")
