"""Notifications with a send time in the past, as if the server had run then."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import structs

from tests.support.stack import Stack
from tidings.protocol.notifications import CreateNotification
from tidings_workers.config import Settings
from tidings_workers.data_state import read_state
from tidings_workers.registry import RegistryView
from tidings_workers.store import Store
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.preparing import Preparing


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A notification and its age."""

    ago: timedelta
    notification: dict[str, Any]
    read: bool = False


@asynccontextmanager
async def _store(dev: Stack) -> AsyncIterator[Store]:
    """The store of `dev`."""
    state = read_state(dev.data)
    assert state is not None
    settings = structs.replace(Settings(), redis_url=f"unix://{state.socket}")
    store = await Store.open(settings, name="past")
    try:
        yield store
    finally:
        await store.close()


async def send(dev: Stack, sent: Sequence[Sent]) -> list[str]:
    """Send each notification with its age; their ids, in the given order.

    It writes to the store, because the API does not accept a send time. The oldest is written first, because
    positions rise with time.
    """
    ids: dict[int, str] = {}
    async with _store(dev) as store:
        for index, each in sorted(enumerate(sent), key=lambda item: item[1].ago, reverse=True):
            at = milliseconds() - int(each.ago / timedelta(milliseconds=1))
            wanted = msgspec.convert(each.notification, CreateNotification)
            (ids[index],) = await Preparing(store._core).accept("demo", [wanted], at, [None])
    return [ids[index] for index in range(len(sent))]


async def remove_what_is_too_old(dev: Stack) -> None:
    """Apply retention to all logs now; the dispatcher does it within an hour."""
    async with _store(dev) as store:
        view = RegistryView(store.redis)
        await view.load()
        store.follow_policies(view.tenant)
        soon = milliseconds() + int(timedelta(hours=2) / timedelta(milliseconds=1))
        for partition in range(store.partitions):
            for base in await store.retention.due(partition, now=soon):
                # One by one: a call removes a limited number of entries, and schedules the rest for later.
                await store.retention.sweep(partition, [base])
                while rest := await store.retention.due(partition):
                    await store.retention.sweep(partition, rest)
