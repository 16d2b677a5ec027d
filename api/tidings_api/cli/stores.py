"""The store of an operator's command, running or not."""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from msgspec import structs
from redis.asyncio import Redis, RedisCluster

from tidings_api.cli.embedded_archive import with_own_archive
from tidings_api.cli.errors import CommandFailed
from tidings_workers.config import Settings
from tidings_workers.data_directory import DataDirectory, DataDirectoryInUse
from tidings_workers.data_state import has_store, read_state, socket_url
from tidings_workers.embedded import EmbeddedValkey
from tidings_workers.store.clients import close, connect


@contextlib.asynccontextmanager
async def store_settings(data: Path | None, *, make: bool = False) -> AsyncIterator[Settings]:
    """Settings whose `redis_url` answers inside the block.

    `data` (the option) overrides REDIS_URL, and REDIS_URL overrides TIDINGS_DATA. An embedded store that is
    not running is started for the length of the block. Raises CommandFailed when it does not exist; with
    `make` it is created, if `data` or TIDINGS_DATA names it.
    """
    settings = Settings.from_environment()
    if data is not None:
        settings = structs.replace(settings, data=data, redis_url=None)
    if settings.redis_url is not None:
        yield settings
        return
    named = data is not None or "TIDINGS_DATA" in os.environ
    if not (named and make) and not has_store(settings.data):
        raise CommandFailed(
            f"there is no store in {settings.data.absolute()}: start `tidings-server dev`, "
            "or name the store by --data, TIDINGS_DATA or REDIS_URL"
        )
    try:
        directory = DataDirectory.acquire(settings.data)
    except DataDirectoryInUse:
        state = read_state(settings.data)
        if state is None:
            raise
        yield structs.replace(_as_in_dev(settings), redis_url=socket_url(state.socket))
        return
    try:
        valkey = EmbeddedValkey(directory, settings.durability)
        try:
            await valkey.start()
            yield structs.replace(_as_in_dev(settings), redis_url=valkey.url)
        finally:
            await valkey.stop()
    finally:
        directory.release()


def _as_in_dev(settings: Settings) -> Settings:
    """The settings with the archive and the addresses of the last `dev` on this directory."""
    settings = with_own_archive(settings)
    state = read_state(settings.data)
    if state is None or state.addresses is None:
        return settings
    return structs.replace(settings, **structs.asdict(state.addresses))


@contextlib.asynccontextmanager
async def operator_store(data: Path | None, *, make: bool = False) -> AsyncIterator[Redis | RedisCluster]:
    """A client of the same store."""
    async with store_settings(data, make=make) as settings:
        client = connect(settings.redis_url or "", "tidings-operator", connections=2)
        try:
            yield client
        finally:
            await close(client)
