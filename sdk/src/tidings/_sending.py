"""The methods of the blocking client that send notifications and read sent ones."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from tidings._calls import sending
from tidings._calls.batches import Batch, checked_messages, encoded
from tidings._keywords import checks_keywords
from tidings._many import CONCURRENCY, check, key_of, send_many
from tidings._messages import Message
from tidings._models import BatchResult, Page, Sent, SentNotification, UserReceipt
from tidings._pages import Extent, Pages
from tidings._progress import SendProgress
from tidings._resources import Run
from tidings._retries import Retries
from tidings.protocol.notifications import Action, Priority


class Sending:
    """Sending notifications, and reading their status and receipts."""

    _run: Run

    @checks_keywords
    def send(
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
        retries: Retries | None = None,
    ) -> Sent:
        """Send one notification to users, groups or all, or to topics.

        `to_users`, `to_groups`, `to_all`: the recipients; each receives one copy. Give ids, up to 1,000 users
        and 100 groups; a single string counts as a list of one. `exclude`: ids of users who receive none.
        `to_topics`: names of up to 100 topics, without other targets: the connections that are subscribed to
        one of them receive it, and no inbox has it.
        `title`, `body`: text; `data`: a JSON object for your own code. One of the three is required.
        `category`: the subject, up to 128 characters; inboxes filter by it.
        `link`, `icon`: http, https, mailto, or a path that begins with one slash.
        `group_key`: inboxes show consecutive notifications with the same key as one row.
        `actions`: up to 10 buttons: `Action`, or dicts with `id`, `label` and optionally `link`.
        `priority`: low, normal, high or urgent.
        `expires_in`: seconds, or a timedelta, until it is removed from inboxes; at most a year.
        `idempotency_key`: within 24 hours a call with the same key returns the first answer again and sends
        nothing. Without a key each call sends.

        The notification is accepted and in the inboxes when this returns. With several groups, or groups and
        users, it is in the inboxes milliseconds later. It has at most 32 KB as JSON.
        """
        message = Message(
            to_users=to_users,
            to_groups=to_groups,
            to_all=to_all,
            exclude=exclude,
            to_topics=to_topics,
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
        return self._run(sending.send(message, idempotency_key), timeout=timeout, retries=retries)

    @checks_keywords
    def send_batch(
        self,
        messages: Iterable[Message | Mapping[str, Any]],
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> list[BatchResult]:
        """Send up to 1,000 messages, at most 4 MB, in one request.

        Each message is a dict with the keywords of `send`, or a `Message`. Returns one `BatchResult` for
        each, in order. For a message that is refused, here or by the server, the result has the `error`; the
        others are sent. Raises InvalidArgumentError if there are too many for a batch: `send_many` takes any
        number.
        """
        batch = Batch()
        for message in checked_messages(messages):
            batch.add(encoded(message))
        batch.check()
        return self._deliver(batch, idempotency_key, timeout=timeout, retries=retries)

    @checks_keywords
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
        """Send any number of messages, in batches of up to 1,000, and iterate over their results, in order.

        `messages` is any iterable, such as a generator. It is read once, as far as needed: at most
        `concurrency` batches are sent at a time, and no others are in memory. For a message that is refused,
        its `BatchResult` has the error, and the others are sent; `index` is its place in `messages`. If a
        batch gets no answer, or the server refuses it as a whole, the iteration raises the error after the
        retries and after the results of the batches before it.

        The first batch is sent when the iteration begins. `progress=True` shows a bar on stderr (lines of
        text without `tidings[cli]`); a callable gets a `SendProgress` after each batch. With an
        `idempotency_key` the same messages can be sent again within 24 hours, for example after an
        interruption: those accepted before are not sent twice.
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
        """A sent notification with its status and receipts. Raises NotFoundError."""
        return self._run(sending.get(notification), timeout=timeout, retries=retries)

    def recall(
        self, notification: str, *, timeout: float | None = None, retries: Retries | None = None
    ) -> None:
        """Recall a notification: remove it from every inbox, count, replay and open client; idempotent."""
        self._run(sending.recall(notification), timeout=timeout, retries=retries)

    @checks_keywords
    def sent(
        self,
        *,
        category: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Pages[Page[SentNotification], SentNotification]:
        """The sent notifications, newest first, each with status and receipts.

        Those that are older than the retention follow from the history. `since` (inclusive) and `until`
        (exclusive) are times with a time zone. `limit` is the largest number of items in all,
        `page_size` the number of items per request, at most 200. `cursor` is the start: `next` or `previous`
        of a page.
        """
        chosen = sending.SentSelection(category=category, since=since, until=until)
        return Pages(
            lambda size, at: self._run(sending.sent(chosen, size, at), timeout=timeout, retries=retries),
            Extent(limit, page_size, cursor),
        )

    @checks_keywords
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
        """The receipts of each recipient of a notification. The other arguments are those of `sent`.

        Only notifications to users or to several groups have them. Raises InvalidRequestError for a
        notification to a single group or to all: the server keeps only its counts, which `get` returns.
        """
        return Pages(
            lambda size, at: self._run(
                sending.receipts(notification, size, at), timeout=timeout, retries=retries
            ),
            Extent(limit, page_size, cursor),
        )
