"""Queues new entries of a log for the connections that are live on it."""

from collections.abc import Collection, Sequence
from typing import Protocol

from tidings_workers.gateway.outlet import Outlet
from tidings_workers.gateway.wire import BuiltFrames
from tidings_workers.store.entries import Entry


class TailSubscriber(Protocol):
    """The part of a subscriber that its tails use."""

    @property
    def name(self) -> str:
        """The user's name, to find out whether an entry excludes the user."""

    @property
    def outlet(self) -> Outlet:
        """The destination of its frames."""


def queue_entries(log: str, entries: Sequence[Entry], subscribers: Collection[TailSubscriber]) -> None:
    """Queue entries, at least one, for each subscriber. `log` is the log's name in frames.

    The bytes are built once per encoding, except for users whom some of the entries exclude.
    """
    if len(entries) == 1 and len(subscribers) == 1 and not entries[0].exclude:
        # Most notifications are for one user with one connection: no frame is shared.
        ((entry,), (subscriber,)) = entries, subscribers
        outlet = subscriber.outlet
        outlet.queue(outlet.wire.notification(log, entry.position, entry.content))
        return
    built = BuiltFrames(log, entries)
    excluded = frozenset().union(*(entry.exclude for entry in entries))
    if not excluded:
        wire, data = None, b""
        for subscriber in subscribers:
            outlet = subscriber.outlet
            if outlet.wire is not wire:
                data = built[wire := outlet.wire]
            outlet.queue(data)
        return
    for subscriber in subscribers:
        outlet, user = subscriber.outlet, subscriber.name
        if user not in excluded:
            outlet.queue(built[outlet.wire])
            continue
        for index, entry in enumerate(entries):
            if user not in entry.exclude:
                outlet.queue(built.frame(outlet.wire, index))
