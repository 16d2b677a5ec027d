"""`tidings-server restored`: after a backup was put back, have every client know."""

import asyncio
from pathlib import Path

from tidings_api.cli.output import DataOption, JsonOption, answer
from tidings_api.cli.stores import store_settings
from tidings_workers.store import Store


def restored(*, data: DataOption = None, json: JsonOption = False) -> None:
    """Tell all clients to reload, after a backup was restored: the store gets a new epoch.

    A client that resumes gets a gap with reason epoch. Without it a client would take what was sent
    since the restore for what it has already. Nothing else is changed.
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
