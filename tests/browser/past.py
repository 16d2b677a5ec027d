"""What was sent some time ago, as though the server had been there then."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import structs

from tests.support.stack import Stack
from tidings.protocol.notifications import CreateNotification
from tidings_workers.config import Settings
from tidings_workers.data_directory import read_state
from tidings_workers.store import Store
from tidings_workers.store.keys import milliseconds
from tidings_workers.store.sends import Sends


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A notification and its age."""

    ago: timedelta
    notification: dict[str, Any]
    read: bool = False


async def send(dev: Stack, sent: Sequence[Sent]) -> list[str]:
    """Send each so long ago; the ids, in the order given.

    Straight into the store that `dev` runs, since nobody else may choose the time of a send. Oldest first:
    positions rise with time.
    """
    state = read_state(dev.data)
    assert state is not None
    settings = structs.replace(Settings(), redis_url=f"unix://{state.socket}")
    store = await Store.open(settings, name="past")
    ids: dict[int, str] = {}
    try:
        for index, each in sorted(enumerate(sent), key=lambda item: item[1].ago, reverse=True):
            at = milliseconds() - int(each.ago / timedelta(milliseconds=1))
            wanted = msgspec.convert(each.notification, CreateNotification)
            accepted = await Sends(store.core)._accept("demo", [wanted], at, None, replayed=False)
            (ids[index],) = accepted.ids
    finally:
        await store.close()
    return [ids[index] for index in range(len(sent))]
