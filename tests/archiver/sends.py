"""Sends of the tests of the archiver."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

from tests.support.sending import notification
from tidings_workers.store import Store
from tidings_workers.store.ids import milliseconds


async def send(store: Store, count: int, **fields: Any) -> list[str]:
    """Send so many notifications, each in a millisecond of its own, with their numbers as titles.

    Returns their ids.
    """
    ids: list[str] = []
    for number in range(count):
        before = milliseconds()
        while milliseconds() == before:
            await asyncio.to_thread(time.sleep, 0.0005)
        ids += (await store.sends.send("demo", [notification(f"{number}", **fields)])).ids
    return ids


def now() -> datetime:
    """The present time."""
    return datetime.now(UTC)
