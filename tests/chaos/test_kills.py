"""SIGKILL of any process, at any moment, under load."""

import pytest

from tests.support.killing import ROUNDS, random_kills, send_and_kill
from tests.support.listening import listening
from tests.support.stack import PARTS, Part, Stack
from tests.support.traffic import (
    Account,
    Reference,
    make_groups,
    settle,
    stubborn_client,
    wrong_inboxes,
    wrongs,
)

RATE = 200
USERS = [f"user-{number}" for number in range(12)]
GROUPS = {"odd": USERS[1::2], "few": USERS[:3]}


async def survive(stack: Stack, kills: list[Part], *, seconds: float, seed: int) -> None:
    """Send at a steady rate, kill these parts one after another, and check all promises."""
    reference, account = Reference(USERS, seed), Account()
    async with stubborn_client(stack) as client:
        await make_groups(client, reference, GROUPS)
        async with listening(stack, USERS) as listeners:
            before = stack.pids()
            await send_and_kill(stack, client, reference, account, kills, rate=RATE, seconds=seconds, rest=2)
            await settle(listeners, account)
        for part in kills:
            assert stack.pids()[part] != before[part]
        if "gateway" in kills:
            assert all(listener.welcomes > 1 for listener in listeners)
        assert wrongs(listeners, account) == []
        assert await wrong_inboxes(client, USERS, account) == []
    assert len(account.acknowledged) > RATE * seconds * 0.9


@pytest.mark.parametrize("part", PARTS)
async def test_nothing_acknowledged_is_lost(stack: Stack, part: Part) -> None:
    """After a kill the part restarts, and each acknowledged notification arrives exactly once."""
    await survive(stack, [part], seconds=4, seed=len(part))


@pytest.mark.skipif(not ROUNDS, reason="minutes long: make chaos")
@pytest.mark.timeout(60 + 20 * max(ROUNDS, 1))
async def test_kills_in_any_order(stack: Stack) -> None:
    """A random series of kills keeps the same promises."""
    seed, kills = random_kills(PARTS)
    await survive(stack, kills, seconds=6.0 * ROUNDS, seed=seed)
