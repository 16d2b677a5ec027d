"""`tidings-server restored`: makes all clients reload after the restore of a backup."""

import asyncio
from pathlib import Path

from tidings_api.cli.output import DataOption, JsonOption, answer
from tidings_api.cli.stores import store_settings
from tidings_workers.store import Store


def restored(*, data: DataOption = None, json: JsonOption = False) -> None:
    """Make all clients reload after the restore of a backup: the store gets a new epoch.

    A client that resumes gets a gap with the reason epoch. Without this command, a client would skip new
    notifications whose positions it already has. It changes nothing else.
    """
    epoch = asyncio.run(_renew(data))
    answer({"epoch": epoch}, f"the store has the new epoch {epoch}: clients reload", as_json=json)


async def _renew(data: Path | None) -> str:
    async with store_settings(data) as settings:
        store = await Store.open(settings, name="restored")
        try:
            return await store.start_new_epoch()
        finally:
            await store.close()
