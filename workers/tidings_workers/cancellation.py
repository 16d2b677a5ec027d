"""Cancellations that a library swallowed."""

import asyncio


def raise_if_cancelled() -> None:
    """Raise CancelledError if the current task was cancelled before and is running all the same.

    redis-py sends by `asyncio.wait_for`, which in Python 3.11 swallows a cancellation that arrives together
    with its result. A loop that calls redis-py must call this, because a TaskGroup cancels only once and
    would then wait forever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
