"""Both clients over scripted transports: requests, results and retries."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import jwt
import pytest

from tests.sdk.gateway import KEY
from tests.sdk.scripted import ONLY_IN_FRAMES, SENT, TIME, Ask, Server, answer, refusal
from tidings import (
    APIError,
    BatchResult,
    ConfigurationError,
    ConnectionFailedError,
    IdempotencyMismatchError,
    InvalidArgumentError,
    InvalidRequestError,
    NotFoundError,
    QuotaExceededError,
    Resume,
    RetryPolicy,
    StorageUnavailableError,
    Tidings,
    TimedOutError,
    UnreadableAnswerError,
)
from tidings.protocol.errors import ERRORS

SEND = {"to_users": ["ana"], "title": "Hi"}

ROUTES: list[tuple[Callable[[Any], Any], str, str, str, Any, httpx.Response]] = [
    (
        lambda c: c.send(**SEND),
        "POST",
        "/v1/notifications",
        "send",
        {"to": {"users": ["ana"]}, "title": "Hi"},
        answer(202, SENT),
    ),
    (
        lambda c: c.send_batch([SEND]),
        "POST",
        "/v1/notifications/batch",
        "send",
        {"notifications": [{"to": {"users": ["ana"]}, "title": "Hi"}]},
        answer(202, {"results": [{"id": "n1", "status": "accepted"}]}),
    ),
    (lambda c: c.recall("n1"), "DELETE", "/v1/notifications/n1", "send", None, answer(204)),
    (
        lambda c: c.groups.add("a:b@c+d", "ana"),
        "POST",
        "/v1/groups/a%3Ab%40c%2Bd/members",
        "groups",
        {"add": ["ana"], "remove": []},
        answer(200, {"added": 1, "removed": 0}),
    ),
    (
        lambda c: c.groups.remove("team", ["ana", "bob"]),
        "POST",
        "/v1/groups/team/members",
        "groups",
        {"add": [], "remove": ["ana", "bob"]},
        answer(200, {"added": 0, "removed": 2}),
    ),
    (
        lambda c: c.groups.get("team"),
        "GET",
        "/v1/groups/team",
        "read",
        None,
        answer(200, {"id": "team", "members": 3, "created_at": TIME}),
    ),
    (lambda c: c.groups.delete("team"), "DELETE", "/v1/groups/team", "groups", None, answer(204)),
    (
        lambda c: c.tokens.create("ana", expires_in=60),
        "POST",
        "/v1/tokens",
        "tokens",
        {"user": "ana", "expires_in": 60, "scope": "inbox"},
        answer(201, {"token": "t", "expires_at": TIME, "realtime_url": "ws://x"}),
    ),
]


@pytest.mark.parametrize(("call", "method", "path", "scope", "body", "reply"), ROUTES)
async def test_each_method_is_its_route(
    ask: Ask,
    call: Callable[[Any], Any],
    method: str,
    path: str,
    scope: str,
    body: Any,
    reply: httpx.Response,
) -> None:
    """Each method sends the method, path, scope and body of its route."""
    server = Server(reply)
    await ask(server, call)
    (request,) = server.requests
    assert (request.method, request.url.raw_path.decode()) == (method, f"/base{path}")
    assert server.scopes() == [scope]
    assert (json.loads(request.content) if request.content else None) == body


async def test_a_sent_notification_is_read_with_its_receipts(ask: Ask) -> None:
    """Times are datetimes with a time zone, unknown counts are None, and unknown fields are ignored."""
    record = {
        "id": "n1",
        "status": "stored",
        "to": {"all": True, "planet": "earth"},
        "title": "Hi",
        "priority": "normal",
        "created_at": TIME,
        "accepted_at": TIME,
        "stored_at": None,
        "receipts": {"recipients": None, "delivered": 2, "seen": 1, "read": 0},
        "weather": "fine",
    }
    found = await ask(Server(answer(200, record)), lambda c: c.get("n1"))
    assert found.accepted_at.utcoffset().total_seconds() == 0
    assert (found.status, found.to.all, found.stored_at) == ("stored", True, None)
    assert (found.receipts.recipients, found.receipts.delivered) == (None, 2)


async def test_a_send_keeps_its_idempotency_key_over_all_tries(ask: Ask) -> None:
    """A send has the same idempotency key on every retry after a lost answer or a retryable refusal."""
    server = Server(
        httpx.ReadError,
        refusal("storage_unavailable"),
        refusal("idempotency_in_progress"),
        answer(202, SENT, Idempotency_Replayed="true"),
    )
    sent = await ask(server, lambda c: c.send(**SEND))
    assert sent.replayed
    assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 1
    assert len({request.content for request in server.requests}) == 1


async def test_each_send_has_a_new_key_or_the_given_one(ask: Ask) -> None:
    """Each send has a new idempotency key, unless the caller gives one."""
    server = Server(*(answer(202, SENT) for _ in range(3)))
    await ask(server, lambda c: c.send(**SEND))
    await ask(server, lambda c: c.send(**SEND))
    await ask(server, lambda c: c.send(**SEND, idempotency_key="order 4711"))
    keys = [request.headers["Idempotency-Key"] for request in server.requests]
    assert len(set(keys)) == 3
    assert keys[2] == "order 4711"


@pytest.mark.parametrize("code", [code for code, entry in ERRORS.items() if entry.retryable])
async def test_a_retryable_refusal_is_retried_as_often_as_allowed(ask: Ask, code: str) -> None:
    """The error of a retryable code is raised only after the last try."""
    server = Server(*(refusal(code) for _ in range(3)))
    with pytest.raises(APIError) as raised:
        await ask(server, lambda c: c.get("n1"), retries=2)
    assert raised.value.code == code
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "code",
    [
        code
        for code, entry in ERRORS.items()
        if not entry.retryable and code not in {"expired_token", *ONLY_IN_FRAMES}
    ],
)
async def test_a_final_refusal_is_raised_at_once(ask: Ask, code: str) -> None:
    """The error of a code that is not retryable is raised after the first try."""
    server = Server(refusal(code))
    with pytest.raises(APIError) as raised:
        await ask(server, lambda c: c.get("n1"))
    assert raised.value.request_id == "req-1"
    assert server.waits == []


@pytest.mark.parametrize("value", ["7", formatdate(None, usegmt=True)], ids=["seconds", "date"])
async def test_retry_after_is_obeyed(ask: Ask, value: str) -> None:
    """The client waits for the time of Retry-After, in seconds or as a date."""
    server = Server(refusal("rate_limited", Retry_After=value), answer(204))
    await ask(server, lambda c: c.recall("n1"))
    least = 7.0 if value == "7" else 0.0
    assert least <= server.waits[0] <= least + 0.5


async def test_a_restart_of_the_server_is_no_error(ask: Ask) -> None:
    """By default a call is tried five times, over 7.5 to 15 seconds."""
    server = Server(*(httpx.ConnectError for _ in range(4)), answer(204))
    await ask(server, lambda c: c.recall("n1"))
    assert 7.5 <= sum(server.waits) <= 15


async def test_each_retry_is_logged(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    """The logger `tidings` logs each failure at INFO, with the wait before the next try."""
    caplog.set_level(logging.INFO, logger="tidings")
    server = Server(httpx.ConnectError, refusal("overloaded"), answer(204))
    await ask(server, lambda c: c.recall("n1"))
    first, second = [record for record in caplog.records if record.name == "tidings"]
    assert first.levelno == second.levelno == logging.INFO
    assert "DELETE http://api/base/v1/notifications/n1" in first.message
    assert "[overloaded, HTTP 503]" in second.message
    assert "try 3 follows in" in second.message


EACH_CALL: list[Callable[[Any, Any], Any]] = [
    lambda c, o: c.send(**SEND, **o),
    lambda c, o: c.send_batch([SEND], **o),
    lambda c, o: c.get("n1", **o),
    lambda c, o: c.recall("n1", **o),
    lambda c, o: c.sent(**o),
    lambda c, o: c.receipts("n1", **o),
    lambda c, o: c.groups.add("g", "ana", **o),
    lambda c, o: c.groups.remove("g", "ana", **o),
    lambda c, o: c.groups.get("g", **o),
    lambda c, o: c.groups.delete("g", **o),
    lambda c, o: c.groups.list(**o),
    lambda c, o: c.groups.members("g", **o),
    lambda c, o: c.groups.of_user("ana", **o),
    lambda c, o: c.tokens.create("ana", **o),
    lambda c, o: c.users.presence("ana", **o),
    lambda c, o: c.users.disconnect("ana", **o),
    lambda c, o: c.users.erase("ana", **o),
    lambda c, o: c.inbox("ana").list(**o),
    lambda c, o: c.inbox("ana").counts(**o),
    lambda c, o: c.inbox("ana").mark("read", "n1", **o),
]


@pytest.mark.parametrize("call", EACH_CALL)
async def test_each_call_takes_timeout_and_retries(ask: Ask, call: Callable[[Any, Any], Any]) -> None:
    """`timeout` and `retries` of a call replace those of the client."""
    server = Server(httpx.ReadTimeout, httpx.ReadTimeout)
    with pytest.raises(TimedOutError) as raised:
        await ask(server, lambda c: call(c, {"timeout": 1.5, "retries": 1}), retries=0)
    assert raised.value.tries == 2
    assert {request.extensions["timeout"]["read"] for request in server.requests} == {1.5}


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": float("nan")}, {"retries": -1}])
async def test_wrong_options_of_a_call_send_nothing(ask: Ask, options: dict[str, Any]) -> None:
    """Wrong options of a call raise before anything is sent."""
    server = Server()
    with pytest.raises(ConfigurationError):
        await ask(server, lambda c: c.get("n1", **options))
    assert server.requests == []


async def test_a_wait_beyond_the_total_does_not_begin(ask: Ask) -> None:
    """A Retry-After beyond the total raises at once, and the error has its seconds."""
    server = Server(refusal("quota_exceeded", Retry_After="86400"))
    with pytest.raises(QuotaExceededError) as raised:
        await ask(server, lambda c: c.send(**SEND))
    assert raised.value.retry_after == 86400
    assert server.waits == []


async def test_an_expired_token_is_renewed_once(ask: Ask) -> None:
    """After `expired_token` the client tries one other token at once, and a second refusal is final."""
    tokens = iter(["first", "second", "third"])
    server = Server(refusal("expired_token"), answer(204), refusal("expired_token"), refusal("expired_token"))
    await ask(server, lambda c: c.recall("n1"), key=None, token=lambda: next(tokens))
    assert [request.headers["Authorization"] for request in server.requests] == [
        "Bearer first",
        "Bearer second",
    ]
    with pytest.raises(APIError):
        await ask(server, lambda c: c.recall("n1"))
    assert server.outcomes == []


@pytest.mark.parametrize(
    ("failure", "kind"), [(httpx.ConnectError, ConnectionFailedError), (httpx.ReadTimeout, TimedOutError)]
)
async def test_no_answer_is_an_error_of_its_own(
    ask: Ask, failure: type[httpx.RequestError], kind: type[ConnectionFailedError]
) -> None:
    """The error after the last try without an answer has the idempotency key to repeat the send."""
    server = Server(failure, failure)
    with pytest.raises(kind) as raised:
        await ask(server, lambda c: c.send(**SEND, idempotency_key="k"), retries=RetryPolicy(tries=2))
    assert raised.value.tries == 2
    assert raised.value.request.idempotency_key == "k"


async def test_a_batch_gives_its_results_in_order(ask: Ask) -> None:
    """The results of accepted and refused messages are in the order of the messages."""
    bad = {
        "type": "/problems/invalid_request",
        "title": "t",
        "status": 422,
        "detail": "Too long",
        "code": "invalid_request",
        "errors": [{"pointer": "#/title", "detail": "is too long"}],
    }
    results = [{"id": "n1", "status": "accepted"}, {"error": bad}, {"id": "n3", "status": "accepted"}]
    server = Server(answer(202, {"results": results}, X_Request_Id="req-9"))
    first, second, third = await ask(server, lambda c: c.send_batch([SEND, SEND, SEND]))
    assert (first, third) == (
        BatchResult(index=0, id="n1", status="accepted"),
        BatchResult(index=2, id="n3", status="accepted"),
    )
    assert (second.index, second.ok, second.status, second.id) == (1, False, "refused", None)
    assert isinstance(second.error, InvalidRequestError)
    assert second.error.errors[0].pointer == "#/title"
    assert second.error.request_id == "req-9"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"id": 3}', b"\xff", b'{"id":' * 20_000])
async def test_an_unreadable_success_is_an_error(ask: Ask, body: bytes) -> None:
    """A 2xx answer of another server raises UnreadableAnswerError."""
    with pytest.raises(UnreadableAnswerError):
        await ask(Server(httpx.Response(202, content=body)), lambda c: c.send(**SEND))


async def test_lists_fetch_page_after_page(ask: Ask) -> None:
    """Iterating gives the items of all pages, with one request per page."""
    pages = [
        {"items": [{"user": "ana", "joined_at": TIME}], "next": "c 2&", "previous": None},
        {"items": [], "next": "c3", "previous": "c1"},
        {"items": [{"user": "bob", "joined_at": TIME}], "next": None, "previous": "c2"},
    ]
    server = Server(*(answer(200, page) for page in pages))
    members = await ask(server, lambda c: c.groups.members("team", page_size=1))
    assert [member.user for member in members] == ["ana", "bob"]
    assert [dict(request.url.params) for request in server.requests] == [
        {"limit": "1"},
        {"limit": "1", "cursor": "c 2&"},
        {"limit": "1", "cursor": "c3"},
    ]


@pytest.mark.parametrize(
    ("call", "path", "scope"),
    [
        (lambda c: c.groups.list(cursor="x").page(), "/v1/groups", "read"),
        (lambda c: c.groups.of_user("ana", cursor="x").page(), "/v1/users/ana/groups", "read"),
        (lambda c: c.groups.members("g", cursor="x").page(), "/v1/groups/g/members", "read"),
    ],
)
async def test_one_page_can_be_fetched_by_its_cursor(
    ask: Ask, call: Callable[[Any], Any], path: str, scope: str
) -> None:
    """A page has the cursors of its neighbours, which another call can use."""
    server = Server(answer(200, {"items": [], "next": "n", "previous": "p"}))
    page = await ask(server, call)
    assert (page.next, page.previous) == ("n", "p")
    assert server.requests[0].url.path == f"/base{path}"
    assert server.requests[0].url.params["cursor"] == "x"
    assert server.scopes() == [scope]


@pytest.mark.parametrize(
    ("user", "path", "scope"),
    [("ana", "/v1/users/ana/notifications", "read"), (None, "/v1/me/notifications", "inbox")],
)
async def test_an_inbox_page_says_where_to_resume(ask: Ask, user: str | None, path: str, scope: str) -> None:
    """A page of an inbox has the counts, and the argument of `resume` that misses nothing."""
    item = {
        "log": "user",
        "position": 12,
        "state": "unseen",
        "seen_at": None,
        "read_at": None,
        "archived_at": None,
        "notification": {"id": "n1", "priority": "normal", "created_at": TIME},
    }
    body = {
        "items": [item],
        "next": None,
        "previous": None,
        "counts": {"unseen": 1, "unread": 1, "version": 4},
        "epoch": "e1",
        "positions": {"user": 12},
        "state_version": 7,
    }
    server = Server(answer(200, body))
    own = {} if user else {"key": None, "token": jwt.encode({"scope": scope}, "s" * 32)}
    page = await ask(server, lambda c: c.inbox(user).list(state="unread", category="orders").page(), **own)
    assert page.items[0].notification.id == "n1"
    assert page.resume == Resume("e1", {"user": 12}, 7)
    assert server.requests[0].url.path == f"/base{path}"
    assert dict(server.requests[0].url.params) == {"state": "unread", "category": "orders"}
    assert server.scopes() == [scope]


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.get(".."),
        lambda c: c.recall("a/b"),
        lambda c: c.groups.get(""),
        lambda c: c.groups.add("g", []),
        lambda c: c.groups.add("g", ["a b"]),
        lambda c: c.tokens.create("a\nb"),
        lambda c: c.send(**SEND, idempotency_key=""),
        lambda c: c.send(**SEND, idempotency_key="\u00e9"),
        lambda c: c.send(**SEND, idempotency_key="x" * 256),
        lambda c: c.send(title="no target"),
    ],
)
async def test_wrong_arguments_send_nothing(ask: Ask, call: Callable[[Any], Any]) -> None:
    """Arguments that are not valid raise before anything is sent, and no id changes the path."""
    server = Server()
    with pytest.raises(InvalidArgumentError):
        await ask(server, call)
    assert server.requests == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("not_found", NotFoundError),
        ("idempotency_mismatch", IdempotencyMismatchError),
        ("storage_unavailable", StorageUnavailableError),
    ],
)
async def test_refusals_can_be_caught_by_name(ask: Ask, code: str, kind: type[APIError]) -> None:
    """Each error code has its own exception."""
    with pytest.raises(kind):
        await ask(Server(refusal(code)), lambda c: c.get("n1"), retries=0)


@contextmanager
def losing_first_reply() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A real server that breaks the connection of the first send before its answer, and answers the next."""
    seen: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.headers["Idempotency-Key"], body))
            if len(seen) == 1:
                self.close_connection = True
                self.connection.close()
                return
            reply = json.dumps(SENT).encode()
            self.send_response(202)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_lost_reply_is_one_send_over_a_real_socket() -> None:
    """After a connection broke before the answer, the second try has the same key."""
    with losing_first_reply() as (url, seen), Tidings(url, key=KEY, retries=RetryPolicy(base=0)) as client:
        assert client.send(to_users="ana", title="Hi").id == "n1"
    assert len(seen) == 2
    assert seen[0] == seen[1]


def test_one_client_serves_many_threads() -> None:
    """Several threads can send with one client, and each gets its own answer."""
    server = Server(*(answer(202, SENT | {"id": f"n{number}"}) for number in range(40)))
    ids: list[str] = []
    with Tidings("http://api", key=KEY, transport=httpx.MockTransport(server)) as client:
        threads = [
            threading.Thread(target=lambda: ids.extend(client.send(**SEND).id for _ in range(10)))  # type: ignore[arg-type]
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(ids) == sorted(f"n{number}" for number in range(40))
