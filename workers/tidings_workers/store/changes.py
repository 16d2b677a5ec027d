"""Changes of state, as the journal and the feeds have them."""

from typing import Final

import msgspec
from msgspec import Struct

from tidings.protocol.frames import State
from tidings_workers.store.intervals import Bounds


class Change(Struct, omit_defaults=True, frozen=True):
    """One mark as it was applied, for the journal and the gateways.

    `positions` by the bases of the logs are the changed ones. A long list is left out; then the reader reads
    the state instead. `ids` are set when single notifications were marked, else `up_to` by the names of logs.
    """

    state: State
    at: int
    positions: dict[str, Bounds] | None = None
    ids: tuple[str, ...] | None = None
    up_to: dict[str, int] | None = None
    all: bool = False
    category: str | None = None


decode_change: Final = msgspec.json.Decoder(Change).decode
