"""A context manager for blocking code: enters an asynchronous one on an event loop in its own thread."""

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

from anyio.from_thread import start_blocking_portal

T = TypeVar("T")


class OwnLoop(ABC):
    """Has the event loop from the start of `with` to its end. Any thread may call and `close` it.

    A child process after `fork` has no such thread: its calls are refused, and its `close` does nothing.
    """

    def __init__(self, entered: AbstractAsyncContextManager[Any]) -> None:
        self._entered = entered
        self._open = ExitStack()
        self._run: Callable[..., Any] | None = None
        self._closed = False
        self._closing = threading.RLock()
        self._process = os.getpid()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            portal = opening.enter_context(start_blocking_portal())
            opening.enter_context(portal.wrap_async_context_manager(self._entered))
            self._process = os.getpid()
            self._run = portal.call
            self._closed = False
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the context manager, and end the event loop. Any number of calls."""
        if self._in_child:
            return
        with self._closing:
            opened, self._open = self._open, ExitStack()
            self._closed = True
            opened.close()
            self._run = None

    @property
    def _in_child(self) -> bool:
        """Whether this is a child process of the one that entered it."""
        return self._process != os.getpid()

    def _check_open(self) -> None:
        if self._closed or self._run is None or self._in_child:
            self._refuse()

    def _wait(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run work on the event loop, and wait for its result."""
        self._check_open()
        run = self._run
        try:
            result: T = run(work) if run is not None else self._refuse()
        except RuntimeError:
            # The loop ended between the check and the call.
            if self._closed:
                self._refuse()
            raise
        return result

    @abstractmethod
    def _refuse(self) -> NoReturn:
        """Raise the error for a call before it is entered, after `close`, or in a child process."""
