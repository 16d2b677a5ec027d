"""The inbox, receipts and presence in both clients: requests and results."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import jwt
import pytest

from tests.sdk.gateway import notification
from tests.sdk.scripted import TIME, Ask, Server, answer, refusal
from tidings import (
    Counts,
    Erased,
    InvalidArgumentError,
    InvalidRequestError,
    Marked,
    OpenConnection,
    Presence,
    UserReceipt,
)

INSTANT = datetime(2026, 11, 22, 7, 0, 0, 123000, UTC)
COUNTS = {"unseen": 1, "unread": 2, "version": 4}
MARKED = {"changed": 1, "counts": COUNTS, "unknown": ["n9"], "weather": "fine"}
RECEIPT = {"user": "bob", "delivered": True, "seen": True, "read": False, "seen_at": TIME, "read_at": None}
ERASED = {
    "user": "ana",
    "notifications": 3,
    "marks": 2,
    "memberships": 1,
    "devices": 1,
    "connections": 0,
    "erased_at": TIME,
}


def page(*positions: int, **more: Any) -> dict[str, Any]:
    items = [
        {"log": "user", "position": at, "state": "unseen", "notification": notification(at)}
        for at in positions
    ]
    return {
        "items": items,
        "next": None,
        "previous": None,
        "counts": COUNTS,
        "epoch": "e1",
        "positions": {"user": 12},
    } | more


@pytest.mark.parametrize(
    ("call", "path", "scope", "body"),
    [
        (
            lambda c: c.inbox("ana").mark("seen", up_to={"user": 3}),
            "/v1/users/ana/notifications/mark",
            "users",
            {"state": "seen", "up_to": {"user": 3}},
        ),
        (
            lambda c: c.inbox("ana").archive(all=True, category="orders"),
            "/v1/users/ana/notifications/mark",
            "users",
            {"state": "archived", "all": True, "category": "orders"},
        ),
        (
            lambda c: c.inbox("ana").snooze(["n1", "n2"], INSTANT),
            "/v1/users/ana/notifications/snooze",
            "users",
            {"ids": ["n1", "n2"], "until": "2026-11-22T07:00:00.123000Z"},
        ),
        (
            lambda c: c.inbox("ana").unsnooze("n1"),
            "/v1/users/ana/notifications/snooze",
            "users",
            {"ids": ["n1"], "until": None},
        ),
    ],
)
async def test_a_mark_is_its_route(
    ask: Ask, call: Callable[[Any], Any], path: str, scope: str, body: Any
) -> None:
    """A mark is sent to the route of its inbox with the least scope, and returns the number of changes."""
    server = Server(answer(200, MARKED))
    marked = await ask(server, call)
    assert marked == Marked(1, Counts(1, 2, 4), ("n9",))
    (request,) = server.requests
    assert (request.method, request.url.path, json.loads(request.content)) == ("POST", f"/base{path}", body)
    assert server.scopes() == [scope]


async def test_a_users_own_token_marks_the_inbox_of_me(ask: Ask) -> None:
    """A client with a user's own token marks the inbox of `me` with that token."""
    server = Server(answer(200, MARKED))
    token = jwt.encode({"scope": "inbox"}, "a-secret-of-at-least-32-characters")
    marked = await ask(server, lambda c: c.inbox().mark_read(["n1", "n2"]), key=None, token=token)
    assert marked == Marked(1, Counts(1, 2, 4), ("n9",))
    (request,) = server.requests
    assert (request.method, request.url.path) == ("POST", "/base/v1/me/notifications/mark")
    assert json.loads(request.content) == {"state": "read", "ids": ["n1", "n2"]}
    assert server.scopes() == ["inbox"]


async def test_a_mark_is_retried(ask: Ask) -> None:
    """A mark is retried after a lost answer or a retryable refusal, because it is idempotent."""
    server = Server(httpx.ReadError, refusal("storage_unavailable"), answer(200, MARKED))
    assert (await ask(server, lambda c: c.inbox("ana").mark_read("n1"))).changed == 1
    assert len({request.content for request in server.requests}) == 1


async def test_filters_of_a_list_are_kept_over_its_pages(ask: Ask) -> None:
    """The request for each page has state, category, log, times in UTC, and the form of the counts."""
    server = Server(answer(200, page(3, next="c2")), answer(200, page(2)))
    items = await ask(
        server,
        lambda c: c.inbox("ana").list(
            state="seen",
            category="orders.",
            log="group:team-7",
            after=datetime(2026, 11, 22, 8, tzinfo=timezone(timedelta(hours=1))),
            before=INSTANT,
            page_size=1,
            counts="category",
        ),
    )
    assert [item.position for item in items] == [3, 2]
    asked = {
        "state": "seen",
        "category": "orders.",
        "log": "group:team-7",
        "after": "2026-11-22T07:00:00Z",
        "before": "2026-11-22T07:00:00.123000Z",
        "limit": "1",
        "counts": "category",
    }
    assert [dict(request.url.params) for request in server.requests] == [asked, asked | {"cursor": "c2"}]


@pytest.mark.parametrize(
    ("by_category", "asked"), [(False, {"limit": "1"}), (True, {"limit": "1", "counts": "category"})]
)
async def test_counts_can_be_read_alone(ask: Ask, by_category: bool, asked: dict[str, str]) -> None:
    """Counts are read without a page of items, and by category on request."""
    categories = {"orders": {"unseen": 1, "unread": 2}} if by_category else None
    server = Server(answer(200, page(counts=COUNTS | {"categories": categories})))
    counts = await ask(server, lambda c: c.inbox("ana").counts(by_category=by_category))
    assert (counts.unseen, counts.unread, counts.version) == (1, 2, 4)
    assert (counts.categories is not None) == by_category
    assert dict(server.requests[0].url.params) == asked


async def test_receipts_are_listed_by_user(ask: Ask) -> None:
    """The receipts of each recipient are listed, page after page."""
    server = Server(
        answer(200, {"items": [RECEIPT], "next": "c2", "previous": None}),
        answer(200, {"items": [RECEIPT | {"user": "ana"}], "next": None, "previous": "c1"}),
    )
    bob, ana = await ask(server, lambda c: c.receipts("n1", page_size=1))
    assert bob == UserReceipt(user="bob", delivered=True, seen=True, read=False, seen_at=INSTANT)
    assert ana.user == "ana"
    assert server.requests[0].url.path == "/base/v1/notifications/n1/receipts"
    assert server.scopes() == ["read", "read"]


async def test_receipts_of_a_broadcast_are_refused_by_name(ask: Ask) -> None:
    """Receipts of a broadcast raise the server's refusal, because only counts are kept."""
    with pytest.raises(InvalidRequestError):
        await ask(Server(refusal("invalid_request")), lambda c: c.receipts("n1").page())


async def test_sent_notifications_can_be_listed(ask: Ask) -> None:
    """Sent notifications are listed newest first, with status and receipts, also by category."""
    record = {
        "id": "n1",
        "status": "stored",
        "to": {"users": ["ana"]},
        "accepted_at": TIME,
        "receipts": {"recipients": 1, "delivered": 0, "seen": 0, "read": 0},
    }
    server = Server(answer(200, {"items": [record], "next": None, "previous": None}))
    (sent,) = await ask(server, lambda c: c.sent(category="orders", limit=5))
    assert (sent.id, sent.accepted_at, sent.receipts.recipients) == ("n1", INSTANT, 1)
    assert dict(server.requests[0].url.params) == {"category": "orders", "limit": "5"}
    assert server.scopes() == ["read"]


async def test_presence_names_devices_and_times(ask: Ask) -> None:
    """Presence has the device and the time of each open connection."""
    connection = {"connection": "c1", "device": None, "connected_at": TIME}
    server = Server(answer(200, {"online": True, "connections": [connection], "last_seen_at": TIME}))
    found = await ask(server, lambda c: c.users.presence("ana"))
    assert found == Presence(True, (OpenConnection("c1", None, INSTANT),), INSTANT)
    assert server.scopes() == ["read"]


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (lambda c: c.users.disconnect("ana"), "/v1/users/ana/connections"),
        (lambda c: c.users.disconnect(connection="c1"), "/v1/connections/c1"),
    ],
)
async def test_a_user_or_one_connection_can_be_disconnected(
    ask: Ask, call: Callable[[Any], Any], path: str
) -> None:
    """`disconnect` closes all connections of a user, or one by its id."""
    server = Server(answer(204))
    await ask(server, call)
    assert (server.requests[0].method, server.requests[0].url.path) == ("DELETE", f"/base{path}")
    assert server.scopes() == ["users"]


async def test_erasing_returns_the_numbers_of_erased_data(ask: Ask) -> None:
    """The result of an erasure has the number of each kind, and the time."""
    server = Server(answer(200, ERASED))
    erased = await ask(server, lambda c: c.users.erase("ana"))
    assert erased == Erased("ana", 3, 2, 1, 1, 0, INSTANT)
    assert (server.requests[0].method, server.requests[0].url.path) == ("DELETE", "/base/v1/users/ana")
    assert server.scopes() == ["users"]


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.inbox("ana").mark_read(),
        lambda c: c.inbox("ana").mark_read("n1", all=True),
        lambda c: c.inbox("ana").list(log="inbox").page(),
        lambda c: c.inbox("ana").list(after=datetime(2026, 11, 22)).page(),  # noqa: DTZ001 - what is refused
        lambda c: c.receipts("a/b").page(),
        lambda c: c.users.presence(".."),
        lambda c: c.users.disconnect(),
        lambda c: c.users.disconnect("ana", connection="c1"),
        lambda c: c.users.erase(""),
    ],
)
async def test_wrong_arguments_send_nothing(ask: Ask, call: Callable[[Any], Any]) -> None:
    """Arguments that are not valid raise before anything is sent."""
    server = Server()
    with pytest.raises(InvalidArgumentError):
        await ask(server, call)
    assert server.requests == []


async def test_a_snooze_by_a_length(ask: Ask) -> None:
    """A snooze by a length is until that time from now."""
    server = Server(answer(200, MARKED))
    before = datetime.now(UTC)
    await ask(server, lambda c: c.inbox("ana").snooze("n1", timedelta(hours=3)))
    until = datetime.fromisoformat(json.loads(server.requests[0].content)["until"])
    assert before + timedelta(hours=3) <= until <= datetime.now(UTC) + timedelta(hours=3)


@pytest.mark.parametrize(
    ("until", "says"),
    [
        (datetime(2026, 11, 22), "time zone"),  # noqa: DTZ001 - the fault
        ("tomorrow", "time zone"),
        (3600, "time zone"),
    ],
)
async def test_a_snooze_without_a_time(ask: Ask, until: Any, says: str) -> None:
    """A snooze needs a time with a time zone or a length, and sends no request otherwise."""
    server = Server(answer(200, MARKED))
    with pytest.raises(InvalidArgumentError, match=says):
        await ask(server, lambda c: c.inbox("ana").snooze("n1", until))
    assert server.requests == []
