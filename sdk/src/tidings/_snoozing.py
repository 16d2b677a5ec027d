"""Snoozes as an application writes them, and their conversion to the type of the wire."""

from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

import msgspec

from tidings._errors import InvalidArgumentError
from tidings._invalid import not_valid
from tidings._keywords import checks_keywords
from tidings._marking import Items, ids_of
from tidings._retries import Retries
from tidings.protocol.rest import SnoozeInbox

R_co = TypeVar("R_co", covariant=True)


def compose_snooze(ids: Items, until: datetime | timedelta | None) -> SnoozeInbox:
    """Check a snooze and convert it to the type of the wire. Raises InvalidArgumentError."""
    if isinstance(until, timedelta):
        until = datetime.now(UTC) + until
    elif until is not None and getattr(until, "tzinfo", None) is None:
        raise InvalidArgumentError(
            f"until needs a time with a time zone, such as datetime.now(UTC), or a timedelta: {until!r}"
        )
    wanted = {"ids": ids_of(ids), "until": until}
    try:
        return msgspec.convert(wanted, SnoozeInbox)
    except msgspec.ValidationError as error:
        raise not_valid("snooze", wanted, SnoozeInbox, error) from None


class Snoozes(ABC, Generic[R_co]):
    """An inbox whose items can be snoozed."""

    @abstractmethod
    def _snooze(self, wanted: SnoozeInbox, timeout: float | None, retries: Retries | None) -> R_co: ...

    @checks_keywords
    def snooze(
        self,
        ids: Items,
        until: datetime | timedelta,
        *,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> R_co:
        """Hide items from the inbox and from its counts until a time, at which they are unseen again.

        `until` is a time with a time zone, or the time from now; at most a year. `list(state="snoozed")` has
        the hidden items. Archiving an item ends its snooze. Raises InvalidArgumentError.
        """
        return self._snooze(compose_snooze(ids, until), timeout, retries)

    @checks_keywords
    def unsnooze(self, ids: Items, *, timeout: float | None = None, retries: Retries | None = None) -> R_co:
        """End the snooze of items now: they are in the inbox again, as they were before."""
        return self._snooze(compose_snooze(ids, None), timeout, retries)
