"""The conversion of arguments to a mark."""

from typing import Any

import msgspec
import pytest

from tests.sdk.gateway import notification
from tidings import InboxItem, InvalidArgumentError, Notification
from tidings._listen.pending import mark_frame
from tidings._marking import compose_mark
from tidings.protocol.rest import MarkInbox

CONTENT = msgspec.convert(notification(1), Notification)
ITEM = InboxItem(log="user", position=1, state="unseen", notification=CONTENT)


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        ("n1", ("n1",)),
        (["n1", "n2"], ("n1", "n2")),
        (CONTENT, ("n1",)),
        (ITEM, ("n1",)),
        ((ITEM, "n2"), ("n1", "n2")),
        (iter(["n1"]), ("n1",)),
        ([], ()),
    ],
)
def test_notifications_are_marked_by_their_ids(ids: Any, found: tuple[str, ...]) -> None:
    """A mark accepts an id, a notification, an item of a list, or many of them."""
    assert compose_mark("read", ids) == MarkInbox(state="read", ids=found)


def test_a_mark_may_have_positions_or_all() -> None:
    """A mark accepts the positions of a page, or all of a category, without ids."""
    by_positions = compose_mark("seen", None, up_to={"user": 3, "group:g": 0})
    assert by_positions == MarkInbox(state="seen", up_to={"user": 3, "group:g": 0})
    everything = compose_mark("archived", None, all=True, category="orders")
    assert everything == MarkInbox(state="archived", all=True, category="orders")


@pytest.mark.parametrize(
    ("state", "ids", "options", "words"),
    [
        ("read", None, {}, "exactly one"),
        ("read", None, {"all": False}, "exactly one"),
        ("read", "n1", {"all": True}, "exactly one"),
        ("read", "n1", {"category": "orders"}, "category"),
        ("read", None, {"all": True, "category": ""}, "category"),
        ("read", [f"n{number}" for number in range(1_001)], {}, "1000"),
        ("read", "a/b", {}, "'a/b'"),
        ("read", [3], {}, "3"),
        ("read", None, {"up_to": {"inbox": 1}}, "group:<id>"),
        ("read", None, {"up_to": {"user": -1}}, "up_to"),
        ("read", None, {"up_to": {"user": "1"}}, "up_to"),
        ("lost", "n1", {}, "state: This must be one of seen, unseen, read"),
    ],
)
def test_an_invalid_mark_is_refused_before_sending(state: Any, ids: Any, options: Any, words: str) -> None:
    """Several selections, over 1,000 ids or unknown values raise a ValueError that names the fault."""
    with pytest.raises(InvalidArgumentError, match=words):
        compose_mark(state, ids, **options)


def test_a_mark_larger_than_a_frame_is_refused() -> None:
    """A mark larger than a frame raises, and does not close the connection."""
    mark = MarkInbox(state="read", ids=tuple(f"{number:0128}" for number in range(1_000)))
    with pytest.raises(InvalidArgumentError, match="Mark fewer items at once"):
        mark_frame(mark)
