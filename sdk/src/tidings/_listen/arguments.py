"""What `listen` takes."""

from typing import TypedDict

from tidings import _publish
from tidings._credentials import AsyncTokenSource
from tidings._listen.backoff import ReconnectPolicy
from tidings.protocol.frames import Resume


class ListenOptions(TypedDict, total=False):
    """The keywords of `listen`.

    Who listens: a client with a key names the `user`, and tokens are made through the API; a client
    with a user's own token names none and gives `realtime_url`. `token` with `realtime_url` takes the
    place of the client's own; it may be a callable.

    Where it starts: now. A `device` goes on where it last acknowledged, also in another process;
    `resume` starts at given positions, as of `InboxPage.resume` or `LiveInbox.resume_point`; `rewind`
    starts with the last N, at most 200.

    At most `buffer` events (256) wait for the application before the socket is no longer read.
    `reconnect` says how long it waits before it comes back.
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
