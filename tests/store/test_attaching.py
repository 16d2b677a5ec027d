"""Connections that arrive together are attached by one call per partition, each with its own answer."""

import asyncio

import pytest

from tests.support.sending import notification
from tidings_workers.store import Store
from tidings_workers.store.attaching import _PER_CALL, Arrival
from tidings_workers.store.presence import new_connection_id

GATEWAY = "w0123456789abcdef"


async def test_each_of_many_gets_its_own_answer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Users who attach together get their own data, in few calls; one over a limit is refused alone."""
    await store.feeds.open(GATEWAY, range(store.partitions))
    users = [f"u{number}" for number in range(3 * _PER_CALL)]
    logs = {user: store.keys.user("demo", user) for user in users}
    await store.sends.send("demo", [notification("one", users=users[::2])])
    calls = []
    run = store.feeds._core.run

    def counted(script: str, partition: int, *arguments: str | bytes | int) -> asyncio.Future[object]:
        calls.append(script)
        return run(script, partition, *arguments)

    monkeypatch.setattr(store.feeds._core, "run", counted)

    async def attach(user: str, limit: int = 0) -> tuple[int, bool]:
        connection = new_connection_id(GATEWAY, logs[user].partition)
        attached = await store.feeds.attach(GATEWAY, logs[user], None, Arrival(connection, limit, 0))
        return attached.facts.head, attached.admitted

    found = await asyncio.gather(*map(attach, users))
    assert found == [(1 - index % 2, True) for index in range(len(users))]
    assert len(calls) <= 2 * store.partitions
    again = await asyncio.gather(attach("u0", 1), attach("u1", 2), attach("u2", 1))
    assert [admitted for _, admitted in again] == [False, True, False]
    assert (await store.connections.presence("demo", "u1")).connections[1:]


async def test_a_caller_that_gives_up_changes_no_other_answer(store: Store) -> None:
    """When one of the callers is cancelled, the others get their answers."""
    logs = [store.keys.user("demo", "ana"), store.keys.user("demo", "ana")]
    first, second = (asyncio.ensure_future(store.feeds.attach(GATEWAY, log, None)) for log in logs)
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).admitted
    assert first.cancelled()
