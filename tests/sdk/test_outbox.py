"""The outbox of a sender: order, repeats, and errors of single sends, without a server."""

import json
from datetime import UTC, datetime

import pytest

from tidings import (
    IdempotencyInProgressError,
    InvalidRequestError,
    RequestInfo,
    RetryPolicy,
    StorageUnavailableError,
)
from tidings._outbox import Outbox, Post, ServerFrame
from tidings.protocol.errors import FieldError


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(clock: Clock) -> Outbox:
    return Outbox(RetryPolicy(tries=3, base=1.0), clock, lambda: 0.0)


def add(outbox: Outbox, title: str) -> Post:
    return outbox.add(b'{"title":"%b"}' % title.encode(), RequestInfo("SEND", "ws://x", title))


def taken(outbox: Outbox) -> list[str]:
    """The titles of all frames that are due."""
    found = []
    while frame := outbox.take():
        decoded = json.loads(frame)
        assert decoded["idempotency_key"] == decoded["notification"]["title"]
        found.append(decoded["notification"]["title"])
    return found


def refused(post: Post, code: str, *errors: FieldError) -> ServerFrame:
    return ServerFrame("error", ref=post.ref, code=code, detail="Because.", errors=errors)


async def test_a_new_connection_repeats_in_order(outbox: Outbox) -> None:
    """After a reconnect each send without an answer is written again, in the order of the calls."""
    posts = [add(outbox, title) for title in "abcd"]
    assert taken(outbox) == list("abcd")
    outbox.receive(
        ServerFrame("accepted", ref=posts[1].ref, id="1", durability="memory", accepted_at=datetime.now(UTC))
    )
    assert (await posts[1].future).id == "1"
    outbox.remove(posts[1])
    add(outbox, "e")
    outbox.reconnected()
    assert taken(outbox) == list("acde")
    assert taken(outbox) == []


async def test_a_retryable_error_holds_all_sends(outbox: Outbox, clock: Clock) -> None:
    """After `storage_unavailable` all sends wait, and are then written in their order."""
    first, second = add(outbox, "a"), add(outbox, "b")
    assert taken(outbox) == ["a", "b"]
    for post in (second, first):
        assert outbox.receive(refused(post, "storage_unavailable"))
    add(outbox, "c")
    assert outbox.wait() == 1.0
    clock.now = 1.0
    assert outbox.wait() == 0.0
    assert taken(outbox) == ["a", "b", "c"]


async def test_retries_end(outbox: Outbox, clock: Clock) -> None:
    """A send gets its error after as many tries as the policy allows."""
    post = add(outbox, "a")
    for _ in range(2):
        assert outbox.receive(refused(post, "storage_unavailable"))
        clock.now += 10
    assert not outbox.receive(refused(post, "storage_unavailable"))
    with pytest.raises(StorageUnavailableError):
        await post.future


async def test_errors_are_those_of_rest(outbox: Outbox) -> None:
    """A refusal is raised at once, with the pointers of a body of REST and the key of the request."""
    post = add(outbox, "a")
    outbox.receive(
        refused(
            post,
            "invalid_request",
            FieldError("#/notification/to/users/3", "x"),
            FieldError("#/notification", "y"),
        )
    )
    with pytest.raises(InvalidRequestError) as raised:
        await post.future
    assert [fault.pointer for fault in raised.value.errors] == ["#/to/users/3", "#"]
    assert raised.value.request is not None
    assert raised.value.request.idempotency_key == "a"
    other = add(outbox, "b")
    assert outbox.receive(refused(other, "idempotency_in_progress"))
    outbox.fail(lambda _: IdempotencyInProgressError("x", code="x", status=409))
    with pytest.raises(IdempotencyInProgressError):
        await other.future


async def test_answers_without_a_send_are_ignored(outbox: Outbox) -> None:
    """An answer for an unknown ref, or for a send whose caller no longer waits, changes nothing."""
    post = add(outbox, "a")
    outbox.remove(post)
    assert taken(outbox) == []
    for ref in (post.ref, 99, "x", None):
        assert not outbox.receive(ServerFrame("accepted", ref=ref, id="1"))
    assert len(outbox) == 0
