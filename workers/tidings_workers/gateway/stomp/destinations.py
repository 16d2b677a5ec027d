"""Destinations of STOMP frames, as Spring's simple broker names them."""

from typing import Final

from msgspec import Struct

from tidings_workers.gateway.stomp.frames import StompError

# Where replies of the application arrive.
REPLIES: Final = "/user/queue/reply"
# The destination that gets the whole inbox.
INBOX: Final = "notifications"

_FORMS: Final = "/user/queue/notifications, /user/queue/<category>, /topic/<name> or /queue/<name>"


class Inbox(Struct, frozen=True):
    """The inbox of the user, or one category of it with those that begin with it and a dot."""

    category: str | None

    def has(self, category: str) -> bool:
        """Whether a notification of this category belongs to it."""
        mine = self.category
        return mine is None or category == mine or category.startswith(mine + ".")


class Replies(Struct, frozen=True):
    """The replies of the application to the messages of this connection."""


class TopicName(Struct, frozen=True):
    """A topic."""

    topic: str


class Event(Struct, frozen=True):
    """A message to the application."""

    name: str


class UserQueue(Struct, frozen=True):
    """The queue of another user, to which no client may send."""


def readable(destination: str) -> Inbox | TopicName | Replies:
    """The source of a subscription. Raises StompError. Wildcards are literal."""
    if destination == REPLIES:
        return Replies()
    for prefix in ("/user/queue/", "/user/topic/"):
        if destination.startswith(prefix) and destination != prefix:
            name = destination.removeprefix(prefix)
            return Inbox(None if name == INBOX and prefix == "/user/queue/" else name)
    topic = _topic(destination)
    if topic is None:
        raise StompError("invalid_request", f"Subscribe to {_FORMS}. To /app/<event> a client only sends.")
    return topic


def writable(destination: str) -> TopicName | Event | UserQueue:
    """The target of a SEND. Raises StompError."""
    if destination.startswith("/app/") and destination != "/app/":
        return Event(destination.removeprefix("/app/"))
    if destination.startswith("/user/"):
        return UserQueue()
    topic = _topic(destination)
    if topic is None:
        raise StompError("invalid_request", "Send to /topic/<name>, /queue/<name> or /app/<event>.")
    return topic


def _topic(destination: str) -> TopicName | None:
    if destination.startswith("/topic/") and destination != "/topic/":
        return TopicName(destination.removeprefix("/topic/"))
    if destination.startswith("/queue/") and destination != "/queue/":
        return TopicName(destination.removeprefix("/"))
    return None
