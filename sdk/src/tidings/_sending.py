"""What a blocking client sends, and what became of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from tidings._calls import sending
from tidings._calls.batches import Batch, encoded, several
from tidings._keywords import explained
from tidings._many import CONCURRENCY, check, key_of, send_many
from tidings._messages import Message
from tidings._models import BatchResult, Page, Sent, SentNotification, UserReceipt
from tidings._pages import Extent, Pages
from tidings._progress import SendProgress
from tidings._resources import Run
from tidings._retries import Retries
from tidings.protocol.notifications import Action, Priority


class Sending:
    """What a blocking client sends, and what became of it."""

    _run: Run

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
        for message in several(messages):
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
