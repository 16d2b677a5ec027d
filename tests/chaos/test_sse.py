"""Clients of server-sent events while gateway, dispatcher and store are killed under load."""

from tests.support.killing import send_and_kill
from tests.support.sse_listening import listening_by_sse
from tests.support.stack import Part, Stack
from tests.support.traffic import (
    Account,
    Reference,
    make_groups,
    settle,
    stubborn_client,
    wrongs,
)

RATE = 150
SECONDS = 5
USERS = [f"user-{number}" for number in range(8)]
GROUPS = {"odd": USERS[1::2], "few": USERS[:3]}
KILLS: list[Part] = ["gateway", "valkey", "gateway", "dispatcher"]


async def test_the_last_id_resumes_exactly(stack: Stack) -> None:
    """After kills of gateway, store and dispatcher each stream gets each acknowledged send once."""
    reference, account = Reference(USERS, 1), Account()
    async with stubborn_client(stack) as client:
        await make_groups(client, reference, GROUPS)
        async with listening_by_sse(stack, USERS) as listeners:
            await send_and_kill(stack, client, reference, account, KILLS, rate=RATE, seconds=SECONDS)
            await settle(listeners, account)
        assert wrongs(listeners, account) == []
    # The last kill may be after the last notification.
    assert min(listener.welcomes for listener in listeners) >= KILLS.count("gateway")
