"""Topics and their notifications."""

from msgspec import Raw, Struct

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
    """One notification of a topic. `notification` is the JSON of a `Notification`, as stored."""

    log: str
    position: int
    notification: Raw


class TopicEntryPage(Struct, frozen=True):
    """A page of the notifications of a topic, newest first."""

    items: list[TopicEntry]
    next: str | None
    previous: str | None
