"""What a live inbox tells besides deliveries."""

from typing import Literal

from msgspec import Struct


class Connected(Struct, frozen=True):
    """The connection stands.

    `resume` says how it continues: `none` (from here on), `complete` (nothing was missed), or `gap`
    (a `Gap` follows for each log of which something cannot be had).
    """

    connection: str
    user: str
    resume: Literal["none", "complete", "gap"]


class Disconnected(Struct, frozen=True):
    """The connection ended and is tried again in `retry_in` seconds. `code` is None where it just broke."""

    code: int | None
    reason: str
    retry_in: float
