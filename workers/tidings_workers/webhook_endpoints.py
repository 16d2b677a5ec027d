"""The webhook endpoints of a tenant, as its record has them. Pure."""

from collections.abc import Collection
from typing import Final, Literal

from msgspec import Struct

from tidings.protocol.events import EVENT_TYPES, EVENTS_LOST

ROTATION_MS: Final = 24 * 3600 * 1000

Reason = Literal["gone", "failing"]


class Webhook(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An endpoint that receives events. Times are Unix ms; never answer or log the secrets.

    `events` are types, or patterns as ``user.*`` and ``*``. Until `previous_until` requests have the
    signature of `previous_secret` too. `disabled_reason` and `disabled_at` are set when the service disabled
    it.
    """

    id: str
    url: str
    events: tuple[str, ...]
    secret: str
    created_at: int
    description: str = ""
    enabled: bool = True
    previous_secret: str = ""
    previous_until: int = 0
    disabled_reason: Reason | None = None
    disabled_at: int = 0

    def __repr__(self) -> str:
        # Without the secrets: a repr may be logged.
        return f"Webhook(id={self.id!r}, url={self.url!r})"

    def secrets(self, now: int) -> tuple[str, ...]:
        """The secrets that sign a request at a time."""
        if self.previous_secret and now < self.previous_until:
            return self.secret, self.previous_secret
        return (self.secret,)

    @property
    def wish(self) -> str:
        """The name under which it wants its types of events."""
        return f"webhook/{self.id}"

    @property
    def types(self) -> frozenset[str]:
        """The types of events that it receives."""
        return matching(self.events)


def matching(patterns: Collection[str]) -> frozenset[str]:
    """The types that match one of the patterns."""
    return frozenset(kind for kind in EVENT_TYPES if any(_matches(kind, each) for each in patterns))


def _matches(kind: str, pattern: str) -> bool:
    return pattern in (kind, "*") or (pattern.endswith(".*") and kind.startswith(pattern[:-1]))


def known_type(kind: str) -> bool:
    """Whether an event of this type exists, the notice of lost events included."""
    return kind == EVENTS_LOST or kind in EVENT_TYPES
