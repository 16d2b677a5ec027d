"""Users with many gaps in what they read: counts and receipts are right."""

import asyncio

from tests.support.sending import eventually, notification
from tidings.protocol.rest import MarkInbox
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import Store

SENT = 600


async def test_receipts(store: Store, dispatcher: Dispatcher) -> None:
    """A broadcast counts as seen by exactly the users who marked it, with gaps and exclusions."""
    excluding = [number % 7 == 3 for number in range(SENT)]
    accepted = await store.sends.send(
        "demo",
        [
            notification(f"t{number}", to_all=True, exclude=["ana"] if excluding[number] else [])
            for number in range(SENT)
        ],
    )

    async def hidden() -> int:
        return (await store.inbox.counts("demo", "ana")).unseen

    await eventually(hidden, SENT - sum(excluding))
    second, third = accepted.ids[::2], accepted.ids[::3]
    for user, ids in (("ana", second), ("bob", third)):
        await store.marks.mark("demo", user, MarkInbox(state="seen", ids=tuple(ids)))
    # Ana now has a gap at every second position, and closes all of them at once.
    for user in ("ana", "cleo"):
        await store.marks.mark("demo", user, MarkInbox(state="seen", all=True))

    async def seen() -> list[int]:
        found = await asyncio.gather(
            *(store.sends.notification("demo", identity) for identity in accepted.ids)
        )
        return [one.seen if one is not None else -1 for one in found]

    await eventually(seen, [2 + (number % 3 == 0) - excluding[number] for number in range(SENT)])
