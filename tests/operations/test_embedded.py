"""The embedded store: acknowledged writes survive the kill of any process."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from tidings_workers.config import Durability, Settings
from tidings_workers.data_directory import DataDirectory
from tidings_workers.data_state import read_state
from tidings_workers.embedded import AofSync, EmbeddedStartFailed, EmbeddedValkey
from tidings_workers.store import Store


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[DataDirectory]:
    held = DataDirectory.acquire(tmp_path / "data")
    yield held
    held.release()


def client(valkey: EmbeddedValkey) -> Any:
    return redis.asyncio.Redis.from_url(valkey.url)


def mode_of(path: str) -> int:
    return Path(path).stat().st_mode


async def test_every_acknowledged_write_survives_a_kill(directory: DataDirectory) -> None:
    """A write that was answered just before SIGKILL is there after the restart of Valkey."""
    valkey = EmbeddedValkey(directory, "everysec")
    await valkey.start()
    try:
        for number in range(3):
            async with client(valkey) as redis:
                for _ in range(200):
                    await redis.incr("written")
            valkey.kill()
            await valkey.wait()
            await valkey.start()
            async with client(valkey) as redis:
                assert int(await redis.get("written")) == 200 * (number + 1)
    finally:
        await valkey.stop()


@pytest.mark.parametrize("durability", ["memory", "everysec", "always"])
async def test_the_store_names_its_durability(directory: DataDirectory, durability: Durability) -> None:
    """A store on the embedded Valkey has the configured durability and names it."""
    valkey = EmbeddedValkey(directory, durability)
    await valkey.start()
    try:
        store = await Store.open(Settings(redis_url=valkey.url, durability=durability), name="test")
        assert store.durability == durability
        await store.close()
    finally:
        await valkey.stop()


async def test_a_stop_keeps_everything_and_notes_it(directory: DataDirectory) -> None:
    """After `stop` the data is there, and the state says that the stop was clean."""
    valkey = EmbeddedValkey(directory, "everysec")
    await valkey.start()
    async with client(valkey) as redis:
        await redis.set("kept", "yes")
    await valkey.stop()
    state = read_state(directory.path)
    assert state is not None
    assert state.clean
    await valkey.start()
    async with client(valkey) as redis:
        assert await redis.get("kept") == b"yes"
    await valkey.stop()


async def test_only_the_owner_reaches_it(directory: DataDirectory) -> None:
    """It listens on no port, and only the owner can use its socket."""
    valkey = EmbeddedValkey(directory, "everysec")
    await valkey.start()
    try:
        async with client(valkey) as redis:
            assert (await redis.config_get("port"))["port"] == "0"
        assert mode_of(valkey.url.removeprefix("unix://")) & 0o077 == 0
    finally:
        await valkey.stop()


async def test_a_broken_file_is_explained(directory: DataDirectory) -> None:
    """When Valkey refuses its file, the error quotes the reason and names the log."""
    files = directory.path / "appendonlydir"
    files.mkdir()
    (files / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(EmbeddedStartFailed, match=r"manifest.*valkey\.log"):
        await EmbeddedValkey(directory, "everysec").start()


async def test_a_damaged_file_can_be_cut(directory: DataDirectory) -> None:
    """Damage in the middle of the data is explained with a command that repairs the file."""
    valkey = EmbeddedValkey(directory, "everysec")
    await valkey.start()
    async with client(valkey) as redis:
        await redis.set("before", "yes")
    await valkey.stop()
    (data,) = (directory.path / "appendonlydir").glob("*.incr.aof")
    with data.open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$9\r\nnonsense" + b"x" * 100)
    with pytest.raises(EmbeddedStartFailed, match="from a backup") as failed:
        await valkey.start()
    command = str(failed.value).partition("later writes: ")[2]
    cutting = await asyncio.create_subprocess_shell(command, stdin=asyncio.subprocess.PIPE)
    await cutting.communicate(b"y\n")
    await valkey.start()
    try:
        async with client(valkey) as redis:
            assert await redis.get("before") == b"yes"
    finally:
        await valkey.stop()


def test_sync_forgets_files_that_a_rewrite_removed(tmp_path: Path) -> None:
    """When a rewrite removes a file between two syncs, the next sync uses the new one."""
    first, second = tmp_path / "a.1.incr.aof", tmp_path / "a.2.incr.aof"
    sync = AofSync(tmp_path)
    first.write_text("x")
    sync.sync()
    first.unlink()
    second.write_text("y")
    sync.sync()
    assert list(sync._synced) == [second]
