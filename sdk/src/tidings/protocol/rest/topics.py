"""Topics and their notifications."""

from typing import Literal

from msgspec import UNSET, Raw, Struct, UnsetType

from tidings.protocol.names import Timestamp, TopicName


class Topic(Struct, frozen=True):
    """A topic: its last position, and how many connections are subscribed to it now."""

    topic: TopicName
    position: int
    subscribers: int
    created_at: Timestamp


class TopicPage(Struct, frozen=True):
    """A page of topics, sorted by name."""

    items: list[Topic]
    next: str | None
    previous: str | None


class TopicEntry(Struct, frozen=True):
    """One notification of a topic. `notification` is the JSON of a `Notification`, as stored.

    `archived_copy`: it is older than the retention of topics and comes from the history.
    """

    log: str
    position: int
    notification: Raw
    archived_copy: Literal[True] | UnsetType = UNSET


class TopicEntryPage(Struct, frozen=True):
    """A page of the notifications of a topic, newest first.

    `history`: older ones are in the history, which does not answer now.
    """

    items: list[TopicEntry]
    next: str | None
    previous: str | None
    history: Literal["unavailable"] | UnsetType = UNSET
