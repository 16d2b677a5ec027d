"""A failover that keeps the old primary running as a replica, behind an address that then changes."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from tests.support.faults import FaultProxy
from tests.support.ports import free_port
from tests.support.sending import eventually, notification, titles
from tests.support.valkey import Valkey, running, wait_until
from tidings_workers.config import Settings
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import StorageUnavailable, Store
from tidings_workers.store.connections import COMMAND_SECONDS

SECONDS = 5.0


@pytest.fixture
def pair(short_directory: Path) -> Iterator[tuple[Valkey, Valkey]]:
    """A primary and its replica, in sync."""
    with ExitStack() as stack:
        homes = [Path(tempfile.mkdtemp(dir=short_directory)) for _ in range(2)]
        primary, replica = (
            stack.enter_context(running(home, free_port(), repl_diskless_sync_delay="0")) for home in homes
        )
        follow(replica, primary)
        yield primary, replica


def follow(replica: Valkey, primary: Valkey) -> None:
    """Make one the replica of the other, and wait until they are in sync."""

    def in_sync() -> bool:
        with replica.client() as client:
            return bool(client.info("replication").get("master_link_status") == "up")

    with replica.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", str(primary.port))
    wait_until(in_sync, "following the primary")


def fail_over(old: Valkey, new: Valkey) -> None:
    """Swap the roles of primary and replica; both keep running."""
    with new.client() as client:
        client.execute_command("REPLICAOF", "NO", "ONE")
    follow(old, new)


@pytest.fixture
async def proxy(pair: tuple[Valkey, Valkey]) -> AsyncIterator[FaultProxy]:
    """The address of the primary for clients."""
    async with FaultProxy(pair[0].url) as running_proxy:
        yield running_proxy


@pytest.fixture
async def store(proxy: FaultProxy) -> AsyncIterator[Store]:
    settings = msgspec.structs.replace(Settings.from_environment({}), redis_url=proxy.url)
    opened = await Store.open(settings, name="test")
    yield opened
    await opened.close()


async def send(store: Store, title: str, *users: str) -> None:
    """Send, and retry until it is accepted."""
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
    """Running processes accept and carry out sends within seconds of a failover."""
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


async def test_a_replica_at_the_address_is_named(
    pair: tuple[Valkey, Valkey], proxy: FaultProxy, store: Store
) -> None:
    """While the address leads to a replica, sends and reads fail with the reason; then both work again."""
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
    """A process that only reads leaves the replica at its next refresh."""
    await send(store, "before", "ana")
    assert await titles(store, "ana") == ["before"]
    await asyncio.to_thread(fail_over, *pair)
    # From here on the old primary gets no writes: its replication is cut.
    with pair[0].client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))
    proxy.lead_to(pair[1].url)
    other = await Store.open(store._core.settings, name="other")
    await send(other, "after", "ana")
    await other.close()
    assert await titles(store, "ana") == ["before"]
    with pytest.raises(StorageUnavailable):
        await store.refresh()

    async def current() -> list[str]:
        try:
            return await titles(store, "ana")
        except StorageUnavailable:
            return []

    await eventually(current, ["after", "before"])


async def test_blocking_reads_leave_the_replica(
    pair: tuple[Valkey, Valkey], proxy: FaultProxy, store: Store
) -> None:
    """A blocking reader on the replica moves to the new primary after a write was refused."""
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


async def test_a_timeout_fails_all_commands_in_progress(valkey: Valkey) -> None:
    """A command sent before another one timed out does not wait for a second timeout."""
    store = await Store.open(Settings(redis_url=valkey.url), name="test")
    valkey.pause()
    try:
        started = time.monotonic()
        first = store._core.call("PING")
        await asyncio.sleep(0.5)
        second = store._core.call("PING")
        failures = await asyncio.gather(first, second, return_exceptions=True)
        assert time.monotonic() - started < 2 * COMMAND_SECONDS
        assert [type(failure) for failure in failures] == [StorageUnavailable] * 2
    finally:
        valkey.unpause()
        await store.close()
