"""A message of a client, as a handler of an upstream gets it."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from tidings._keywords import checks_keywords
from tidings._messages import Message, compose
from tidings._public import publish
from tidings.protocol.messages import UpstreamRequest
from tidings.protocol.notifications import Action, CreateNotification, Priority

_decode: Final = msgspec.json.Decoder(UpstreamRequest).decode


class ClientMessage:
    """A message that a client sent to the application.

    `id` is the same when the same message arrives again, because the first answer was lost: an application
    that must not carry out a message twice remembers it. `user` is the user of the token. A client without
    one has `is_guest`, and a `user` that the server made up for this connection. `device` is None when the
    client named none. `data` is the JSON of the client.
    """

    def __init__(self, id: str, request: UpstreamRequest) -> None:
        message = request.data
        self.id = id
        self.user: str = message.user
        self.is_guest: bool = message.guest
        self.connection: str = message.connection
        self.device: str | None = message.device
        self.event: str = message.event
        self.data: Any = message.data
        self.timestamp: datetime = datetime.fromisoformat(request.timestamp)
        self.notifications: list[CreateNotification] = []

    @checks_keywords
    def send(
        self,
        *,
        to_users: Iterable[str] | str = (),
        to_groups: Iterable[str] | str = (),
        to_all: bool = False,
        exclude: Iterable[str] | str = (),
        to_topics: Iterable[str] | str = (),
        category: str | None = None,
        title: str | None = None,
        body: str | None = None,
        data: Mapping[str, Any] | None = None,
        link: str | None = None,
        icon: str | None = None,
        group_key: str | None = None,
        actions: Iterable[Action | Mapping[str, Any]] = (),
        priority: Priority = "normal",
        expires_in: int | timedelta | None = None,
    ) -> None:
        """Send a notification with the answer to this message; the keywords are those of `Tidings.send`.

        The server accepts it after the handler has returned, and before the client gets the reply. If the
        message arrives again, it is not sent again. Raises InvalidArgumentError.
        """
        message = Message(
            to_users=to_users,
            to_groups=to_groups,
            to_all=to_all,
            exclude=exclude,
            to_topics=to_topics,
            category=category,
            title=title,
            body=body,
            data=data,
            link=link,
            icon=icon,
            group_key=group_key,
            actions=actions,
            priority=priority,
            expires_in=expires_in,
        )
        self.notifications.append(compose(message))

    def __repr__(self) -> str:
        return f"ClientMessage(id={self.id!r}, user={self.user!r}, event={self.event!r})"


def read_message(id: str, body: bytes) -> ClientMessage:
    """The message in the body of a call. Raises msgspec.MsgspecError for a body of another type."""
    return ClientMessage(id, _decode(body))


publish(globals())
