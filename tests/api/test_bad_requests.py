"""Each invalid request gets the status and the code of the contract, and never a 5xx."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.api.conftest import Bearer, bearer_of, populated, serving
from tests.support.ports import free_port
from tests.support.valkey import running
from tidings_workers.config import Settings
from tidings_workers.store import Store

# None of these tests changes the server, so they share one.
pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"content-type": "application/json"}
GOOD = '{"to":{"users":["ana"]},"title":"x"%s}'


def data(value: str) -> bytes:
    return (GOOD % f',"data":{{"a":{value}}}').encode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(short_directory: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Bearer]]:
    home = Path(tempfile.mkdtemp(dir=short_directory))
    with running(home) as valkey:
        config = Settings(redis_url=valkey.url, port=free_port(), drain_seconds=3)
        store = await Store.open(config, name="test")
        bearer = await bearer_of(await populated(store))
        await store.close()
        async with serving(config) as client:
            yield client, bearer


@pytest.fixture
def api(shared: tuple[httpx.AsyncClient, Bearer]) -> httpx.AsyncClient:
    return shared[0]


@pytest.fixture
def bearer(shared: tuple[httpx.AsyncClient, Bearer]) -> Bearer:
    return shared[1]


MALFORMED = {
    "empty": b"",
    "cut off": b'{"to":{"users":["ana"]}',
    "trailing": GOOD.replace("%s", "").encode() + b" x",
    "byte order mark": b"\xef\xbb\xbf" + GOOD.replace("%s", "").encode(),
    "not UTF-8": b'{"to":{"users":["ana"]},"title":"\xff"}',
    "surrogate in UTF-8": b'{"to":{"users":["ana"]},"title":"\xed\xa0\x80"}',
    "lone surrogate": data('"\\ud800"'),
    "lone surrogate as key": (GOOD % ',"data":{"\\ud800":1}').encode(),
    "surrogates in the wrong order": data('"\\ude00\\ud83d"'),
    "lone surrogate after a fault": b'{"to":5,"title":"\\ud800"}',
    "not UTF-8 in an unknown field": b'{"nope":"\xff"}',
    "NaN": data("NaN"),
    "Infinity": data("-Infinity"),
    "control character": data('"\n"'),
    "leading zero": data("01"),
    "16,000 brackets": data("[" * 16_000 + "]" * 16_000),
    "20,000 brackets left open": data("[" * 20_000),
    "20,000 brackets as the body": b"[" * 20_000,
    "16,000 brackets in a wrong place": b'{"to":' + b"[" * 16_000 + b"]" * 16_000 + b"}",
    "16,000 brackets in an unknown field": b'{"nope":' + b"[" * 16_000 + b"]" * 16_000 + b"}",
    "101 levels": data("[" * 99 + "]" * 99),
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("batch", [False, True])
async def test_a_body_that_is_not_json_is_malformed(
    api: httpx.AsyncClient, bearer: Bearer, name: str, batch: bool
) -> None:
    """A body that is not JSON gets 400 malformed_json, also with another fault or as one item of a batch."""
    body, path = MALFORMED[name], "/v1/notifications"
    if batch:
        good = GOOD.replace("%s", "").encode()
        body, path = b'{"notifications":[%s,%s]}' % (good, body), path + "/batch"
    answer = await api.post(path, content=body, headers=bearer("send read") | JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json"), answer.text
    inbox = await api.get("/v1/users/ana/notifications", headers=bearer("read"))
    assert inbox.json()["items"] == []


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" * 5000])
async def test_numbers_beyond_every_type_are_refused(
    api: httpx.AsyncClient, bearer: Bearer, number: str
) -> None:
    """A number that no receiver can read gets a 422 with its place."""
    in_data = await api.post("/v1/notifications", content=data(number), headers=bearer("send") | JSON)
    body = (GOOD % f',"expires_in":{number}').encode()
    as_seconds = await api.post("/v1/notifications", content=body, headers=bearer("send") | JSON)
    for answer, pointer in ((in_data, "#/data"), (as_seconds, "#/expires_in")):
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
        assert answer.json()["errors"][0]["pointer"].startswith(pointer)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ([], "#"),
        ({"title": "x"}, "#/to"),
        ({"to": {}, "title": "x"}, "#/to"),
        ({"to": {"exclude": ["ana"]}, "title": "x"}, "#/to"),
        ({"to": {"all": False}, "title": "x"}, "#/to"),
        ({"to": {"users": ["ana"]}}, "#"),
        ({"to": {"users": ["ana"]}, "title": ""}, "#"),
        ({"to": {"users": ["ana"]}, "title": "x", "colour": 1}, "#/colour"),
        ({"to": {"users": ["ana"], "a/b~c": 1}, "title": "x"}, "#/to/a~1b~0c"),
        ({"to": {"users": ["ana", "b b"]}, "title": "x"}, "#/to/users/1"),
        ({"to": {"users": ["ana\n"]}, "title": "x"}, "#/to/users/0"),
        ({"to": {"users": [".."]}, "title": "x"}, "#/to/users/0"),
        ({"to": {"users": ["a" * 129]}, "title": "x"}, "#/to/users/0"),
        ({"to": {"users": [5]}, "title": "x"}, "#/to/users/0"),
        ({"to": {"groups": ["ü"]}, "title": "x"}, "#/to/groups/0"),
        ({"to": {"users": ["u"] * 1001}, "title": "x"}, "#/to/users"),
        ({"to": {"groups": ["g"] * 101}, "title": "x"}, "#/to/groups"),
        ({"to": {"all": "true"}, "title": "x"}, "#/to/all"),
        ({"to": {"users": ["ana"]}, "title": 5}, "#/title"),
        ({"to": {"users": ["ana"]}, "data": [1]}, "#/data"),
        ({"to": {"users": ["ana"]}, "title": "x", "expires_in": 0}, "#/expires_in"),
        ({"to": {"users": ["ana"]}, "title": "x", "expires_in": -1}, "#/expires_in"),
        ({"to": {"users": ["ana"]}, "title": "x", "expires_in": 31_536_001}, "#/expires_in"),
        ({"to": {"users": ["ana"]}, "title": "x", "expires_in": 10**30}, "#/expires_in"),
        ({"to": {"users": ["ana"]}, "title": "x", "expires_in": 1.5}, "#/expires_in"),
        ({"to": {"users": ["ana"]}, "title": "x", "link": "javascript:alert(1)"}, "#/link"),
        ({"to": {"users": ["ana"]}, "title": "x", "link": "//evil.example"}, "#/link"),
        ({"to": {"users": ["ana"]}, "title": "x", "icon": "data:image/png,x"}, "#/icon"),
        ({"to": {"users": ["ana"]}, "title": "x", "priority": "max"}, "#/priority"),
        ({"to": {"users": ["ana"]}, "title": "x", "category": ""}, "#/category"),
        ({"to": {"users": ["ana"]}, "title": "x", "actions": [{"id": "a"}]}, "#/actions/0/label"),
    ],
)
async def test_an_invalid_body_has_pointers_to_its_faults(
    api: httpx.AsyncClient, bearer: Bearer, body: Any, pointer: str
) -> None:
    """An invalid body gets 422 with the pointer of its fault and a sentence without patterns."""
    answer = await api.post("/v1/notifications", json=body, headers=bearer("send"))
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_request"), problem
    assert problem["errors"][0]["pointer"] == pointer
    assert "regex" not in answer.text
    assert "`" not in problem["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "unsupported_media_type"),
        ({"content-type": "text/plain"}, "unsupported_media_type"),
        ({"content-type": "application/json; charset=latin-1"}, "unsupported_media_type"),
        ({"content-type": "application/jsonp"}, "unsupported_media_type"),
        (JSON | {"content-encoding": "gzip"}, "unsupported_media_type"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/notifications", "/v1/groups/g/members"])
async def test_only_json_is_taken(
    api: httpx.AsyncClient, bearer: Bearer, headers: dict[str, str], code: str, path: str
) -> None:
    """A missing or another content type, and any compression, gets a 415."""
    answer = await api.post(path, content=b"{}", headers=bearer("send groups") | headers)
    assert (answer.status_code, answer.json()["code"]) == (415, code)


async def test_a_body_over_its_limit_is_too_large(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """A body of 33 KB gets a 413, announced or in chunks, and the client can read the answer."""
    body = json.dumps({"to": {"users": ["ana"]}, "title": "x" * 33_000}).encode()

    async def chunks() -> Any:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    for content in (body, chunks(), b" " * 10_000_000):
        answer = await api.post("/v1/notifications", content=content, headers=bearer("send") | JSON)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nope", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1/groups/", 404, "not_found"),
        ("GET", "/v1//groups", 404, "not_found"),
        ("GET", "/v1/groups/a%2Fb", 404, "not_found"),
        ("GET", "/v1/topics/a/b", 404, "not_found"),
        ("GET", "/v1/topics/a%252Fb", 404, "not_found"),
        ("GET", "/v1/topics/a/notifications%2Fx", 404, "not_found"),
        ("GET", "/v1/topics/", 404, "not_found"),
        ("GET", "/v1/topics/unknown%2Ftopic", 404, "not_found"),
        ("GET", "/v1/topics/%2E%2E", 422, "invalid_request"),
        ("GET", "/v1/topics/a%2F%2E%2E%2Fb", 422, "invalid_request"),
        ("GET", "/v1/topics/a%2F%2Fb", 422, "invalid_request"),
        ("GET", "/v1/topics/%2Fa", 422, "invalid_request"),
        ("GET", "/v1/topics/a%2F", 422, "invalid_request"),
        ("GET", "/v1/topics/%FF", 422, "invalid_request"),
        ("GET", "/v1/topics/a%20b", 422, "invalid_request"),
        ("GET", "/v1/topics/a%00", 422, "invalid_request"),
        ("GET", "/v1/topics/" + "a" * 201, 422, "invalid_request"),
        ("GET", "/v1/topics/*", 422, "invalid_request"),
        ("GET", "/v1/topics?prefix=", 422, "invalid_request"),
        ("GET", "/v1/topics?cursor=AAAA", 400, "invalid_cursor"),
        ("GET", "/v1/groups/g%00", 422, "invalid_request"),
        ("GET", "/v1/groups/%FF", 422, "invalid_request"),
        ("GET", "/v1/groups/a%20b", 422, "invalid_request"),
        ("GET", "/v1/groups/" + "a" * 129, 422, "invalid_request"),
        ("GET", "/v1/users/%2E%2E/notifications", 422, "invalid_request"),
        ("GET", "/v1/groups?limit=0", 422, "invalid_request"),
        ("GET", "/v1/groups?limit=201", 422, "invalid_request"),
        ("GET", "/v1/groups?limit=x", 422, "invalid_request"),
        ("GET", "/v1/groups?limit=1&limit=2", 422, "invalid_request"),
        ("GET", "/v1/groups?page=2", 422, "invalid_request"),
        ("GET", "/v1/groups/g?limit=2", 422, "invalid_request"),
        ("GET", "/v1/groups?cursor=", 400, "invalid_cursor"),
        ("GET", "/v1/groups?cursor=AAAA", 400, "invalid_cursor"),
        ("GET", "/v1/groups?cursor=%FF", 400, "invalid_cursor"),
        ("GET", "/v1/users/ana/notifications?state=lost", 422, "invalid_request"),
        ("GET", "/v1/users/ana/notifications?category=", 422, "invalid_request"),
        ("GET", "/v1/users/ana/notifications?log=", 422, "invalid_request"),
        ("GET", "/v1/users/ana/notifications?log=team-7", 422, "invalid_request"),
        ("GET", "/v1/users/ana/notifications?log=group:", 422, "invalid_request"),
        ("GET", "/v1/users/ana/notifications?log=group:..", 422, "invalid_request"),
        ("GET", "/v1/users/ana/notifications?log=user%0A", 422, "invalid_request"),
        ("GET", "/v1/users/ana/notifications?counts=log", 422, "invalid_request"),
        ("GET", "/v1/users/ana/notifications?after=", 422, "invalid_request"),
        ("GET", "/v1/users/ana/notifications?after=yesterday", 422, "invalid_request"),
        ("GET", "/v1/users/ana/notifications?after=1795330000", 422, "invalid_request"),
        ("GET", "/v1/users/ana/notifications?after=2026-11-22", 422, "invalid_request"),
        ("GET", "/v1/users/ana/notifications?before=2026-11-22T07:00:00", 422, "invalid_request"),
        ("GET", "/v1/users/ana/notifications?before=2026-13-22T07:00:00Z", 422, "invalid_request"),
        ("GET", "/v1/users/ana/notifications?before=2026-11-22T07:00:00+01:00", 422, "invalid_request"),
        ("GET", "/v1/users/ana/notifications?cursor=AAAA", 400, "invalid_cursor"),
        ("GET", "/v1/notifications?category=", 422, "invalid_request"),
        ("GET", "/v1/notifications?state=read", 422, "invalid_request"),
        ("GET", "/v1/notifications?cursor=AAAA", 400, "invalid_cursor"),
        ("GET", "/v1/notifications/nope/receipts", 404, "not_found"),
        ("GET", "/v1/notifications/nope/receipts?cursor=AAAA", 400, "invalid_cursor"),
        ("GET", "/v1/notifications/0198c5f0-0000-7000-8000-000000000000", 404, "not_found"),
        ("GET", "/v1/notifications/nope", 404, "not_found"),
        ("DELETE", "/v1/notifications/%00", 404, "not_found"),
        ("GET", "/v1/groups/nobody", 404, "not_found"),
        ("PATCH", "/v1/groups/g", 405, "method_not_allowed"),
        ("POST", "/v1/notifications?dry=1", 422, "invalid_request"),
        ("BREW", "/v1/groups", 405, "method_not_allowed"),
    ],
)
async def test_a_path_or_query_that_is_wrong(
    api: httpx.AsyncClient, bearer: Bearer, method: str, path: str, status: int, code: str
) -> None:
    """A wrong path, parameter or method gets its own status and code as problem+json."""
    raw = httpx.Request(method, api.base_url, headers=bearer("send read groups"))
    raw.url = raw.url.copy_with(raw_path=path.encode())
    answer = await api.send(raw)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"/problems/{code}"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    if status == 405:
        assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"ids": []}, "#/state"),
        ({"state": "lost", "ids": []}, "#/state"),
        ({"state": "read"}, "#"),
        ({"state": "read", "ids": None}, "#"),
        ({"state": "read", "category": "orders"}, "#"),
        ({"state": "read", "ids": [], "all": True}, "#"),
        ({"state": "read", "ids": [], "up_to": {}}, "#"),
        ({"state": "read", "up_to": {"user": 1}, "all": True}, "#"),
        ({"state": "read", "ids": [], "category": "orders"}, "#/category"),
        ({"state": "read", "up_to": {"user": 1}, "category": "orders"}, "#/category"),
        ({"state": "read", "all": True, "category": ""}, "#/category"),
        ({"state": "read", "all": False}, "#/all"),
        ({"state": "read", "all": "true"}, "#/all"),
        ({"state": "read", "ids": ["x"] * 1001}, "#/ids"),
        ({"state": "read", "ids": "x"}, "#/ids"),
        ({"state": "read", "ids": ["x", 5]}, "#/ids/1"),
        ({"state": "read", "up_to": {"user": -1}}, "#/up_to/user"),
        ({"state": "read", "up_to": {"user": 1.5}}, "#/up_to/user"),
        ({"state": "read", "up_to": {"user": 2**53}}, "#/up_to/user"),
        ({"state": "read", "up_to": {"user": None}}, "#/up_to/user"),
        ({"state": "read", "up_to": {"team/7": 1}}, "#/up_to/team~17"),
        ({"state": "read", "up_to": {"all": 1, "group:a b": 1}}, "#/up_to/group:a%20b"),
        ({"state": "read", "all": True, "user": "ana"}, "#/user"),
    ],
)
async def test_a_mark_that_is_not_valid(
    api: httpx.AsyncClient, bearer: Bearer, body: Any, pointer: str
) -> None:
    """An invalid mark gets 422 with the place of its fault, on both routes."""
    for path, scope in (("users/ana", "users"), ("me", "inbox")):
        answer = await api.post(
            f"/v1/{path}/notifications/mark", json=body, headers=bearer(scope, subject="ana")
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
        assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("query", "parameter"), [("state=lost", "state"), ("after=x", "after"), ("before=x", "before")]
)
async def test_the_wrong_parameter_is_named(
    api: httpx.AsyncClient, bearer: Bearer, query: str, parameter: str
) -> None:
    """The problem names the wrong parameter of the query as it is in the URL."""
    answer = await api.get(f"/v1/users/ana/notifications?{query}", headers=bearer("read"))
    assert answer.json()["detail"].startswith(f"query parameter {parameter}: ")


async def raw(api: httpx.AsyncClient, text: bytes, seconds: float = 3) -> bytes:
    """The answer to these bytes, until the server closes the connection or sends no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.base_url.port)
    writer.write(text)
    try:
        async with asyncio.timeout(seconds):
            head = await reader.readuntil(b"\r\n\r\n")
            return head + await reader.read(4096)
    finally:
        writer.close()


def head(bearer: Bearer, *lines: str) -> bytes:
    token = bearer("send")["authorization"]
    fixed = [
        "POST /v1/notifications HTTP/1.1",
        "host: x",
        f"authorization: {token}",
        "content-type: application/json",
    ]
    return "\r\n".join([*fixed, *lines, "", ""]).encode()


async def test_broken_chunks_are_a_400(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """A malformed chunked body gets a 400 and not a 5xx."""
    answer = await raw(api, head(bearer, "transfer-encoding: chunked") + b'5\r\n{"to"\r\nZZ\r\n')
    assert b" 400 " in answer
    assert b"malformed_request" in answer


@pytest.mark.parametrize(
    "text",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\n" + b"".join(b"x%d: y\r\n" % n for n in range(500)) + b"\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\ncookie: " + b"y" * 300_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a b\r\n\r\n",
    ],
)
async def test_malformed_http_is_refused(api: httpx.AsyncClient, text: bytes) -> None:
    """Malformed HTTP, too many headers and conflicting lengths get a 4xx, and the server still works."""
    assert (await raw(api, text)).startswith(b"HTTP/1.1 4")
    assert (await api.get("/health/live")).status_code == 200
