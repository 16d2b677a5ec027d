"""The requests of a live inbox to the server: marks, uses of actions, and messages."""

from abc import abstractmethod
from collections.abc import Coroutine, Mapping
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

from msgspec import UNSET

from tidings._keywords import checks_keywords
from tidings._listen.asker import Asker
from tidings._listen.delivery import Delivery
from tidings._listen.event_queue import EventQueue
from tidings._listen.events import Changed
from tidings._listen.pending import Asked, mark_frame, message_frame
from tidings._marking import Item, Items, Marks, compose_mark, id_of
from tidings._models import Acted
from tidings.protocol.frames import Act, Reply, State

A = TypeVar("A", Changed, Reply)

REPLY_SECONDS: Final = 30.0


class Asking(Marks[Coroutine[Any, Any, Changed]]):
    """The part of a live inbox that asks and waits for answers."""

    def __init__(self, asker: Asker, queue: EventQueue, *, timeout: float) -> None:
        self._asker = asker
        self._queue = queue
        self._timeout = timeout
        # The deliveries with actions that the application still has.
        self._with_actions: WeakValueDictionary[str, Delivery] = WeakValueDictionary()

    @checks_keywords
    async def mark(
        self,
        state: State,
        ids: Items | None = None,
        *,
        up_to: Mapping[str, int] | None = None,
        all: bool = False,
        category: str | None = None,
    ) -> Changed:
        """Change the state of some `ids`, of everything `up_to` a position per log, or of `all`.

        Give exactly one of the three. `category` narrows `all`; with a dot at its end it is a prefix. `state`
        is seen, unseen, read, unread, archived or unarchived. `ids` are one or up to 1,000 ids,
        notifications, deliveries or items of a list. The mark is made when this returns; the result has the
        counts after it. A mark is sent again if the connection ends before the answer, or if the server is
        overloaded; repeating it is safe. Raises InvalidArgumentError, FrameRefusedError if the server
        refuses, and UnansweredError if no answer arrives within the client's timeout.
        """
        mark = compose_mark(state, ids, up_to=up_to, all=all, category=category)
        return await self._ask(mark_frame(mark), Changed, self._timeout)

    @checks_keywords
    async def act(self, notification: Item, action: str) -> Acted:
        """Use an action of a notification, by its id; returns the action that counts, with its time.

        The first action counts, on whichever device: using the same one again returns the first time. It is
        sent again as a mark is. Raises InvalidArgumentError, FrameRefusedError with the code `action_used`
        after another action, `unknown_action` or `not_found`, and UnansweredError.
        """
        frame = Act(id_of(notification), action)
        answer = await self._ask(frame, Changed, self._timeout)
        assert answer.acted is not None  # noqa: S101 - the answer to `act`
        return answer.acted

    @checks_keywords
    async def message(
        self,
        event: str,
        data: Any = None,
        *,
        idempotency_key: str | None = None,
        timeout: float = REPLY_SECONDS,
    ) -> Any:
        """Send a message to the application; returns its reply, JSON, or None without one.

        `event` says what it is about, such as ``chat/room-7``, and `data` is any JSON of at most 32 KB. The
        application gets the messages of one connection in order. A message is sent again if the connection
        ends before the answer; the application then gets it with the same id. Repeat a call with its
        `idempotency_key` for the same. Raises InvalidArgumentError, UnansweredError if no answer arrives
        within `timeout` seconds, and FrameRefusedError, with `no_upstream`, `upstream_failed` or
        `upstream_timeout` among its codes.
        """
        frame = message_frame(event, data, idempotency_key)
        answer = await self._ask(frame, Reply, timeout)
        return None if answer.data is UNSET else answer.data

    async def _ask(self, frame: Asked, answer: type[A], seconds: float) -> A:
        self._check_runs()
        # The answer has to be read, also while the buffer is full.
        self._queue.override(+1)
        try:
            return await self._asker.ask(frame, answer, seconds=seconds)
        finally:
            self._queue.override(-1)

    @abstractmethod
    def _check_runs(self) -> None:
        """Raises ListenError if the inbox is not open."""

    def _shown(self, delivery: Delivery) -> Delivery:
        """A delivery that reports the action that is used on it."""
        if delivery.notification.actions:
            self._with_actions[delivery.notification.id] = delivery
        return delivery

    def _acted(self, changed: Changed) -> None:
        """Report the action of a change to its delivery."""
        if changed.acted is not None and (of := self._with_actions.get(changed.acted.id)) is not None:
            of.use(changed.acted.action)
