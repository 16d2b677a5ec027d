"""Makes a live inbox from the arguments of `listen`, for both clients."""

from collections.abc import Callable, Iterable

from tidings._credentials import AsyncCredential, AsyncTokenSource
from tidings._errors import ConfigurationError, InvalidArgumentError
from tidings._listen.access import AccessSource, CreateToken, GivenAccess, UserAccess
from tidings._listen.arguments import BUFFER
from tidings._listen.backoff import ReconnectPolicy
from tidings._listen.live import EventHook, LiveInbox
from tidings._listen.session import Session
from tidings._listen.session_runner import ConnectOptions
from tidings._wire import Wire, user_agent
from tidings.protocol.frames import Resume
from tidings.protocol.names import DEVICE_RULE, is_device


def opener(
    create: CreateToken,
    credential: AsyncCredential,
    *,
    on_event: EventHook | None,
    wire: Wire,
    first_tries: int,
) -> Callable[..., LiveInbox]:
    """A function from `ListenOptions` to a live inbox, with tokens from `create` or `credential`.

    It raises ConfigurationError if the options do not name the user or the address.
    """

    def open_inbox(
        *,
        user: str | None = None,
        device: str | None = None,
        resume: Resume | None = None,
        rewind: int | None = None,
        token: AsyncTokenSource | None = None,
        realtime_url: str | None = None,
        topics: Iterable[str] | str | None = None,
        buffer: int = BUFFER,
        reconnect: ReconnectPolicy | None = None,
    ) -> LiveInbox:
        if device is not None and not is_device(device):
            raise InvalidArgumentError(f"{device!r} is not the name of a device: it is {DEVICE_RULE}")
        return LiveInbox(
            Session(device=device, resume=resume, rewind=rewind, client=user_agent()),
            ConnectOptions(
                access=_access(create, credential, user, token, realtime_url, topics),
                wire=wire,
                policy=reconnect or ReconnectPolicy(),
                first_tries=first_tries,
            ),
            buffer=buffer,
            on_event=on_event,
        )

    return open_inbox


def _access(
    create: CreateToken,
    credential: AsyncCredential,
    user: str | None,
    token: AsyncTokenSource | None,
    realtime_url: str | None,
    topics: Iterable[str] | str | None,
) -> AccessSource:
    if token is None and user is not None:
        patterns = [topics] if isinstance(topics, str) else None if topics is None else list(topics)
        return UserAccess(create, user, realtime_url, patterns)
    if token is None and credential.holds_key:
        raise ConfigurationError("The live inbox has no user. Call listen(user=...)")
    if realtime_url is None:
        raise ConfigurationError("A token does not have the realtime URL. Give realtime_url=... as well")
    return GivenAccess(credential if token is None else AsyncCredential(None, token), realtime_url)
