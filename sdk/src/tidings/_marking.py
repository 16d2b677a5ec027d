"""Marks as an application writes them, and their conversion to the type of the wire."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Generic, Protocol, TypeVar

import msgspec

from tidings._errors import InvalidArgumentError
from tidings._invalid import not_valid
from tidings._keywords import checks_keywords
from tidings.protocol.frames import State
from tidings.protocol.marks import faults
from tidings.protocol.names import ID_RULE, is_id
from tidings.protocol.notifications import Notification
from tidings.protocol.pointers import listing
from tidings.protocol.rest import MarkInbox

R_co = TypeVar("R_co", covariant=True)


class Shown(Protocol):
    """An object with a notification: a delivery, or an item of an inbox."""

    @property
    def notification(self) -> Notification: ...


Item = str | Notification | Shown
Items = Item | Iterable[Item]


def compose_mark(
    state: State,
    ids: Items | None,
    *,
    up_to: Mapping[str, int] | None = None,
    all: bool = False,
    category: str | None = None,
) -> MarkInbox:
    """Check a mark and convert it to the type of the wire.

    Raises InvalidArgumentError: not exactly one of `ids`, `up_to` and `all`; more than 1,000 ids; a category
    without `all`; or an unknown state, id, log or position.
    """
    wanted = {
        "state": state,
        "ids": None if ids is None else ids_of(ids),
        "up_to": up_to,
        "all": all or None,
        "category": category,
    }
    try:
        mark = msgspec.convert(wanted, MarkInbox)
    except msgspec.ValidationError as error:
        raise not_valid("mark", wanted, MarkInbox, error) from None
    if wrong := faults(mark):
        raise InvalidArgumentError(f"The mark is not valid: {listing(wrong)}")
    return mark


def ids_of(items: Items) -> list[str]:
    """The ids of one or more notifications, deliveries or items. Raises InvalidArgumentError."""
    if isinstance(items, str) or not isinstance(items, Iterable):
        items = (items,)
    return [id_of(item) for item in items]


def id_of(item: Item) -> str:
    """The id of a notification, a delivery or an item. Raises InvalidArgumentError."""
    match item:
        case str():
            id = item
        case Notification():
            id = item.id
        case _:
            shown = getattr(item, "notification", None)
            id = shown.id if isinstance(shown, Notification) else ""
    if not is_id(id):
        raise InvalidArgumentError(f"{item!r} is not the id of a notification: an id is {ID_RULE}")
    return id


class Marks(ABC, Generic[R_co]):
    """An inbox that can be marked, with one method per state."""

    @abstractmethod
    def mark(
        self,
        state: State,
        ids: Items | None = None,
        *,
        up_to: Mapping[str, int] | None = None,
        all: bool = False,
        category: str | None = None,
    ) -> R_co:
        """Change the state of some `ids`, of everything `up_to` a position per log, or of `all`.

        `up_to` and `all` change archived items only if the state is `unarchived`.
        """

    @checks_keywords
    def mark_seen(
        self,
        ids: Items | None = None,
        *,
        up_to: Mapping[str, int] | None = None,
        all: bool = False,
        category: str | None = None,
    ) -> R_co:
        """`mark("seen", …)`."""
        return self.mark("seen", ids, up_to=up_to, all=all, category=category)

    @checks_keywords
    def mark_unseen(
        self,
        ids: Items | None = None,
        *,
        up_to: Mapping[str, int] | None = None,
        all: bool = False,
        category: str | None = None,
    ) -> R_co:
        """`mark("unseen", …)`: takes back seen and read."""
        return self.mark("unseen", ids, up_to=up_to, all=all, category=category)

    @checks_keywords
    def mark_read(
        self,
        ids: Items | None = None,
        *,
        up_to: Mapping[str, int] | None = None,
        all: bool = False,
        category: str | None = None,
    ) -> R_co:
        """`mark("read", …)`; read implies seen."""
        return self.mark("read", ids, up_to=up_to, all=all, category=category)

    @checks_keywords
    def mark_unread(
        self,
        ids: Items | None = None,
        *,
        up_to: Mapping[str, int] | None = None,
        all: bool = False,
        category: str | None = None,
    ) -> R_co:
        """`mark("unread", …)`: takes back read only."""
        return self.mark("unread", ids, up_to=up_to, all=all, category=category)

    @checks_keywords
    def archive(
        self,
        ids: Items | None = None,
        *,
        up_to: Mapping[str, int] | None = None,
        all: bool = False,
        category: str | None = None,
    ) -> R_co:
        """`mark("archived", …)`: removes items from the counts and from the default list."""
        return self.mark("archived", ids, up_to=up_to, all=all, category=category)

    @checks_keywords
    def unarchive(
        self,
        ids: Items | None = None,
        *,
        up_to: Mapping[str, int] | None = None,
        all: bool = False,
        category: str | None = None,
    ) -> R_co:
        """`mark("unarchived", …)`: returns items to the counts and to the default list."""
        return self.mark("unarchived", ids, up_to=up_to, all=all, category=category)


class MarksOne(ABC, Generic[R_co]):
    """A notification that can be marked, with one method per state."""

    __slots__ = ()

    @abstractmethod
    def mark(self, state: State) -> R_co:
        """Change its state."""

    def mark_seen(self) -> R_co:
        """`mark("seen")`."""
        return self.mark("seen")

    def mark_unseen(self) -> R_co:
        """`mark("unseen")`: takes back seen and read."""
        return self.mark("unseen")

    def mark_read(self) -> R_co:
        """`mark("read")`; read implies seen."""
        return self.mark("read")

    def mark_unread(self) -> R_co:
        """`mark("unread")`: takes back read only."""
        return self.mark("unread")

    def archive(self) -> R_co:
        """`mark("archived")`: removes it from the counts and from the default list."""
        return self.mark("archived")

    def unarchive(self) -> R_co:
        """`mark("unarchived")`: returns it to the counts and to the default list."""
        return self.mark("unarchived")
