"""A sender for blocking code: `AsyncSender` on an event loop in its own thread."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, NoReturn

from tidings._errors import ClientClosedError
from tidings._keywords import checks_keywords
from tidings._models import Sent
from tidings._own_loop import OwnLoop
from tidings._public import publish
from tidings._sender import AsyncSender
from tidings.protocol.notifications import Action, Priority


class Sender(OwnLoop):
    """As `AsyncSender`, with `with`. Any number of threads may send at the same time.

    Each call waits for its answer, so one thread alone has one send under way. A child process after `fork`
    has to call `sender` itself.
    """

    def __init__(self, sender: AsyncSender) -> None:
        super().__init__(sender)
        self._sender = sender

    def close(self) -> None:
        """As `AsyncSender.aclose`. Any thread may call it, any number of times."""
        super().close()

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
    ) -> Sent:
        """As `AsyncSender.send`."""

        async def send() -> Sent:
            return await self._sender.send(
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
                idempotency_key=idempotency_key,
                timeout=timeout,
            )

        return self._wait(send)

    def _refuse(self) -> NoReturn:
        raise ClientClosedError


publish(globals())
