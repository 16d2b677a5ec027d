"""Frames that wait for the answer to a mark, so that a connection gets changes in the order of versions.

The store replies to a mark while the feeds report it and later marks, in any order. A client applies frames
as they arrive: with the answer after the frame of a later change, it would keep the earlier state.

A frame is sent with the counts of its version. A client subtracts its own marks without an answer from them,
so counts that contain the change of a later frame would be too low until that frame.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tidings.protocol.frames import Counts
from tidings_workers.gateway.users import Subscriber

Send = Callable[[Counts | None], None]
"""Sends a frame with these counts; with those of now when None."""


class _Held(NamedTuple):
    version: int
    is_change: bool
    counts: Counts
    send: Send


class HeldChanges:
    """The frames that wait, of one gateway's connections with a mark or the use of an action in progress.

    A connection without one has no state here.
    """

    def __init__(self) -> None:
        self._held: dict[Subscriber, list[_Held]] = {}

    def hold(self, subscriber: Subscriber) -> None:
        """Hold the frames for a connection from now on, until `release`."""
        self._held[subscriber] = []

    def is_holding(self, subscriber: Subscriber) -> bool:
        """Whether the connection has a mark in progress, so that `add` must get its frames."""
        return subscriber in self._held

    def add(
        self, subscriber: Subscriber, version: int, counts: Counts, send: Send, *, is_change: bool
    ) -> None:
        """Hold a frame with this state version, and the counts of that version.

        `is_change`: the frame reports the change that led to the version.
        """
        self._held[subscriber].append(_Held(version, is_change, counts, send))

    def settle(self, subscriber: Subscriber, version: int) -> Counts | None:
        """Send the frames before the answer of a mark that led to a version. The caller sends the answer.

        The answer replaces the frame of that change. Returns its counts; None for those of now.
        """
        held = self._held[subscriber]
        later = self._held[subscriber] = [each for each in held if each.version > version]
        counts = None
        for each in held:
            if each.version == version and each.is_change:
                counts = each.counts
            elif each.version <= version:
                each.send(each.counts)
        return counts if later else None

    def flush(self, subscriber: Subscriber) -> None:
        """Send the frames that wait, and hold the next ones."""
        held, self._held[subscriber] = self._held[subscriber], []
        _send_all(held)

    def release(self, subscriber: Subscriber) -> None:
        """Send the frames that wait, and hold no further ones."""
        _send_all(self._held.pop(subscriber))


def _send_all(held: Sequence[_Held]) -> None:
    for each in held[:-1]:
        each.send(each.counts)
    for last in held[-1:]:
        # A notification may have arrived since: the counts of now contain it.
        last.send(None)
