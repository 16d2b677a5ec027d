"""A failover that leaves the old primary running as a replica, behind an address that has moved on."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from tests.support.faults import FaultProxy
from tests.support.sending import eventually, notification, titles
from tests.support.valkey import Valkey, free_port, running, wait_until
from tidings_workers.config import Settings
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import StorageUnavailable, Store
from tidings_workers.store.clients import COMMAND_SECONDS

SECONDS = 5.0


@pytest.fixture
def pair(short_directory: Path) -> Iterator[tuple[Valkey, Valkey]]:
    """A primary and its replica, in step."""
    with ExitStack() as stack:
        homes = [Path(tempfile.mkdtemp(dir=short_directory)) for _ in range(2)]
        primary, replica = (
            stack.enter_context(running(home, free_port(), repl_diskless_sync_delay="0")) for home in homes
        )
        follow(replica, primary)
        yield primary, replica


def follow(replica: Valkey, primary: Valkey) -> None:
    """Make one the replica of the other, and wait until it has all of its data."""

    def in_step() -> bool:
        with replica.client() as client:
            return bool(client.info("replication").get("master_link_status") == "up")

    with replica.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", str(primary.port))
    wait_until(in_step, "following the primary")


def fail_over(old: Valkey, new: Valkey) -> None:
    """Make the replica the primary and the primary its replica, which stays up."""
    with new.client() as client:
        client.execute_command("REPLICAOF", "NO", "ONE")
    follow(old, new)


@pytest.fixture
async def proxy(pair: tuple[Valkey, Valkey]) -> AsyncIterator[FaultProxy]:
    """The address by which clients reach the primary."""
    async with FaultProxy(pair[0].url) as running_proxy:
        yield running_proxy


@pytest.fixture
async def store(proxy: FaultProxy) -> AsyncIterator[Store]:
    settings = msgspec.structs.replace(Settings.from_environment({}), redis_url=proxy.url)
    opened = await Store.open(settings, name="test")
    yield opened
    await opened.close()


async def send(store: Store, title: str, *users: str) -> None:
    """Send until it is accepted."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                await store.sends.send("demo", [notification(title, users=list(users))])
            except StorageUnavailable:
                await asyncio.sleep(0.02)
            else:
                return


async def test_writes_follow_the_primary(
    pair: tuple[Valkey, Valkey], proxy: FaultProxy, store: Store
) -> None:
    """Sends are accepted and carried out within seconds of a failover, by the processes that run."""
    dispatcher = Dispatcher(store)
    await dispatcher.beat()
    try:
        await send(store, "before", "ana", "bob")
        await eventually(lambda: titles(store, "bob"), ["before"])
        await asyncio.to_thread(fail_over, *pair)
        proxy.lead_to(pair[1].url)
        await send(store, "after", "ana", "bob")
        await eventually(lambda: titles(store, "bob"), ["after", "before"])
    finally:
        await dispatcher.close()


async def test_the_replica_is_named_while_the_address_leads_to_it(
    pair: tuple[Valkey, Valkey], proxy: FaultProxy, store: Store
) -> None:
    """Until the address moves on, sends and reads are refused with the reason; then both work again."""
    await send(store, "before", "ana")
    await asyncio.to_thread(fail_over, *pair)
    with pytest.raises(StorageUnavailable, match="is a replica") as refused:
        await store.sends.send("demo", [notification("lost", users=["ana"])])
    assert refused.value.reason == "readonly"
    with pytest.raises(StorageUnavailable):
        await titles(store, "ana")
    proxy.lead_to(pair[1].url)
    await send(store, "after", "ana")
    assert await titles(store, "ana") == ["after", "before"]


async def test_reads_do_not_stay_with_the_replica(
    pair: tuple[Valkey, Valkey], proxy: FaultProxy, store: Store
) -> None:
    """A process that only reads leaves the replica when it next looks at the facts of the store."""
    await send(store, "before", "ana")
    assert await titles(store, "ana") == ["before"]
    await asyncio.to_thread(fail_over, *pair)
    # From here on the old primary has what it had: its replication is cut.
    with pair[0].client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))
    proxy.lead_to(pair[1].url)
    other = await Store.open(store._core.settings, name="other")
    await send(other, "after", "ana")
    await other.close()
    assert await titles(store, "ana") == ["before"]
    with pytest.raises(StorageUnavailable):
        await store.refresh()

    async def seen() -> list[str]:
        try:
            return await titles(store, "ana")
        except StorageUnavailable:
            return []

    await eventually(seen, ["after", "before"])


async def test_blocking_reads_leave_the_replica(
    pair: tuple[Valkey, Valkey], proxy: FaultProxy, store: Store
) -> None:
    """A reader that the replica answers moves to the new primary once a write was refused."""
    reader = store.reader("test")
    try:
        assert await reader.read({"{p0}/stream": "0"}, 1) == {}
        await asyncio.to_thread(fail_over, *pair)
        with pytest.raises(StorageUnavailable):
            await store.refresh()
        with pair[0].client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))
        proxy.lead_to(pair[1].url)
        with pair[1].client() as client:
            client.xadd("{p0}/stream", {"is": "new"})

        async def read() -> list[str]:
            return list(await reader.read({"{p0}/stream": "0"}, 1))

        await eventually(read, ["{p0}/stream"])
    finally:
        await reader.close()


async def test_a_timeout_ends_all_that_is_under_way(valkey: Valkey) -> None:
    """A command that was sent before another one timed out does not wait for a second timeout."""
    store = await Store.open(Settings(redis_url=valkey.url), name="test")
    valkey.pause()
    try:
        began = time.monotonic()
        first = store._core.connection.call("PING")
        await asyncio.sleep(0.5)
        second = store._core.connection.call("PING")
        failures = await asyncio.gather(first, second, return_exceptions=True)
        assert time.monotonic() - began < 2 * COMMAND_SECONDS
        assert [type(failure) for failure in failures] == [StorageUnavailable] * 2
    finally:
        valkey.unpause()
        await store.close()
