"""The durability in an answer is the one that the server gave."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from tests.support.sending import notification, titles
from tests.support.valkey import Valkey, running
from tidings_workers.config import SYNCED_EVERY_SECOND, Durability, Settings
from tidings_workers.store import StorageUnavailable, Store

SYNCED_OUTSIDE = {"appendfsync": "no", "proc-title-template": f"valkey ({SYNCED_EVERY_SECOND})"}
SYNCED_INSIDE = {"appendfsync": "everysec", "proc-title-template": "valkey"}


@pytest.fixture(scope="module")
def server(short_directory: Path) -> Iterator[Valkey]:
    """A server whose configuration these tests change."""
    home = Path(tempfile.mkdtemp(dir=short_directory))
    with running(home) as started:
        yield started
    shutil.rmtree(home)


def settings_for(url: str, durability: Durability) -> Settings:
    return msgspec.structs.replace(Settings.from_environment({}), redis_url=url, durability=durability)


async def reported(url: str, durability: Durability) -> str:
    """The durability that a store reports after a send, when it is configured for this one."""
    store = await Store.open(settings_for(url, durability), name="test")
    try:
        await store.sends.send("demo", [notification("x", users=["ana"])])
        return store.durability
    finally:
        await store.close()


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ({"appendonly": "no", **SYNCED_INSIDE}, ("memory", "memory", "memory")),
        ({"appendonly": "yes", **SYNCED_INSIDE}, ("memory", "everysec", "always")),
        ({"appendonly": "yes", **SYNCED_INSIDE, "appendfsync": "always"}, ("memory", "everysec", "always")),
        ({"appendonly": "yes", **SYNCED_INSIDE, "appendfsync": "no"}, ("memory", "memory", "memory")),
        ({"appendonly": "yes", **SYNCED_OUTSIDE}, ("memory", "everysec", "everysec")),
    ],
    ids=["no file", "everysec", "always", "never synced", "synced from outside"],
)
async def test_reported_durability(
    server: Valkey, configuration: dict[str, str], expected: tuple[str, ...]
) -> None:
    """A store reports the configured durability, or less when the server gives less."""
    with server.client() as client:
        for name, value in configuration.items():
            client.config_set(name, value)
    assert tuple([await reported(server.url, wanted) for wanted in get_args(Durability)]) == expected


@pytest.mark.parametrize(("appendonly", "expected"), [("yes", "everysec"), ("no", "memory")])
async def test_configuration_refused(server: Valkey, appendonly: str, expected: str) -> None:
    """Where CONFIG is forbidden, as on hosted Redis, a store reports no more than INFO shows."""
    with server.client() as client:
        for name, value in {"appendonly": appendonly, **SYNCED_INSIDE}.items():
            client.config_set(name, value)
        client.acl_setuser("guest", enabled=True, nopass=True, keys="*", commands=["+@all", "-config"])
    url = f"{server.url}?username=guest&password=any"
    assert await reported(url, "everysec") == expected
    with server.client() as client:
        client.acl_deluser("guest")


async def test_always_waits_for_the_disk(server: Valkey) -> None:
    """With `always` on a server that syncs every second, a send is answered after its own write is synced."""
    with server.client() as client:
        for name, value in {"appendonly": "yes", **SYNCED_INSIDE}.items():
            client.config_set(name, value)
    store = await Store.open(settings_for(server.url, "always"), name="test")
    try:
        before = await _calls(store, "waitaof")
        await store.sends.send("demo", [notification("x", users=["dora"])])
        assert await _calls(store, "waitaof") == before + 1
        await titles(store, "dora")
        assert await _calls(store, "waitaof") == before + 1, "a read does not wait"
        with server.client() as client:
            client.config_set("appendfsync", "no")
        with pytest.raises(StorageUnavailable):
            await store.sends.send("demo", [notification("unconfirmed", users=["dora"])])
    finally:
        await store.close()


async def _calls(store: Store, command: str) -> int:
    statistics = await store.redis.info("commandstats")
    return int(statistics.get(f"cmdstat_{command}", {"calls": 0})["calls"])


async def test_weakest_primary_counts(session_cluster: list[Valkey], cluster_url: str) -> None:
    """A cluster reports the least durability of its primaries."""
    assert await reported(cluster_url, "always") == "everysec"
    with session_cluster[2].client() as client:
        client.config_set("appendonly", "no")
        try:
            assert await reported(cluster_url, "everysec") == "memory"
        finally:
            client.config_set("appendonly", "yes")
