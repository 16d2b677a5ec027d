"""One timer for the waits of many tasks."""

import asyncio
import socket
import time

import pytest

from tidings_api.deadlines import Deadlines

SECONDS = 0.2


async def wait(deadlines: Deadlines, event: asyncio.Event, seconds: float = SECONDS) -> str:
    task = deadlines.begin(seconds)
    try:
        await event.wait()
    except asyncio.CancelledError:
        if not deadlines.is_overdue(task):
            raise
        # The task runs on, as after `asyncio.timeout`.
        await asyncio.sleep(0)
        return "late"
    finally:
        deadlines.end(task)
    return "done"


async def test_each_wait_has_its_own_deadline() -> None:
    """Waits that are too long end as late, also those that begin later; one that ends in time is done."""
    deadlines, never, now = Deadlines(), asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(wait(deadlines, never))
    done = asyncio.create_task(wait(deadlines, now))
    await asyncio.sleep(SECONDS / 2)
    now.set()
    second = asyncio.create_task(wait(deadlines, never))
    assert list(await asyncio.gather(first, done, second)) == ["late", "done", "late"]
    assert await asyncio.create_task(wait(deadlines, never)) == "late"


async def test_a_stopped_process_finds_the_answer() -> None:
    """A process that was stopped for longer than the deadline takes the answer that waits for it."""
    deadlines, answered = Deadlines(), asyncio.Event()
    reading, writing = socket.socketpair()
    reading.setblocking(False)
    asyncio.get_running_loop().add_reader(reading, answered.set)
    waiting = asyncio.create_task(wait(deadlines, answered))
    await asyncio.sleep(SECONDS / 4)
    writing.send(b"answer")
    time.sleep(2 * SECONDS)  # noqa: ASYNC251  the stop
    assert await waiting == "done"
    asyncio.get_running_loop().remove_reader(reading)
    reading.close()
    writing.close()


async def test_a_cancellation_from_outside_is_no_deadline() -> None:
    """A task that is cancelled while it waits is cancelled, also when its time is over in the same moment."""
    deadlines, never = Deadlines(), asyncio.Event()
    early = asyncio.create_task(wait(deadlines, never))
    await asyncio.sleep(0)
    early.cancel()
    with pytest.raises(asyncio.CancelledError):
        await early
    both = asyncio.create_task(wait(deadlines, never, 0))
    await asyncio.sleep(0)
    deadlines._check(asyncio.get_running_loop())
    both.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both
