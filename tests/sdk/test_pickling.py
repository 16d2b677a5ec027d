"""Errors and results after pickle and copy."""

import copy
import multiprocessing
import pickle
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

import tidings
from tests.sdk.gateway import KEY
from tests.sdk.scripted import refusal
from tidings import (
    APIError,
    ClientClosedError,
    ConnectionClosedError,
    ConnectionFailedError,
    FieldError,
    FrameRefusedError,
    RequestInfo,
    Tidings,
    TidingsError,
    UnansweredError,
    UnreadableAnswerError,
)

REQUEST = RequestInfo("POST", "http://api/v1/notifications", "key-1")
NOW = datetime(2026, 11, 22, 7, 0, 0, 123000, UTC)
WAYS: list[Callable[[Any], Any]] = [
    *(
        lambda value, protocol=protocol: pickle.loads(pickle.dumps(value, protocol))  # noqa: S301
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ),
    copy.copy,
    copy.deepcopy,
]


def tree(kind: type[TidingsError] = TidingsError) -> Iterator[type[TidingsError]]:
    """All classes of the SDK's errors."""
    yield kind
    for below in kind.__subclasses__():
        if below.__module__.split(".")[0] == "tidings":
            yield from tree(below)


KINDS: list[type[TidingsError]] = sorted(set(tree()), key=str)


def made(kind: type[TidingsError]) -> TidingsError:
    """An error of that class with all attributes set, and a reason that ends with a full stop."""
    if issubclass(kind, ClientClosedError):
        return kind()
    if issubclass(kind, ConnectionFailedError):
        return kind("reset.", request=REQUEST, tries=3)
    if issubclass(kind, UnreadableAnswerError):
        return kind("no JSON.", status=202, request=REQUEST)
    if issubclass(kind, APIError):
        return kind(
            "No.",
            code=kind.code or "http_418",
            status=418,
            errors=(FieldError("#/title", "is too long"),),
            request_id="req-1",
            retry_after=1.5,
            request=REQUEST,
        )
    if issubclass(kind, ConnectionClosedError):
        return kind(4002, "revoked.")
    if issubclass(kind, FrameRefusedError):
        return kind("not_found", "No.", "m1")
    if issubclass(kind, UnansweredError):
        return kind("The inbox was left.")
    return kind("No.")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_error_can_be_pickled_and_copied(kind: type[TidingsError], way: Callable[[Any], Any]) -> None:
    """Type, text, arguments and attributes of each class are the same after pickle, copy and deepcopy."""
    error = made(kind)
    again = way(error)
    assert type(again) is kind
    assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_has_two_full_stops_in_a_row(kind: type[TidingsError]) -> None:
    """A reason with a full stop at its end gives a text with only one."""
    assert ".." not in str(made(kind))
    assert ". ." not in str(made(kind))


def test_an_error_of_the_application_can_be_pickled() -> None:
    """A subclass of an error of the SDK can be pickled without code of its own."""
    again = pickle.loads(pickle.dumps(Ours("No.", code="x", status=400)))  # noqa: S301
    assert (type(again), again.status) == (Ours, 400)


class Ours(APIError):
    """An error of the application."""


def values() -> Iterator[Any]:
    """One result of each public type, decoded from JSON of the server."""
    time = NOW.isoformat().replace("+00:00", "Z")
    notification = {"id": "n1", "title": "Hi", "priority": "normal", "created_at": time}
    item = {"log": "user", "position": 3, "state": "seen", "seen_at": time, "notification": notification}
    counts = {"unseen": 1, "unread": 2, "version": 3}
    connection = {"connection": "c", "device": "d", "connected_at": time}
    answers: dict[str, Any] = {
        "Sent": {"id": "n1", "status": "accepted", "durability": "always", "accepted_at": time},
        "SentNotification": {"id": "n1", "status": "stored", "to": {"users": ["ana"]}, "accepted_at": time},
        "Group": {"id": "g", "members": 2, "created_at": time},
        "Member": {"user": "ana", "joined_at": time},
        "UserReceipt": {"user": "ana", "delivered": True, "seen": True, "read": False, "seen_at": time},
        "Presence": {"online": True, "connections": [connection], "last_seen_at": time},
        "InboxItem": item,
        "InboxPage": {"items": [item], "counts": counts, "epoch": "e", "positions": {"user": 3}},
        "Counts": counts,
        "Notification": notification,
        "Marked": {"changed": 1, "counts": counts, "state_version": 4},
        "MembersChanged": {"added": 1, "removed": 0},
        "Changed": {"type": "state", "state_version": 3, "counts": counts},
        "Resume": {"epoch": "e", "positions": {"user": 3}, "state_version": 4},
        "Erased": {
            "user": "ana",
            "notifications": 1,
            "marks": 1,
            "memberships": 1,
            "devices": 1,
            "connections": 1,
            "erased_at": time,
        },
    }
    for name, answer in answers.items():
        yield msgspec.convert(answer, getattr(tidings, name))
    yield msgspec.convert({"items": [answers["Group"]], "next": "c"}, tidings.Page[tidings.Group])
    yield tidings.BatchResult(index=3, id="n1", status="accepted")
    yield tidings.UserToken(token="t", expires_at=time, realtime_url="ws://x")
    yield tidings.RetryPolicy(tries=2)
    yield tidings.ReconnectPolicy(base=1)


@pytest.mark.parametrize("value", list(values()), ids=lambda value: type(value).__name__)
def test_every_result_can_be_pickled(value: Any) -> None:
    """A result of a call is equal after pickle."""
    for way in WAYS:
        again = way(value)
        assert type(again) is type(value)
        assert again == value


def refused(_: int) -> None:
    """Make a call that the server refuses, in a worker process."""
    transport = httpx.MockTransport(lambda _: refusal("rate_limited", Retry_After="90"))
    with Tidings("http://api", key=KEY, transport=transport, retries=0) as client:
        client.get("n1")


def test_a_process_pool_raises_the_error_of_a_worker() -> None:
    """`result` raises the error of a worker of ProcessPoolExecutor unchanged."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        error = pool.submit(refused, 1).exception(timeout=60)
    assert isinstance(error, tidings.RateLimitedError)
    assert error.retry_after == 90


def test_a_multiprocessing_pool_raises_the_error_of_a_worker() -> None:
    """`map` of multiprocessing.Pool raises the error of a worker."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        with pytest.raises(tidings.RateLimitedError):
            pool.map_async(refused, [1]).get(timeout=60)
        pool.terminate()
        pool.join()


@pytest.mark.parametrize(
    "name", [name for name in tidings.__all__ if isinstance(getattr(tidings, name), type)]
)
def test_public_classes_are_named_as_they_are_imported(name: str) -> None:
    """A traceback has `tidings.NotFoundError`, without the private module."""
    kind = getattr(tidings, name)
    assert kind.__module__ == "tidings" or kind.__module__.startswith("tidings.protocol.")
    if issubclass(kind, TidingsError):
        assert traceback.format_exception_only(made(kind))[0].startswith(f"tidings.{name}: ")
