"""Long tasks stop when they are cancelled, also if a library swallows the cancellation."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tidings_workers.store import StorageUnavailable
from tidings_workers.tasks import every, keep_running


async def swallow() -> None:
    """Return as if nothing had happened when cancelled, as asyncio.wait_for of Python 3.11 may do."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(60)


async def fail_after_swallowing() -> None:
    """Fail when cancelled."""
    await swallow()
    raise StorageUnavailable("The store closed the connection.", "closed")


@pytest.mark.parametrize(
    "forever",
    [lambda: every(0, "test", swallow), lambda: keep_running("test", fail_after_swallowing)],
    ids=["every", "keep_running"],
)
async def test_one_cancellation_stops_a_task(forever: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """A task of a TaskGroup, which cancels once, stops although its work swallows that cancellation."""
    task = asyncio.create_task(forever())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()
