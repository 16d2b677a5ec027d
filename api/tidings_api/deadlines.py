"""One timer for the waits of many tasks, where a timeout for each of them would cost more than its work."""

import asyncio
from functools import partial
from typing import Any, Final

# After a late timer, so long for answers that wait to be read.
_LATE_SECONDS: Final = 0.05

_Task = asyncio.Task[Any]


class Deadlines:
    """Cancels each task whose wait takes longer than a time that is the same for all.

    The waits end in the order in which they begin, so the timer runs for the oldest one. One wait per task.
    """

    def __init__(self) -> None:
        self._due: dict[_Task, float] = {}
        self._overdue: set[_Task] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, seconds: float) -> _Task:
        """Begin a wait of the current task. Returns the task, for the calls below."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101  a coroutine of the server runs in a task
        if loop is not self._loop:
            self._loop, self._timer = loop, None
            self._due.clear()
        due = self._due[task] = loop.time() + seconds
        if self._timer is None:
            self._timer = loop.call_at(due, self._check, loop)
        return task

    def end(self, task: _Task) -> None:
        """End the wait of a task. Call it for each `begin`."""
        self._due.pop(task, None)
        self._overdue.discard(task)

    def is_overdue(self, task: _Task) -> bool:
        """Whether the CancelledError that was just caught means that the wait is too long, and nothing else.

        The task is not cancelled any more then.
        """
        return task in self._overdue and task.uncancel() == 0

    def _check(self, loop: asyncio.AbstractEventLoop, *, is_late: bool = False) -> None:
        self._timer = None
        while self._due:
            task, due = next(iter(self._due.items()))
            if due > loop.time():
                self._timer = loop.call_at(due, self._check, loop)
                return
            if loop.time() > due + _LATE_SECONDS and not is_late:
                # The process got no processor, and the loop runs timers before it reads answers.
                self._timer = loop.call_later(_LATE_SECONDS, partial(self._check, loop, is_late=True))
                return
            del self._due[task]
            self._overdue.add(task)
            task.cancel()
