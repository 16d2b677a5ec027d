"""The blocking client."""

import asyncio
import ssl
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import httpx

from tidings import _options as options
from tidings import _wire as wire
from tidings._calls import sending
from tidings._calls.call import Call
from tidings._credentials import AsyncTokenSource, Credential, TokenSource
from tidings._events import BATCH, EventStream, Reading
from tidings._exchange import Done, Exchange
from tidings._export import export
from tidings._keywords import checks_keywords
from tidings._listen.arguments import BUFFER
from tidings._listen.backoff import ReconnectPolicy
from tidings._models import SentNotification
from tidings._outbox import WINDOW, checked_window
from tidings._pool import Pools
from tidings._public import publish
from tidings._resources import Groups, Inbox, Tokens, Users
from tidings._retries import Retries
from tidings._sending import Sending
from tidings._token import UserToken
from tidings._upstream_setting import UpstreamSettings
from tidings._webhook_settings import Webhooks
from tidings._wire import Wire
from tidings.protocol import limits
from tidings.protocol.frames import Resume

if TYPE_CHECKING:
    from tidings._blocking_sender import Sender
    from tidings._listen.blocking import BlockingEvent, BlockingInbox

T = TypeVar("T")


class Tidings(Sending):
    """The blocking client of one Tidings server. Make one and share it between threads.

    A child process after `fork` opens its own connections.

    `url` is the URL of the API, such as ``http://127.0.0.1:8000``. Give either `key`,
    ``<tenant>.<kid>.<secret>``, from which the client signs its own short-lived tokens, or `token`, a JWT or
    a callable that returns one. `timeout` is in seconds, per try. `retries` is the number of tries after the
    first, or a `RetryPolicy`. At most `max_connections` calls run at a time; others wait, and their timeouts
    begin after that wait. `ssl_context` replaces the certificates of `SSL_CERT_FILE`, `SSL_CERT_DIR` and the
    usual authorities. `proxy` is the URL of a proxy, or True for the proxy of the environment; the default
    is no proxy. Both apply to HTTP and to WebSockets. A `transport` of httpx replaces the HTTP connections.

    Every method raises `APIError` if the server refuses, `ConnectionFailedError` if no answer arrives, and
    `InvalidArgumentError` before it sends an argument that is not valid. Every call is safe to repeat,
    but `webhooks.create` and `webhooks.rotate`: those are tried once.
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
        self.upstream = UpstreamSettings(self._run)
        self.webhooks = Webhooks(self._run)

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
        """A client with the URL of `TIDINGS_URL` and the key of `TIDINGS_KEY`.

        `url`, `key` and `token` replace those of the environment. The other options are those of the
        constructor. Raises ConfigurationError if the URL or the key is missing.
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
        """Close the connections, each when its call is finished. Later calls raise ClientClosedError."""
        self._pools.close()

    @checks_keywords
    def events(
        self,
        *,
        types: Iterable[str] | str = (),
        consumer: str | None = None,
        after: str | None = None,
        wait: int = limits.EVENTS_WAIT_SECONDS,
        batch: int = BATCH,
        retries: Retries | None = None,
    ) -> EventStream:
        """The events of the tenant, without an end. `types` are those of docs/events.md; empty for all.

        With a `consumer` the server keeps the position, and each event goes to one of its readers. It is
        acknowledged when the next one is taken; otherwise it is handed out again after 60 seconds. Without a
        consumer the position is the caller's: `after` is the `position` of an earlier iteration, or `now`.

        A request waits `wait` seconds for events and gets at most `batch`. Needs the scope `events`.
        """
        return EventStream(self._run, Reading(types, consumer, after, wait, batch), retries)

    @checks_keywords
    def export(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Generator[SentNotification]:
        """All sent notifications in order of their ids, oldest first, those of the history too.

        They arrive as a stream, in constant memory; `close()` ends it early. `since` (inclusive) and `until`
        (exclusive) have a time zone. Raises the APIError of the last line if the export is incomplete.
        """
        call = sending.export(since, until)
        policy = options.policy_of(retries, self._policy)
        return export(
            Exchange(call, self._url, policy, renewable=self._credential.renewable),
            call,
            self._pools.current,
            lambda renew: self._credential.token(call.scope, renew=renew),
            self._sleep,
            wire.timeouts_of(timeout, self._wire.timeouts),
        )

    def inbox(self, user: str | None = None) -> Inbox:
        """The inbox of `user`. A client that was made with a user's own token needs no `user`."""
        options.check_owner(user, holds_key=self._credential.holds_key)
        return Inbox(self._run, user)

    @checks_keywords
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
        topics: Iterable[str] | str | None = None,
        buffer: int = BUFFER,
        reconnect: ReconnectPolicy | None = None,
    ) -> "BlockingInbox":
        """A live inbox. Enter it with `with`, then iterate it for deliveries.

        User: a client with a key needs `user`. A client with a user's own token needs `realtime_url`
        instead. `token` with `realtime_url` replaces the client's own token, and may be a callable.
        Start: by default the inbox starts with new notifications. A `device`, 1 to 64 characters as in ids,
        continues after the positions that it last acknowledged, also in another process. `resume` starts
        after given positions, from `InboxPage.resume` or `LiveInbox.resume_point`. `rewind` starts with the
        last N notifications, at most 200.
        `on_event` is called in order with each event that is not a delivery, in the iterating thread.
        `topics`: patterns of the topics to which `subscribe` may subscribe, for a client with a key.
        `buffer`: the number of events that wait for the application before reading from the socket pauses.
        `reconnect`: the waits before reconnecting.

        Raises ConfigurationError if the keywords do not name the user or the address.
        """
        from tidings._listen.blocking import BlockingInbox  # noqa: PLC0415 - websockets cost 70 ms
        from tidings._listen.opening import opener  # noqa: PLC0415

        async def create(
            user: str, *, expires_in: int = 3600, topics: Iterable[str] | None = None
        ) -> UserToken:
            return await asyncio.to_thread(self.tokens.create, user, expires_in=expires_in, topics=topics)

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
            topics=topics,
            buffer=buffer,
            reconnect=reconnect,
        )
        return BlockingInbox(live, on_event)

    @checks_keywords
    def sender(
        self,
        *,
        realtime_url: str | None = None,
        window: int = WINDOW,
        reconnect: ReconnectPolicy | None = None,
    ) -> "Sender":
        """A sender, for services that send much: one WebSocket. Enter it with `with`.

        Its `send` has the arguments and the result of the client's `send`. Each send is repeated after a lost
        connection with the same idempotency key, so it takes effect once. The key or token needs the scope
        `send`. `realtime_url` replaces the address that the API gives. At most `window` sends are under way;
        more wait. `reconnect`: the waits before reconnecting.
        """
        from tidings._blocking_sender import Sender  # noqa: PLC0415 - websockets cost 70 ms
        from tidings._sender import AsyncSender, SenderOptions  # noqa: PLC0415

        async def address() -> str:
            if realtime_url is not None:
                return realtime_url
            return (await asyncio.to_thread(self._run, sending.realtime_address())).realtime_url

        options = SenderOptions(
            address=address,
            credential=self._credential.for_async(),
            wire=self._wire,
            retries=self._policy,
            reconnect=reconnect or ReconnectPolicy(),
            window=checked_window(window),
        )
        return Sender(AsyncSender(options))

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
                outcome = pool.request(call, exchange, token, limits)
            step = exchange.next_step(outcome)
            if isinstance(step, Done):
                return step.value
            renew = step.renew
            self._sleep(step.wait)


publish(globals())
