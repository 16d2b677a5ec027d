"""The parts that frames of both sides have."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from tidings.protocol.names import (
    IDEMPOTENCY_KEY_PATTERN,
    IDEMPOTENCY_KEY_RULE,
    Position,
)
from tidings.protocol.plain import Plain

SUBPROTOCOL: Final = "tidings.v1"

Positions = dict[str, Position]
State = Literal["seen", "unseen", "read", "unread", "archived", "unarchived"]
Ref = Annotated[str, Meta(max_length=128)] | int
IdempotencyKey = Annotated[
    str,
    Meta(
        pattern=IDEMPOTENCY_KEY_PATTERN,
        description=f"The name of a send or a message: {IDEMPOTENCY_KEY_RULE}.",
    ),
]


class Resume(Plain, frozen=True, omit_defaults=True):
    """The progress of a client: everything up to these positions arrived, in this epoch.

    A topic among the positions is subscribed to again, as by `subscribe` with `after`.

    With `state_version`, the last version that the client received, the server also sends the marks made
    since.
    """

    epoch: str
    positions: Positions = msgspec.field(default_factory=dict)
    state_version: Position | None = None
