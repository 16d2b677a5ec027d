"""STOMP clients with a device while gateway, dispatcher and store are killed under load."""

import pytest

from tests.support.killing import ROUNDS, random_kills, send_and_kill
from tests.support.stack import Part, Stack
from tests.support.stomp_listening import listening_by_stomp
from tests.support.traffic import (
    Account,
    Reference,
    make_groups,
    settle,
    stubborn_client,
    wrong_inboxes,
    wrongs,
)

RATE = 150
USERS = [f"user-{number}" for number in range(8)]
GROUPS = {"odd": USERS[1::2], "few": USERS[:3]}
KILLS: list[Part] = ["gateway", "valkey", "dispatcher", "gateway"]


async def survive(stack: Stack, kills: list[Part], *, seconds: float, seed: int) -> None:
    """Send at a steady rate, kill these parts one after another, and check all promises."""
    reference, account = Reference(USERS, seed), Account()
    async with stubborn_client(stack) as client:
        await make_groups(client, reference, GROUPS)
        async with listening_by_stomp(stack, USERS) as listeners:
            await send_and_kill(stack, client, reference, account, kills, rate=RATE, seconds=seconds)
            await settle(listeners, account)
        assert wrongs(listeners, account) == []
        assert await wrong_inboxes(client, USERS, account) == []
    # The last kill may be after the last message.
    assert min(listener.welcomes for listener in listeners) >= kills.count("gateway")
    # Acknowledgements are stored five times a second. Without them each kill of the gateway repeats all.
    arrived = sum(len(listener.arrivals) for listener in listeners)
    assert sum(listener.repeated for listener in listeners) < arrived / 4


async def test_a_device_gets_each_acknowledged_send_once(stack: Stack) -> None:
    """After kills of gateway, store and dispatcher each device shows each acknowledged send once."""
    await survive(stack, KILLS, seconds=5, seed=1)


@pytest.mark.skipif(not ROUNDS, reason="minutes long: make chaos")
@pytest.mark.timeout(60 + 20 * max(ROUNDS, 1))
async def test_kills_in_any_order(stack: Stack) -> None:
    """A random series of kills keeps the same promises."""
    seed, kills = random_kills(sorted(set(KILLS)))
    await survive(stack, kills, seconds=6.0 * ROUNDS, seed=seed)
