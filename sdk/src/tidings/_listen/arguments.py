"""What `listen` takes, for code that keeps the keywords before it calls."""

from typing import Final, TypedDict

from tidings import _publish
from tidings._credentials import AsyncTokenSource
from tidings._listen.backoff import ReconnectPolicy
from tidings.protocol.frames import Resume

BUFFER: Final = 256


class ListenOptions(TypedDict, total=False):
    """The keywords of `listen` as a dict, for code that keeps them: `tidings.listen(**options)`.

    user: who listens, with a client that has a key; a client with a user's own token names none.
    device: its name, 1 to 64 characters as in ids: it goes on where it last acknowledged, also in another
        process.
    resume: positions to start at, as of `InboxPage.resume` or `LiveInbox.resume_point`.
    rewind: start with the last so many, at most 200.
    token: a user's token, or a callable that gives one, in place of the client's own; with `realtime_url`.
    realtime_url: where to connect, such as ``ws://127.0.0.1:8001/v1/realtime``; else the API says it.
    buffer: how many events (256) wait for the application before the socket is no longer read.
    reconnect: a `ReconnectPolicy`: how long it waits before it connects again.

    Without `device`, `resume` and `rewind` it starts now.
    """

    user: str | None
    device: str | None
    resume: Resume | None
    rewind: int | None
    token: AsyncTokenSource | None
    realtime_url: str | None
    buffer: int
    reconnect: ReconnectPolicy | None


_publish(globals())
