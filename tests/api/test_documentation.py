"""The API's own documentation: the page for people and the document for programs."""

import asyncio
import re
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from typing import Any

import httpx
import pytest

from tests.api.conftest import Bearer
from tests.support.no_tls import NO_TLS
from tidings_api.app import describe
from tidings_api.openapi import SCOPE_TEXTS
from tidings_workers.registry import SERVER_SCOPES, Registry

PAGES = ("/docs", "/openapi.json")


@pytest.mark.parametrize("path", PAGES)
async def test_the_documentation_is_rendered_once(api: httpx.AsyncClient, path: str) -> None:
    """The documentation is rendered once, and a client with the current version gets a 304."""
    first = await api.get(path)
    again = await api.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    costs = []
    for _ in range(50):
        began = time.thread_time()
        assert (await api.get(path)).content == first.content
        costs.append(time.thread_time() - began)
    # This is the time of client and server together; rendering alone took 4 ms. The lowest leaves out the
    # garbage collector.
    assert min(costs) < 0.004


async def test_the_documentation_shows_every_operation(api: httpx.AsyncClient) -> None:
    """The page has each operation of the document."""
    page = (await api.get("/docs")).text
    operations = [each for item in describe()["paths"].values() for each in item.values()]
    missing = [each["operationId"] for each in operations if f"id='{each['operationId']}'" not in page]
    assert missing == []


async def test_the_documentation_says_how_to_authenticate(
    api: httpx.AsyncClient, bearer: Bearer, registry: Registry
) -> None:
    """The commands of the page send a notification, after the key and the address are put in."""
    page = (await api.get("/docs")).text
    for word in ("JWT", "Authorization: Bearer", "HS256", "kid", "curl"):
        assert word in page
    shown = re.search(r"<section id='authentication'>.*?<pre[^>]*>(.*?)</pre>", page, re.DOTALL)
    assert shown is not None
    commands = unescape(shown[1])
    key = await registry.signing_key("demo")
    assert key is not None
    commands = commands.replace("https://the.address.of.this.server", str(api.base_url).rstrip("/"))
    commands = commands.replace("shop.k1.the-secret", f"demo.{key.kid}.{key.secret}")
    done = await asyncio.to_thread(
        subprocess.run, ["bash", "-euc", commands], capture_output=True, text=True, timeout=20, check=False
    )
    assert '"status":"accepted"' in done.stdout, done


def test_every_field_is_described_and_few_values_are_an_enum() -> None:
    """The document has a text for each field, and an enum for each field with few values."""
    document = describe()
    schemas = document["components"]["schemas"]
    bare = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, rule in schema.get("properties", {}).items()
        if not rule.get("description")
    ]
    assert bare == []
    for name, field in (
        ("Sent", "status"),
        ("Sent", "durability"),
        ("SentNotification", "status"),
        ("SentNotification", "priority"),
        ("Notification", "priority"),
        ("InboxItem", "state"),
    ):
        assert schemas[name]["properties"][field]["enum"]


def test_each_operation_names_the_codes_that_it_answers_with() -> None:
    """Each operation names exactly the problems that it can answer with."""
    paths = describe()["paths"]

    def codes(path: str, method: str, status: str) -> set[str]:
        answer = paths[path][method]["responses"].get(status)
        return set(answer["content"]["application/problem+json"]["examples"]) if answer else set()

    assert codes("/v1/groups", "get", "400") == {"invalid_cursor"}
    assert codes("/v1/groups", "get", "422") == {"invalid_request"}
    assert codes("/v1/groups/{group}", "get", "400") == set()
    assert codes("/v1/groups/{group}/members/{user}", "put", "404") == set()
    assert codes("/v1/notifications", "post", "422") == {"invalid_request", "idempotency_mismatch"}
    limited = {
        item[method]["operationId"]
        for item in paths.values()
        for method in item
        if "429" in item[method]["responses"]
    }
    assert limited - {"read_events"} == {"create_webhook", "update_webhook", "rotate_webhook"}


def test_the_grant_lists_every_scope() -> None:
    """The document names the scopes that a key can have."""
    assert set(SCOPE_TEXTS) == set(SERVER_SCOPES)
    flows = describe()["components"]["securitySchemes"]["oauth2"]["flows"]
    assert set(flows["clientCredentials"]["scopes"]) == set(SERVER_SCOPES)


@asynccontextmanager
async def stripping_proxy(target: httpx.URL) -> AsyncIterator[str]:
    """The address of a proxy that serves the API below /tidings, as docs/operations.md sets it up."""
    prefix = b"/tidings"

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, path, rest = head.split(b" ", 2)
        assert path.startswith(prefix + b"/"), path
        version, headers = rest.split(b"\r\n", 1)
        length = re.search(rb"content-length: (\d+)", headers.lower())
        body = await reader.readexactly(int(length[1])) if length else b""
        own = b"connection: close\r\nx-forwarded-prefix: " + prefix + b"\r\n"
        headers = re.sub(rb"(?i)connection: [^\r]*\r\n", b"", headers)
        upstream, back = await asyncio.open_connection("127.0.0.1", target.port)
        back.write(method + b" " + path[len(prefix) :] + b" " + version + b"\r\n" + own + headers + body)
        writer.write(await upstream.read())
        await writer.drain()
        back.close()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/tidings"


async def test_everything_is_below_a_proxys_prefix(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """Behind a proxy with a prefix, Location, links and addresses begin with that prefix."""
    async with stripping_proxy(api.base_url) as url, httpx.AsyncClient(verify=NO_TLS) as client:
        body = {"to": {"users": ["ana"]}, "title": "x"}
        sent = await client.post(f"{url}/v1/notifications", json=body, headers=bearer("send read"))
        where = httpx.URL(url).join(sent.headers["location"])
        assert (await client.get(where, headers=bearer("read"))).json()["id"] == sent.json()["id"]
        page = await client.get(f"{url}/docs")
        linked: list[Any] = re.findall(r"href='([^'#][^']*)'", page.text)
        assert len(linked) > 1
        for link in linked:
            assert (await client.get(page.url.join(link))).status_code == 200, link
        explained = await client.get(f"{url}/problems/not_found", follow_redirects=True)
        assert explained.url.path == "/tidings/docs"
        document = (await client.get(f"{url}/openapi.json")).json()
        base = httpx.URL(f"{url}/openapi.json").join(document["servers"][0]["url"])
        assert str(base).rstrip("/") == url


@pytest.mark.parametrize("prefix", ["//evil.example", "/a b", "https://evil.example", "/a/", "/" + "a" * 999])
async def test_an_invalid_prefix_is_ignored(api: httpx.AsyncClient, bearer: Bearer, prefix: str) -> None:
    """A client's invalid prefix does not make an answer refer to another host."""
    body = {"to": {"users": ["ana"]}, "title": "x"}
    headers = bearer("send") | {"x-forwarded-prefix": prefix}
    answer = await api.post("/v1/notifications", json=body, headers=headers)
    assert answer.headers["location"].startswith("/v1/notifications/")
