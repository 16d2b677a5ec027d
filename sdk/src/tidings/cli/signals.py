"""Ending a command that runs until it is stopped."""

import asyncio
import signal
from contextlib import suppress


def end_on_signals() -> None:
    """Cancel this task on Ctrl-C and SIGTERM, so that it can close what it has open."""
    task = asyncio.current_task()
    if task is None:
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        # On Windows the loop has no signal handlers; Ctrl-C is a KeyboardInterrupt there.
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
