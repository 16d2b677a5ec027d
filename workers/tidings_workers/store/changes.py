"""Changes of state, as the journal and the feeds have them."""

from typing import Final

import msgspec
from msgspec import Struct

from tidings.protocol.frames import State
from tidings_workers.store.intervals import Bounds


class ActedAt(Struct, frozen=True):
    """The user used an action of a notification, which has this position of the log with this base."""

    id: str
    action: str
    base: str
    position: int


class SnoozedAt(Struct, omit_defaults=True, frozen=True):
    """Notifications were snoozed until a time (ms), or their snooze ended; with their positions by base."""

    ids: tuple[str, ...]
    positions: dict[str, Bounds]
    until: int | None = None


class Change(Struct, omit_defaults=True, frozen=True):
    """One mark as it was applied, for the journal and the gateways.

    `positions` by the bases of the logs are the changed ones. A long list is left out; then the reader reads
    the state instead. `ids` are set when single notifications were marked, else `up_to` by the names of logs.

    With `acted` nothing was marked: `positions` and `ids` are empty, so that a process of an earlier version
    changes nothing, and `state` is of no meaning. The same applies to `snoozed` of a user's request; at the
    time of the return `state` is `unseen`, and `ids` and `positions` have the notifications that returned.
    """

    state: State
    at: int
    positions: dict[str, Bounds] | None = None
    ids: tuple[str, ...] | None = None
    up_to: dict[str, int] | None = None
    all: bool = False
    category: str | None = None
    acted: ActedAt | None = None
    snoozed: SnoozedAt | None = None


decode_change: Final = msgspec.json.Decoder(Change).decode
