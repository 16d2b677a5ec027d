"""The keywords of `listen` as a type, for code that stores them before the call."""

from collections.abc import Iterable
from typing import Final, TypedDict

from tidings._credentials import AsyncTokenSource
from tidings._listen.backoff import ReconnectPolicy
from tidings._public import publish
from tidings.protocol.frames import Resume

BUFFER: Final = 256


class ListenOptions(TypedDict, total=False):
    """The keywords of `listen` as a dict, for code that stores them: `tidings.listen(**options)`.

    user: the user of the inbox, for a client with a key; a client with a user's own token needs none.
    device: the name of the device, 1 to 64 characters as in ids. The inbox continues after the positions that
        this device last acknowledged, also in another process.
    resume: the positions to start after, from `InboxPage.resume` or `LiveInbox.resume_point`.
    rewind: start with the last N notifications, at most 200.
    token: a user's token, or a callable that returns one, instead of the client's own; with `realtime_url`.
    realtime_url: the URL to connect to, such as ``ws://127.0.0.1:8001/v1/realtime``; else that of the API.
    topics: patterns of the topics to which `LiveInbox.subscribe` may subscribe, for a client with a key.
    buffer: the number of events (256) that wait for the application before reading from the socket pauses.
    reconnect: a `ReconnectPolicy`, the waits before reconnecting.

    Without `device`, `resume` and `rewind` the inbox starts with new notifications.
    """

    user: str | None
    device: str | None
    resume: Resume | None
    rewind: int | None
    token: AsyncTokenSource | None
    realtime_url: str | None
    topics: Iterable[str] | str | None
    buffer: int
    reconnect: ReconnectPolicy | None


publish(globals())
