"""Direct calls of handlers: without Litestar the answers are the same."""

import re
from typing import Any, Final, NamedTuple

import msgspec
import pytest

from tests.api.conftest import Bearer
from tidings_api.app import create_app
from tidings_api.direct import direct_calls
from tidings_api.edge import Edge
from tidings_api.services import Services
from tidings_workers.config import Settings
from tidings_workers.registry import Registry, RegistryView
from tidings_workers.store import Store

ONE: Final = "/v1/notifications"
BATCH: Final = "/v1/notifications/batch"
GOOD: Final = b'{"to":{"users":["ana"]},"title":"x"}'
_REPLAYED: Final = (b"idempotency-replayed", b"true")
_VARYING: Final = re.compile(rb"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[0-9:.]+Z")


class Call(NamedTuple):
    """One request. `token` is its scopes, `length` whether it announces its length."""

    path: str = ONE
    body: bytes = GOOD
    token: str | None = "send"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    kind: bytes | None = b"application/json"
    length: bool = True
    query: bytes = b""
    method: str = "POST"
    raw_path: bytes | None = None


def batch(*items: bytes) -> bytes:
    return b'{"notifications":[%b]}' % b",".join(items)


REQUESTS: Final = {
    "a notification": Call(),
    "without a length": Call(length=False),
    "a kind with a charset": Call(kind=b'application/JSON; charset="UTF-8"'),
    "a group and a user": Call(body=b'{"to":{"users":["ana"],"groups":["g"]},"data":{"a":1}}'),
    "no token": Call(token=None),
    "a wrong scope": Call(token="read"),
    "a wrong scope and an origin": Call(token="read", headers=((b"origin", b"https://a.example"),)),
    "a bad token": Call(token=None, headers=((b"authorization", b"Bearer a.b.c"),)),
    "a basic token": Call(token=None, headers=((b"authorization", b"Basic YTpi"),)),
    "a token that is no ASCII": Call(token=None, headers=((b"authorization", b"Bearer \xff\xfe"),)),
    "two tokens": Call(headers=((b"authorization", b"Bearer x"),)),
    "no kind": Call(kind=None),
    "another kind": Call(kind=b"text/plain"),
    "two kinds": Call(headers=((b"content-type", b"application/json"),)),
    "a compressed body": Call(headers=((b"content-encoding", b"gzip"),)),
    "an encoding that changes nothing": Call(headers=((b"content-encoding", b"identity"),)),
    "an empty body": Call(body=b""),
    "no JSON": Call(body=b"{"),
    "no object": Call(body=b"[]"),
    "no UTF-8": Call(body=b'{"to":{"users":["ana"]},"title":"\xff"}'),
    "a lone surrogate": Call(body=b'{"to":{"users":["ana"]},"title":"\\ud800"}'),
    "deep nesting": Call(body=b'{"to":{"users":["ana"]},"data":{"a":%b%b}}' % (b"[" * 200, b"]" * 200)),
    "a huge number": Call(body=b'{"to":{"users":["ana"]},"data":{"a":1e999}}'),
    "an unknown field": Call(body=b'{"to":{"users":["ana"]},"title":"x","nope":1}'),
    "many faults": Call(body=b'{"to":{"users":[1]},"title":2,"priority":"x"}'),
    "no target": Call(body=b'{"to":{},"title":"x"}'),
    "no content": Call(body=b'{"to":{"users":["ana"]}}'),
    "too large": Call(body=b'{"to":{"users":["ana"]},"title":"x","body":"%b"}' % (b"x" * 40_000)),
    "too large, without a length": Call(body=b" " * 40_000, length=False),
    "a length that is no number": Call(length=False, headers=((b"content-length", b"x"),)),
    "a key": Call(headers=((b"idempotency-key", b"k1"),)),
    "a quoted key": Call(headers=((b"idempotency-key", b'"k\\"2"'),)),
    "an empty key": Call(headers=((b"idempotency-key", b""),)),
    "a key that is no ASCII": Call(headers=((b"idempotency-key", b"\xe9"),)),
    "two keys": Call(headers=((b"idempotency-key", b"a"), (b"idempotency-key", b"b"))),
    "an unknown parameter": Call(query=b"a=1&b=2"),
    "an encoded parameter": Call(query=b"%61%20=1"),
    "a parameter without a value": Call(query=b"a"),
    "an empty parameter": Call(query=b"&"),
    "an origin": Call(headers=((b"origin", b"https://a.example"),)),
    "a strange origin": Call(headers=((b"origin", b"https://b.example"),)),
    "two origins": Call(headers=((b"origin", b"https://a.example"), (b"origin", b"https://b.example"))),
    "an unsafe request id": Call(headers=((b"x-request-id", b"a b"),)),
    "a prefix of a proxy": Call(headers=((b"x-forwarded-prefix", b"/tidings"),)),
    "a slash at the end": Call(path=ONE + "/"),
    "an encoded path": Call(raw_path=b"/v1/%6eotifications"),
    "an encoded slash": Call(raw_path=b"/v1%2fnotifications"),
    "another method": Call(method="PUT"),
    "a preflight": Call(
        method="OPTIONS",
        headers=((b"origin", b"https://a.example"), (b"access-control-request-method", b"POST")),
    ),
    "a batch": Call(BATCH, batch(GOOD, GOOD)),
    "an empty batch": Call(BATCH, batch()),
    "a batch with an invalid item": Call(BATCH, batch(GOOD, b'{"to":{}}', b"1", GOOD)),
    "a batch with an item that is no JSON": Call(BATCH, batch(GOOD, b"{")),
    "a batch with an item that is too large": Call(
        BATCH, batch(GOOD, b'{"to":{"users":["a"]},"body":"%b"}' % (b"x" * 40_000))
    ),
    "a batch of too many": Call(BATCH, batch(*[GOOD] * 1_001)),
    "a batch with an unknown field": Call(BATCH, b'{"notifications":[],"nope":1}'),
    "a batch with a key": Call(BATCH, batch(GOOD, b"1"), headers=((b"idempotency-key", b"k3"),)),
    "a batch without a token": Call(BATCH, batch(), token=None),
    "a batch with a parameter": Call(BATCH, batch(), query=b"a=1"),
}


@pytest.fixture
async def services(settings: Settings, store: Store, registry: Registry) -> Services:
    await registry.update_tenant("demo", origins=("https://a.example",))
    view = RegistryView(store.redis)
    await view.load()
    services = Services(settings)
    services.store_opened(store, view)
    return services


async def answer_of(edge: Edge, call: Call, token: str | None) -> tuple[Any, ...]:
    """The status, the sorted headers and the body, without ids and times that differ in each answer."""
    headers = [(b"host", b"test"), *call.headers]
    if not any(name == b"x-request-id" for name, _ in headers):
        headers.append((b"x-request-id", b"r1"))
    if token is not None:
        headers.append((b"authorization", token.encode()))
    if call.kind is not None:
        headers.append((b"content-type", call.kind))
    if call.length:
        headers.append((b"content-length", b"%d" % len(call.body)))
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": "http",
        "path": call.path,
        "raw_path": call.raw_path or call.path.encode(),
        "root_path": "",
        "query_string": call.query,
        "headers": headers,
        "server": ("127.0.0.1", "80"),
        "client": ("127.0.0.1", "9"),
        "state": {},
    }
    parts = [call.body[:7], call.body[7:]]
    sent: list[Any] = []

    async def receive() -> Any:
        if not parts:
            return {"type": "http.disconnect"}
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: Any) -> None:
        sent.append(message)

    await edge(scope, receive, send)
    start, *bodies = sent
    body = b"".join(message.get("body", b"") for message in bodies)
    own_id = dict(start["headers"])[b"x-request-id"]
    assert dict(start["headers"]).get(b"content-length", b"%d" % len(body)) == b"%d" % len(body)
    found = sorted(
        (name, _VARYING.sub(b"*", value.replace(own_id, b"*")))
        for name, value in start["headers"]
        if name != b"content-length"
    )
    return start["status"], found, _VARYING.sub(b"*", body.replace(own_id, b"*"))


@pytest.fixture
def edges(services: Services) -> tuple[Edge, Edge]:
    """The edge with direct calls, and one that leaves every request to Litestar."""
    app = create_app(services)
    calls = direct_calls(app)
    assert set(calls) == {("POST", ONE.encode()), ("POST", BATCH.encode())}
    return Edge(app, admits=services.admits, direct=calls), Edge(app, admits=services.admits)


async def test_a_direct_call_answers_as_litestar_does(edges: tuple[Edge, Edge], bearer: Bearer) -> None:
    """A request gets the same status, headers and body from the direct call and from Litestar."""
    different = {}
    for name, call in REQUESTS.items():
        token = None if call.token is None else bearer(call.token)["authorization"]
        direct, litestar = [await answer_of(edge, call, token) for edge in edges]
        if _REPLAYED in litestar[1]:  # the second request with a key repeats the first
            direct[1].append(_REPLAYED)
            direct[1].sort()
        if direct != litestar:
            different[name] = (direct, litestar)
    assert different == {}


async def test_the_table_has_every_kind_of_answer(edges: tuple[Edge, Edge], bearer: Bearer) -> None:
    """The requests of the table get a 202 and every error that a send may get while the store answers."""
    found = set[Any]()
    for call in REQUESTS.values():
        token = None if call.token is None else bearer(call.token)["authorization"]
        status, _, body = await answer_of(edges[0], call, token)
        found.add(status if status < 300 else msgspec.json.decode(body)["code"])
    assert found == {
        *(202, 204),
        *("missing_token", "invalid_token", "insufficient_scope", "unsupported_media_type", "malformed_json"),
        *("invalid_request", "too_large", "not_found", "method_not_allowed"),
    }
