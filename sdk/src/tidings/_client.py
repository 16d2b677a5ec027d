"""The blocking client."""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import httpx

from tidings import _options as options
from tidings import _publish
from tidings import _wire as wire
from tidings._calls.call import Call
from tidings._credentials import AsyncTokenSource, Credential, TokenSource
from tidings._exchange import Done, Exchange
from tidings._keywords import explained
from tidings._listen.arguments import BUFFER
from tidings._listen.backoff import ReconnectPolicy
from tidings._pool import Pools
from tidings._resources import Groups, Inbox, Tokens, Users
from tidings._retries import Retries
from tidings._sending import Sending
from tidings._token import UserToken
from tidings._wire import Wire
from tidings.protocol.frames import Resume

if TYPE_CHECKING:
    from tidings._listen.blocking import BlockingEvent, BlockingInbox

T = TypeVar("T")


class Tidings(Sending):
    """The blocking client of one Tidings server. Make one and share it between threads.

    A child process after `fork` gets connections of its own.

    `url` is the API's, such as ``http://127.0.0.1:8000``. Give either `key`, ``<tenant>.<kid>.<secret>``,
    from which the client signs its own short-lived tokens, or `token`, a JWT or a callable that
    fetches one. `timeout` is in seconds, per try; `retries` counts tries after the first, or is a
    `RetryPolicy`. At most `max_connections` calls are under way at a time; more wait, and their timeouts
    begin after that. `ssl_context` says whom to trust, in place of `SSL_CERT_FILE`, `SSL_CERT_DIR` and the
    usual authorities. `proxy` is a proxy's URL, or True for that of the environment; by default none is
    used. Both are for HTTP and WebSockets alike. A `transport` of httpx takes the place of the connections
    of HTTP.

    Every method raises `APIError` when the server refuses, `ConnectionFailedError` when no answer came,
    and `InvalidArgumentError` before sending what cannot be valid. All are safe to repeat.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        token: TokenSource | None = None,
        timeout: float = wire.TIMEOUT_SECONDS,
        retries: Retries = options.RETRIES,
        max_connections: int = wire.MAX_CONNECTIONS,
        ssl_context: ssl.SSLContext | None = None,
        proxy: wire.Proxy | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._url = options.base_url(url)
        self._credential = Credential(key, token)
        self._policy = options.retry_policy(retries)
        self._wire = Wire(
            self._url,
            timeout=timeout,
            max_connections=max_connections,
            ssl_context=ssl_context,
            proxy=proxy,
        )
        self._pools = Pools(self._wire, transport)
        self._sleep: Callable[[float], None] = time.sleep
        self.groups = Groups(self._run)
        self.tokens = Tokens(self._run)
        self.users = Users(self._run)

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        /,
        *,
        url: str | None = None,
        key: str | None = None,
        token: TokenSource | None = None,
        timeout: float = wire.TIMEOUT_SECONDS,
        retries: Retries = options.RETRIES,
        max_connections: int = wire.MAX_CONNECTIONS,
        ssl_context: ssl.SSLContext | None = None,
        proxy: wire.Proxy | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> Self:
        """The client of `TIDINGS_URL` and `TIDINGS_KEY`; what is given here takes their place.

        The other options are those of the constructor. Raises ConfigurationError where one is missing.
        """
        url, key = options.from_environment(environ, url=url, key=key, keyless=token is not None)
        return cls(
            url,
            key=key,
            token=token,
            timeout=timeout,
            retries=retries,
            max_connections=max_connections,
            ssl_context=ssl_context,
            proxy=proxy,
            transport=transport,
        )

    def __enter__(self) -> Self:
        self._pools.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, each when its call is done. Calls after it raise ClientClosedError."""
        self._pools.close()

    def inbox(self, user: str | None = None) -> Inbox:
        """A user's inbox; with no `user` that of the user's token which the client was made with."""
        options.check_owner(user, holds_key=self._credential.holds_key)
        return Inbox(self._run, user)

    @explained
    def listen(
        self,
        *,
        user: str | None = None,
        device: str | None = None,
        resume: Resume | None = None,
        rewind: int | None = None,
        on_event: "Callable[[BlockingEvent], None] | None" = None,
        token: AsyncTokenSource | None = None,
        realtime_url: str | None = None,
        buffer: int = BUFFER,
        reconnect: ReconnectPolicy | None = None,
    ) -> "BlockingInbox":
        """A live inbox, to be entered with `with`; iterate it for deliveries.

        Who listens: a client with a key names the `user`. A client with a user's own token names none and
        gives `realtime_url`; `token` with `realtime_url` takes the place of the client's own, and may be a
        callable.
        Where it starts: now. A `device`, 1 to 64 characters as in ids, goes on where it last acknowledged,
        also in another process; `resume` starts at given positions, as of `InboxPage.resume` or
        `LiveInbox.resume_point`; `rewind` starts with the last N, at most 200.
        `on_event` is called in order with everything that is no delivery, in the iterating thread.
        `buffer`: so many events wait for the application before the socket is no longer read.
        `reconnect`: how long it waits before it connects again.

        Raises ConfigurationError where the keywords do not say who listens, or where to.
        """
        from tidings._listen.blocking import BlockingInbox  # noqa: PLC0415 - websockets cost 70 ms
        from tidings._listen.opening import opener  # noqa: PLC0415

        async def create(user: str, *, expires_in: int = 3600) -> UserToken:
            return await asyncio.to_thread(self.tokens.create, user, expires_in=expires_in)

        live = opener(
            create,
            self._credential.for_async(),
            on_event=None,
            wire=self._wire,
            first_tries=self._policy.tries,
        )(
            user=user,
            device=device,
            resume=resume,
            rewind=rewind,
            token=token,
            realtime_url=realtime_url,
            buffer=buffer,
            reconnect=reconnect,
        )
        return BlockingInbox(live, on_event)

    def _run(self, call: Call[T], /, *, timeout: float | None = None, retries: Retries | None = None) -> T:
        policy = options.policy_of(retries, self._policy)
        limits = wire.timeouts_of(timeout, self._wire.timeouts)
        exchange = Exchange(call, self._url, policy, renewable=self._credential.renewable)
        renew = False
        while True:
            pool = self._pools.current()
            with pool.gate:
                exchange.begin()
                token = self._credential.token(call.scope, renew=renew)
                outcome = pool.ask(call, exchange, token, limits)
            verdict = exchange.judge(outcome)
            if isinstance(verdict, Done):
                return verdict.value
            renew = verdict.renew
            self._sleep(verdict.wait)


_publish(globals())
