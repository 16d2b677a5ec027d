"""The blocking client."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, Unpack

import httpx

from tidings import _options as options
from tidings import _publish
from tidings._calls import sending
from tidings._calls.call import Answer, Call
from tidings._credentials import Credential, TokenSource
from tidings._errors import APIError
from tidings._exchange import Done, Exchange, Failure
from tidings._listen.arguments import ListenOptions
from tidings._messages import Message
from tidings._models import BatchSent, Page, Sent, SentNotification, UserReceipt, UserToken
from tidings._pages import Pages
from tidings._resources import Groups, Inbox, Tokens, Users
from tidings._retries import Retries

if TYPE_CHECKING:
    from tidings._listen.blocking import BlockingEvent, BlockingInbox

T = TypeVar("T")


class Tidings:
    """The blocking client of one Tidings server. Safe to share between threads.

    `url` is the API's, such as ``http://127.0.0.1:8000``. Give either `key`, ``<tenant>.<kid>.<secret>``,
    from which the client signs its own short-lived tokens, or `token`, a JWT or a callable that
    fetches one. `timeout` is in seconds, per try; `retries` counts tries after the first, or is a
    `RetryPolicy`. Proxies of the environment are not used: give a `transport` of httpx for that.

    Every method raises `APIError` when the server refuses, `ConnectionFailedError` when no answer came,
    and `InvalidArgumentError` before sending what cannot be valid. All are safe to repeat.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        token: TokenSource | None = None,
        timeout: float = options.TIMEOUT_SECONDS,
        retries: Retries = options.RETRIES,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._url = options.base_url(url)
        self._credential = Credential(key, token)
        self._policy = options.retry_policy(retries)
        self._timeout = timeout
        self._timeouts = options.timeouts(timeout)
        self._sleep: Callable[[float], None] = time.sleep
        self._http = httpx.Client(
            timeout=self._timeouts,
            limits=options.CONNECTIONS,
            transport=transport,
            trust_env=False,
            headers={"User-Agent": options.user_agent()},
        )
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
        timeout: float = options.TIMEOUT_SECONDS,
        retries: Retries = options.RETRIES,
        transport: httpx.BaseTransport | None = None,
    ) -> Self:
        """The client of `TIDINGS_URL` and `TIDINGS_KEY`; what is given here takes their place.

        The other options are those of the constructor. Raises ConfigurationError where one is missing.
        """
        url, key = options.from_environment(environ, url=url, key=key, keyless=token is not None)
        return cls(url, key=key, token=token, timeout=timeout, retries=retries, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections. The client cannot be used afterwards."""
        self._http.close()

    def send(
        self,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
        **message: Unpack[Message],
    ) -> Sent:
        """Send one notification; `Message` lists the keywords.

        It is accepted when this returns, and in the inboxes milliseconds later. Within 24 hours the
        same `idempotency_key` gives the first answer again; without one, each call is a send of its own.
        """
        return self._run(sending.send(message, idempotency_key), timeout=timeout, retries=retries)

    def send_batch(
        self,
        messages: Iterable[Message],
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> list[BatchSent | APIError]:
        """Send up to 1,000 notifications in one request.

        Gives one result per message, in order: what was refused is an `APIError` in its place, not raised.
        """
        return self._run(sending.send_batch(messages, idempotency_key), timeout=timeout, retries=retries)

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

    def sent(
        self,
        *,
        category: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Pages[Page[SentNotification], SentNotification]:
        """What was sent, newest first, each with status and receipts; `limit` is the size of a page."""
        return Pages(
            lambda at: self._run(sending.sent(category, limit, at), timeout=timeout, retries=retries), cursor
        )

    def receipts(
        self,
        notification: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Pages[Page[UserReceipt], UserReceipt]:
        """Who of the recipients got, saw and read a notification, page by page.

        For what went to users, or to several groups; of one to a single group or to all only the counts
        are kept, which `get` has: InvalidRequestError.
        """
        return Pages(
            lambda at: self._run(sending.receipts(notification, limit, at), timeout=timeout, retries=retries),
            cursor,
        )

    def inbox(self, user: str | None = None) -> Inbox:
        """A user's inbox; with no `user` that of the user's token which the client was made with."""
        return Inbox(self._run, user)

    def listen(
        self,
        *,
        on_event: "Callable[[BlockingEvent], None] | None" = None,
        **options: Unpack[ListenOptions],
    ) -> "BlockingInbox":
        """A live inbox, to be entered with `with`; `ListenOptions` lists the keywords.

        It runs on an event loop in a thread of its own; `on_event` is called in the iterating thread, in
        order, with everything that is no delivery. Raises ConfigurationError where the keywords do not
        say who listens, or where to.
        """
        from tidings._listen.blocking import BlockingInbox  # noqa: PLC0415 - websockets cost 70 ms
        from tidings._listen.opening import opener  # noqa: PLC0415

        async def create(user: str, *, expires_in: int = 3600) -> UserToken:
            return await asyncio.to_thread(self.tokens.create, user, expires_in=expires_in)

        live = opener(
            create,
            self._credential.for_async(),
            on_event=None,
            timeout=self._timeout,
            first_tries=self._policy.tries,
        )(**options)
        return BlockingInbox(live, on_event)

    def _run(self, call: Call[T], /, *, timeout: float | None = None, retries: Retries | None = None) -> T:
        policy = options.policy_of(retries, self._policy)
        limits = options.timeouts_of(timeout, self._timeouts)
        exchange = Exchange(call, self._url, policy, renewable=self._credential.renewable)
        renew = False
        while True:
            exchange.begin()
            token = self._credential.token(call.scope, renew=renew)
            verdict = exchange.judge(self._try(call, exchange, token, limits))
            if isinstance(verdict, Done):
                return verdict.value
            renew = verdict.renew
            self._sleep(verdict.wait)

    def _try(
        self, call: Call[T], exchange: Exchange[T], token: str, limits: httpx.Timeout
    ) -> Answer | Failure:
        try:
            response = self._http.request(
                call.method,
                exchange.url,
                params=call.query or None,
                content=call.body,
                headers=exchange.headers(token),
                timeout=limits,
            )
        except httpx.RequestError as error:
            return options.failure_of(error, limits)
        return options.answer_of(response)


_publish(globals())
