"""The blocking client."""

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from tidings import _options as options
from tidings import _publish
from tidings import _wire as wire
from tidings._calls import sending
from tidings._calls.batches import Batch, encoded
from tidings._calls.call import Call
from tidings._credentials import AsyncTokenSource, Credential, TokenSource
from tidings._exchange import Done, Exchange
from tidings._keywords import explained
from tidings._listen.arguments import BUFFER
from tidings._listen.backoff import ReconnectPolicy
from tidings._many import CONCURRENCY, check, key_of, send_many
from tidings._messages import Message
from tidings._models import BatchResult, Page, Sent, SentNotification, UserReceipt
from tidings._pages import Extent, Pages
from tidings._pool import Pools
from tidings._progress import SendProgress
from tidings._resources import Groups, Inbox, Tokens, Users
from tidings._retries import Retries
from tidings._token import UserToken
from tidings._wire import Wire
from tidings.protocol.frames import Resume
from tidings.protocol.notifications import Action, Priority

if TYPE_CHECKING:
    from tidings._listen.blocking import BlockingEvent, BlockingInbox

T = TypeVar("T")


class Tidings:
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

    @explained
    def send(
        self,
        *,
        to_users: Iterable[str] | str = (),
        to_groups: Iterable[str] | str = (),
        to_all: bool = False,
        exclude: Iterable[str] | str = (),
        category: str | None = None,
        title: str | None = None,
        body: str | None = None,
        data: Mapping[str, Any] | None = None,
        link: str | None = None,
        icon: str | None = None,
        actions: Iterable[Action | Mapping[str, Any]] = (),
        priority: Priority = "normal",
        expires_in: int | timedelta | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Sent:
        """Send one notification to users, groups or all.

        `to_users`, `to_groups`, `to_all`: who gets it, one copy each: ids, a lone string is a list of one;
        up to 1,000 users and 100 groups. `exclude`: ids of users who get none.
        `title`, `body`: text; `data`: a JSON object for your own code; one of the three is needed.
        `category`: what it is about, up to 128 characters; inboxes filter by it.
        `link`, `icon`: http, https, mailto, or a path beginning with one slash.
        `actions`: up to 10 buttons: `Action`, or dicts with `id`, `label` and perhaps `link`.
        `priority`: low, normal, high or urgent.
        `expires_in`: seconds, or a timedelta, until it is removed from inboxes; at most a year.
        `idempotency_key`: within 24 hours the same key gives the first answer again; without one, each call
        is a send of its own.

        It is accepted when this returns, and in the inboxes milliseconds later. At most 32 KB as JSON.
        """
        message = Message(
            to_users=to_users,
            to_groups=to_groups,
            to_all=to_all,
            exclude=exclude,
            category=category,
            title=title,
            body=body,
            data=data,
            link=link,
            icon=icon,
            actions=actions,
            priority=priority,
            expires_in=expires_in,
        )
        return self._run(sending.send(message, idempotency_key), timeout=timeout, retries=retries)

    @explained
    def send_batch(
        self,
        messages: Iterable[Message | Mapping[str, Any]],
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> list[BatchResult]:
        """Send up to 1,000 messages, at most 4 MB, in one request.

        Each is a dict with the keywords of `send`, or a `Message`. Gives one `BatchResult` for each, in
        order: a message that is refused, here or by the server, has its `error` there and stops no other.
        Raises InvalidArgumentError for more than a batch holds: `send_many` takes any number.
        """
        batch = Batch()
        for message in messages:
            batch.add(encoded(message))
        batch.check()
        return self._deliver(batch, idempotency_key, timeout=timeout, retries=retries)

    @explained
    def send_many(
        self,
        messages: Iterable[Message | Mapping[str, Any]],
        *,
        concurrency: int = CONCURRENCY,
        progress: bool | Callable[[SendProgress], object] | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Iterator[BatchResult]:
        """Send any number of messages, in batches of up to 1,000, and give a result for each, in order.

        `messages` is read as it is needed, once: a list, a generator, a file's lines decoded. At most
        `concurrency` batches are under way at a time, and no more are held. A message that is refused has
        its error in its `BatchResult`, and does not stop the others; `index` is its place in `messages`.
        A batch that gets no answer, or that the server refuses as a whole, raises out of the iteration
        after its retries, when the results before it were given.

        Nothing is sent before the first result is asked for. `progress=True` shows a bar on stderr (lines
        without `tidings[cli]`); a callable gets a `SendProgress` after each batch. With an
        `idempotency_key`, the same messages may be sent again within 24 hours, as after an interruption:
        what was accepted before is not sent twice.
        """
        check(concurrency, idempotency_key)

        def deliver(batch: Batch) -> list[BatchResult]:
            key = key_of(batch, idempotency_key)
            return self._deliver(batch, key, timeout=timeout, retries=retries)

        return send_many(messages, deliver, concurrency=concurrency, progress=progress)

    def _deliver(
        self, batch: Batch, idempotency_key: str | None, *, timeout: float | None, retries: Retries | None
    ) -> list[BatchResult]:
        call = batch.call(idempotency_key)
        return batch.refused() if call is None else self._run(call, timeout=timeout, retries=retries)

    def get(
        self, notification: str, *, timeout: float | None = None, retries: Retries | None = None
    ) -> SentNotification:
        """A sent notification with its status and receipts."""
        return self._run(sending.get(notification), timeout=timeout, retries=retries)

    def recall(
        self, notification: str, *, timeout: float | None = None, retries: Retries | None = None
    ) -> None:
        """Take a notification back: from every inbox, count, replay and open client."""
        self._run(sending.recall(notification), timeout=timeout, retries=retries)

    @explained
    def sent(
        self,
        *,
        category: str | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Pages[Page[SentNotification], SentNotification]:
        """What was sent, newest first, each with status and receipts.

        `limit` is the most items that it gives in all, `page_size` how many one request asks for, at most
        200; `cursor` is where to begin, as a page says.
        """
        return Pages(
            lambda size, at: self._run(sending.sent(category, size, at), timeout=timeout, retries=retries),
            Extent(limit, page_size, cursor),
        )

    @explained
    def receipts(
        self,
        notification: str,
        *,
        limit: int | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Pages[Page[UserReceipt], UserReceipt]:
        """Who of the recipients got, saw and read a notification; `limit` and the rest as in `sent`.

        For what was sent to users, or to several groups; of one to a single group or to all only the counts
        are kept, which `get` has: InvalidRequestError.
        """
        return Pages(
            lambda size, at: self._run(
                sending.receipts(notification, size, at), timeout=timeout, retries=retries
            ),
            Extent(limit, page_size, cursor),
        )

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
