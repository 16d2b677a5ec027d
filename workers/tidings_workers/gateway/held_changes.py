"""Frames that wait for the answer to a mark, so that a connection gets changes in the order of versions.

The store replies to a mark while the feeds report it and later marks, in any order. A client applies frames
as they arrive: with the answer after the frame of a later change, it would keep the earlier state.
"""

from collections.abc import Callable
from typing import NamedTuple

from tidings_workers.gateway.users import Subscriber


class _Held(NamedTuple):
    version: int
    is_change: bool
    send: Callable[[], None]


class HeldChanges:
    """The frames that wait, of one gateway's connections with a mark or the use of an action in progress.

    A connection without one has no state here.
    """

    def __init__(self) -> None:
        self._held: dict[Subscriber, list[_Held]] = {}

    def hold(self, subscriber: Subscriber) -> None:
        """Hold the frames for a connection from now on, until `release`."""
        self._held[subscriber] = []

    def add(self, subscriber: Subscriber, version: int, send: Callable[[], None], *, is_change: bool) -> bool:
        """Hold a frame with this state version; False when the connection has no mark in progress.

        `is_change`: the frame reports the change that led to the version.
        """
        held = self._held.get(subscriber)
        if held is None:
            return False
        held.append(_Held(version, is_change, send))
        return True

    def settle(self, subscriber: Subscriber, version: int, *, own: bool) -> None:
        """Send the held frames up to the version of an answer, which the caller sends next.

        `own`: the mark led to that version, so the answer replaces the frame of that change.
        """
        held = self._held[subscriber]
        self._held[subscriber] = [each for each in held if each.version > version]
        for each in held:
            if each.version < version or (each.version == version and not (own and each.is_change)):
                each.send()

    def release(self, subscriber: Subscriber) -> None:
        """Send what is held, and hold nothing more."""
        for each in self._held.pop(subscriber):
            each.send()
