"""A sender: many sends over one WebSocket, repeated after each reconnect until they are answered."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from copy import copy
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from tidings._calls import sending
from tidings._credentials import AsyncCredential
from tidings._errors import ClientClosedError, ConnectionFailedError, RequestInfo, TidingsError, TimedOutError
from tidings._keywords import checks_keywords
from tidings._listen.access import Access
from tidings._listen.backoff import Backoff, Ending, ReconnectPolicy
from tidings._listen.errors import ConnectionClosedError
from tidings._listen.socket import open_socket
from tidings._messages import Message
from tidings._models import Sent
from tidings._outbox import Outbox, Post
from tidings._public import publish
from tidings._reasons import timed_out
from tidings._retries import RetryPolicy
from tidings._sender_link import SenderLink
from tidings._wire import Wire
from tidings.protocol.notifications import Action, Priority

TIMEOUT_SECONDS: Final = 60.0
CLOSING_SECONDS: Final = 10.0

_logger = logging.getLogger("tidings")


class SenderOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a sender connects. `address` asks the API for the realtime URL; a `realtime_url` replaces it."""

    address: Callable[[], Awaitable[str]]
    credential: AsyncCredential
    wire: Wire
    retries: RetryPolicy
    reconnect: ReconnectPolicy
    window: int


class AsyncSender:
    """Sends notifications over one WebSocket. Enter it with `async with`.

    Entering waits for the connection, and raises if it fails. After that the sender reconnects without the
    application, and repeats each send that has no answer with its idempotency key: it takes effect once. Any
    number of tasks of this event loop may send at the same time; at most `window` sends are under way, and
    more wait. Sends keep the order of their calls in each log. If the server says to stay away, each send
    raises the reason. Leaving waits up to 10 seconds for the answers that are missing.
    """

    def __init__(self, options: SenderOptions) -> None:
        self._options = options
        self._outbox = Outbox(options.retries)
        self._backoff = Backoff(options.reconnect, random.random)
        self._window = asyncio.Semaphore(options.window)
        self._due = asyncio.Event()
        self._url = ""
        self._runner: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._token: str | None = None

    async def __aenter__(self) -> Self:
        self._error = None
        self._opened = asyncio.get_running_loop().create_future()
        self._runner = asyncio.create_task(self._run())
        try:
            await asyncio.shield(self._opened)
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Wait up to 10 seconds for the missing answers, and close. Later sends raise ClientClosedError."""
        if self._runner is None:
            return
        self._error = self._error or ClientClosedError()
        waiting = self._outbox.futures()
        if waiting:
            await asyncio.wait(waiting, timeout=CLOSING_SECONDS)
        await self._stop()

    @checks_keywords
    async def send(
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
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Sent:
        """Send one notification. The arguments, the result and the errors are those of the client's `send`.

        `timeout`: the seconds within which the answer must arrive, over all reconnects and retries; 60 unless
        given. After TimedOutError it is not known whether the send took effect: its `request` has the
        idempotency key to repeat it with.
        """
        message = Message(
            to_users=to_users,
            to_groups=to_groups,
            to_topics=to_topics,
            to_all=to_all,
            exclude=exclude,
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
        call = sending.send(message, idempotency_key)
        return await self._deliver(call.body or b"", call.idempotency_key, timeout or TIMEOUT_SECONDS)

    async def _deliver(self, body: bytes, key: str | None, seconds: float) -> Sent:
        self._check_open()
        request = RequestInfo("SEND", self._url, key)
        try:
            async with asyncio.timeout(seconds), self._window:
                self._check_open()
                post = self._outbox.add(body, request)
                self._due.set()
                try:
                    return await post.future
                finally:
                    self._outbox.remove(post)
        except TimeoutError:
            raise TimedOutError(timed_out("read", seconds), request=request) from None

    def _check_open(self) -> None:
        if self._error is not None:
            raise self._error
        if self._runner is None:
            raise ClientClosedError

    # Connections

    async def _run(self) -> None:
        try:
            renew = False
            while True:
                ending = await self._connect(renew=renew)
                plan = self._backoff.after(ending, renewable=self._options.credential.renewable)
                cause = ending.error or ending.reason or "The connection ended"
                if not self._is_open and self._backoff.failures >= self._options.retries.tries:
                    raise ending.error or ConnectionClosedError(ending.code, ending.reason)  # noqa: TRY301
                _logger.info("%s; the sender reconnects in %.1f s", cause, plan.wait)
                await asyncio.sleep(plan.wait)
                renew = plan.renew
        except Exception as error:  # noqa: BLE001 - each send gets it
            self._end(error)

    @property
    def _is_open(self) -> bool:
        return self._opened is not None and self._opened.done()

    def _end(self, error: Exception) -> None:
        self._error = error
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(error)
        # An error for each send: raising adds a traceback to it.
        self._outbox.fail(lambda _: copy(error))

    async def _stop(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.cancel()
            with suppress(asyncio.CancelledError):
                await runner
        self._outbox.fail(_closed)

    async def _connect(self, *, renew: bool) -> Ending:
        """Open one connection and serve it. Returns how it ended."""
        options, fresh = self._options, True
        try:
            self._url = self._url or await options.address()
            token = await options.credential.token("send", renew=renew)
            fresh, self._token = renew or token != self._token, token
            socket = await open_socket(Access(self._url, token, fresh), options.wire, now=time.time())
        except TidingsError as error:
            return Ending(error=error, fresh=fresh)
        link = SenderLink(
            socket,
            self._outbox,
            self._due,
            welcomed=self._welcomed,
            renew=self._renewed if options.credential.renewable else None,
            url=self._url,
            timeout=options.wire.timeout,
        )
        return msgspec.structs.replace(await link.run(), fresh=fresh)

    def _welcomed(self) -> None:
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)

    async def _renewed(self) -> str:
        self._token = await self._options.credential.token("send", renew=True)
        return self._token


def _closed(post: Post) -> Exception:
    return ConnectionFailedError("The sender was closed", request=post.request)


publish(globals())
