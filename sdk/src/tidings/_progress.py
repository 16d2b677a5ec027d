"""The progress of a long send: a bar, a line of text, or a callable of the application."""

import sys
import time
from collections.abc import Callable, Iterable, Sized
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from tidings._models import BatchResult
from tidings._public import publish


class SendProgress(msgspec.Struct, frozen=True):
    """The numbers of messages so far: `done` (answered), `refused` (a part of those), and `total`.

    `total` is None if the messages have no length.
    """

    done: int
    refused: int
    total: int | None


Progress = bool | Callable[[SendProgress], object] | None

WORDS_EVERY_SECONDS: Final = 1.0


class Meter:
    """Counts results, and shows the counts."""

    def __init__(self, progress: Progress, messages: object) -> None:
        self._total = len(messages) if isinstance(messages, Sized) else None
        self._done = 0
        self._refused = 0
        self._open = ExitStack()
        self._show: Callable[[SendProgress], object] | None = None
        if callable(progress):
            self._show = progress
        self._wants_bar = progress is True

    def __enter__(self) -> Self:
        if self._wants_bar:
            self._show = _bar(self._open, self._total) or _words(self._open)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def counted(self, results: list[BatchResult]) -> Iterable[BatchResult]:
        """The same results, after their counts were shown."""
        self._done += len(results)
        self._refused += sum(not result.ok for result in results)
        if self._show is not None:
            self._show(SendProgress(self._done, self._refused, self._total))
        return results


def _bar(opened: ExitStack, total: int | None) -> Callable[[SendProgress], object] | None:
    """A bar on stderr; None without rich, which `tidings[cli]` installs."""
    try:
        from rich.console import Console  # noqa: PLC0415 - an extra, and 60 ms
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
        from rich.progress import Progress as Bar  # noqa: PLC0415
    except ImportError:
        return None
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[refused]}"),
        TimeRemainingColumn(),
    )
    bar = opened.enter_context(Bar(*columns, console=Console(stderr=True)))
    task = bar.add_task("sending", total=total, refused="")

    def show(progress: SendProgress) -> None:
        refused = f"{progress.refused:,} refused" if progress.refused else ""
        bar.update(task, completed=progress.done, refused=refused)

    return show


def _words(opened: ExitStack) -> Callable[[SendProgress], Any]:
    """A line of text on stderr at most once a second, and one at the end."""
    last = time.monotonic()
    newest: list[SendProgress] = []

    def say() -> None:
        if newest:
            sys.stderr.write(in_words(newest[-1]) + "\n")
            newest.clear()

    def show(progress: SendProgress) -> None:
        nonlocal last
        newest[:] = [progress]
        if time.monotonic() - last >= WORDS_EVERY_SECONDS:
            last = time.monotonic()
            say()

    opened.callback(say)
    return show


def in_words(progress: SendProgress) -> str:
    """The progress as text, such as `12,000 of 50,000 sent, 3 refused`."""
    total = f" of {progress.total:,}" if progress.total is not None else ""
    refused = f", {progress.refused:,} refused" if progress.refused else ""
    return f"{progress.done - progress.refused:,}{total} sent{refused}"


publish(globals())
