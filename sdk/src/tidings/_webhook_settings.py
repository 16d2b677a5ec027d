"""The webhooks of a tenant, for the blocking client.

A lost answer to `create` or `rotate` may hide a change. So both are tried once, unless the caller says more.
"""

from collections.abc import Iterable
from datetime import datetime

from tidings._calls import webhooks as calls
from tidings._keywords import checks_keywords
from tidings._models import Page
from tidings._pages import Extent, Pages
from tidings._public import publish
from tidings._resources import Run
from tidings._retries import Retries
from tidings._webhook_models import Webhook, WebhookDelivery, WebhookTest, WebhookWithSecret


class Webhooks:
    """The webhooks of the tenant: URLs of the application that receive events. Needs the scope `webhooks`."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @checks_keywords
    def create(
        self,
        url: str,
        events: Iterable[str] | str,
        *,
        description: str = "",
        enabled: bool = True,
        timeout: float | None = None,
        retries: Retries | None = 0,
    ) -> WebhookWithSecret:
        """Create a webhook: the events that happen from now on are sent to `url` as signed POST requests.

        `events` are types, ``user.*`` for all that begin with ``user.``, or ``*`` for all. Give the
        `secret` of the result to `verify_webhook` in the application: no other call shows it.

        It is tried once. After ConnectionFailedError `list` shows whether there is a webhook, whose secret
        is unknown: delete it, and create it again. Raises InvalidRequestError for a URL that cannot be used.
        """
        call = calls.create(url, events, description, enabled=enabled)
        return self._run(call, timeout=timeout, retries=retries)

    @checks_keywords
    def get(
        self,
        webhook: str,
        *,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Webhook:
        """A webhook, without its secret. Raises NotFoundError if it does not exist."""
        return self._run(calls.get(webhook), timeout=timeout, retries=retries)

    @checks_keywords
    def update(
        self,
        webhook: str,
        *,
        url: str | None = None,
        events: Iterable[str] | str | None = None,
        description: str | None = None,
        enabled: bool | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Webhook:
        """Change the fields that are not None. Raises NotFoundError if the webhook does not exist.

        A webhook that is enabled again continues with the events that it did not get.
        """
        call = calls.update(webhook, url, events, description, enabled=enabled)
        return self._run(call, timeout=timeout, retries=retries)

    @checks_keywords
    def delete(
        self,
        webhook: str,
        *,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> None:
        """Delete a webhook with its deliveries; idempotent."""
        self._run(calls.delete(webhook), timeout=timeout, retries=retries)

    @checks_keywords
    def rotate(
        self,
        webhook: str,
        *,
        timeout: float | None = None,
        retries: Retries | None = 0,
    ) -> WebhookWithSecret:
        """Give a webhook a new secret. For 24 hours its requests have the signatures of both secrets.

        It is tried once. After ConnectionFailedError the secret may be another one: rotate again within 24
        hours only if the application can do without the old secret.
        """
        return self._run(calls.rotate(webhook), timeout=timeout, retries=retries)

    @checks_keywords
    def test(
        self,
        webhook: str,
        *,
        timeout: float | None = 15,
        retries: Retries | None = None,
    ) -> WebhookTest:
        """Send an event of the type ``webhook.test`` now, and return the outcome; a failure is no error.

        The endpoint has 10 seconds to answer, so `timeout` is 15 by default.
        """
        return self._run(calls.test(webhook), timeout=timeout, retries=retries)

    @checks_keywords
    def retry(
        self,
        webhook: str,
        delivery: str,
        *,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> None:
        """Send a pending or failed delivery within two seconds.

        Raises NotFoundError for an unknown one, and InvalidRequestError for one that has succeeded.
        """
        self._run(calls.retry(webhook, delivery), timeout=timeout, retries=retries)

    @checks_keywords
    def replay(
        self,
        webhook: str,
        *,
        since: datetime,
        until: datetime | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> None:
        """Send the events between two times again, those that were delivered included.

        `until` is now by default. Events are kept for 7 days. A later replay takes the place of an
        earlier one.
        """
        self._run(calls.replay(webhook, since, until), timeout=timeout, retries=retries)

    @checks_keywords
    def deliveries(
        self,
        webhook: str,
        *,
        status: str | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Pages[Page[WebhookDelivery], WebhookDelivery]:
        """The deliveries of a webhook with their attempts, the latest first, or those with a `status`.

        `status` is ``pending``, ``succeeded`` or ``failed``. A pending delivery is listed by the time of its
        next try. Of those that ended, the last 500 of each status are kept for 7 days. `limit`, `page_size`
        and `cursor` are those of `Groups.list`.
        """
        return Pages(
            lambda size, at: self._run(
                calls.deliveries(webhook, status, size, at), timeout=timeout, retries=retries
            ),
            Extent(limit, page_size, cursor),
        )

    @checks_keywords
    def list(
        self,
        *,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Pages[Page[Webhook], Webhook]:
        """All webhooks, in the order of their creation; at most 50."""
        return Pages(
            lambda _size, _at: self._run(calls.listed(), timeout=timeout, retries=retries),
            Extent(None, None, None),
        )


publish(globals())
