"""Several processes of each part on one store, started one by one as in production."""

import pytest

from tests.support.listening import listening
from tests.support.parts import running_parts
from tests.support.stack import START_SECONDS
from tests.support.traffic import (
    Account,
    Reference,
    make_groups,
    send_steadily,
    settle,
    stubborn_client,
    wrong_inboxes,
    wrongs,
)
from tests.support.valkey import wait_until

USERS = [f"user-{number}" for number in range(12)]
GROUPS = {"odd": USERS[1::2], "few": USERS[:3]}
PARTITIONS = 16
RATE = 100


@pytest.mark.parametrize("store", ["redis_url", "cluster_url"])
async def test_two_of_each_share_the_work(store: str, request: pytest.FixtureRequest) -> None:
    """Two dispatchers share the partitions, two gateways serve alike, and one of each may be killed."""
    with running_parts(request.getfixturevalue(store)) as parts:
        first, second = parts.dispatchers
        wait_until(
            lambda: [p.metric("tidings_dispatcher_partitions") for p in (first, second)] == [8, 8],
            "sharing the partitions",
            START_SECONDS,
        )
        reference, account = Reference(USERS, 1), Account()
        async with stubborn_client(parts.installation) as client:
            await make_groups(client, reference, GROUPS)
            async with listening(parts.installation, USERS, parts.urls) as listeners:
                await send_steadily(client, reference, account, rate=RATE, seconds=2)
                await settle(listeners, account)
                assert all(
                    gateway.metric("tidings_connections") == len(USERS) / 2 for gateway in parts.gateways
                )
                first.kill()
                parts.gateways[0].kill()
                for listener in listeners:
                    listener.url = parts.urls[1]
                await send_steadily(client, reference, account, rate=RATE, seconds=2)
                await settle(listeners, account)
            assert second.metric("tidings_dispatcher_partitions") == PARTITIONS
            assert wrongs(listeners, account) == []
            assert await wrong_inboxes(client, USERS, account) == []
        assert len(account.acknowledged) == 4 * RATE
