"""The operator's port: `/metrics`, `/health/live` and `/health/ready` of a process.

A small HTTP/1.1 server with one request per connection. The head must be smaller than 8 KB and complete
within 5 s, and the client must read the answer within 10 s. Any other request gets a 4xx and is closed.
Connections above 64 are closed at once. The port has no authentication: by default it listens on loopback.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from tidings_workers.hosts import host_of, is_private
from tidings_workers.identity import STORE_HEADER
from tidings_workers.logs import one_line
from tidings_workers.store.errors import StoreError

HEAD_BYTES: Final = 8 * 1024
HEAD_SECONDS: Final = 5
# The head, the checks and the answer together.
REQUEST_SECONDS: Final = 10
# The port has few clients, and each connection needs one of the process's open files.
CONNECTIONS: Final = 64
BACKLOG: Final = 16
CHECK_SECONDS: Final = 2

_MISDIRECTED: Final = (
    b"This Host is not a name of this port. Use its address, localhost or a name without a dot, or add the "
    b"name to TIDINGS_OPERATOR_NAMES.\n"
)

Check = Callable[[], Awaitable[None]]

_SHARED: Final = "PROMETHEUS_MULTIPROC_DIR"
_JSON: Final = "application/json"


class Health:
    """The readiness of a process: it is ready when it serves and every check passes.

    A check returns, or raises its fault. A check that takes more than 2 s has failed.
    """

    def __init__(self, checks: Mapping[str, Check] | None = None) -> None:
        self.serving = False
        # The identity of the store (`Store.identity`); empty until it is known.
        self.store = ""
        self._checks = dict(checks or {})

    async def report(self) -> dict[str, str]:
        """``ok`` or the fault, for `serving` and for each check by its name."""
        names = list(self._checks)
        found = await asyncio.gather(*(self._one(self._checks[name]) for name in names))
        serving = "ok" if self.serving else "starting or stopping"
        return {"serving": serving, **dict(zip(names, found, strict=True))}

    async def _one(self, check: Check) -> str:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await check()
        except TimeoutError:
            return f"no answer within {CHECK_SECONDS} s"
        except StoreError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - any fault is reported
            return one_line(error)
        return "ok"


@contextlib.asynccontextmanager
async def operator_port(
    host: str, port: int, health: Health, names: Collection[str] = ()
) -> AsyncIterator[None]:
    """Serve the operator's port inside the block. Raises OSError when it can't listen there.

    The `Host` of a request may be an address, a name that only a private network has, `host`, or one of
    `names`. Another `Host` gets 421, because a page of another site may have sent it (DNS rebinding).
    """
    known = frozenset({host.lower(), *(name.lower() for name in names)})
    open_connections = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_connections
        if open_connections >= CONNECTIONS:
            writer.transport.abort()
            return
        open_connections += 1
        try:
            with contextlib.suppress(OSError):
                async with asyncio.timeout(REQUEST_SECONDS):
                    writer.write(await _answer(reader, health, known))
                    writer.close()
                    await writer.wait_closed()
        finally:
            open_connections -= 1
            writer.transport.abort()

    server = await asyncio.start_server(handle, host, port, limit=HEAD_BYTES, backlog=BACKLOG)
    try:
        yield
    finally:
        server.close()


async def _answer(reader: asyncio.StreamReader, health: Health, names: frozenset[str]) -> bytes:
    try:
        async with asyncio.timeout(HEAD_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
    except TimeoutError:
        return _response(HTTPStatus.REQUEST_TIMEOUT)
    except asyncio.LimitOverrunError:
        return _response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    except asyncio.IncompleteReadError:
        return b""
    request, *lines = head.decode("latin-1").split("\r\n")
    words = request.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):  # noqa: PLR2004 - method, target, version
        return _response(HTTPStatus.BAD_REQUEST)
    method, target, _ = words
    if method not in {"GET", "HEAD"}:
        return _response(HTTPStatus.METHOD_NOT_ALLOWED, Allow="GET, HEAD")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    if "host" in headers:
        host = host_of(headers["host"])
        if host is None or not (is_private(host) or host in names):
            return _response(HTTPStatus.MISDIRECTED_REQUEST, _MISDIRECTED)
    answer = await _route(target.partition("?")[0], headers.get("accept", ""), health)
    return answer if method == "GET" else answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


async def _route(path: str, accept: str, health: Health) -> bytes:
    if path == "/health/live":
        return _response(HTTPStatus.OK, b'{"status":"ok"}', _JSON)
    if path == "/health/ready":
        checks = await health.report()
        good = all(found == "ok" for found in checks.values())
        body = msgspec.json.encode({"status": "ok" if good else "unavailable", "checks": checks})
        status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
        return _response(status, body, _JSON, **({STORE_HEADER: health.store} if health.store else {}))
    if path == "/metrics":
        encode, media_type = choose_encoder(accept)
        return _response(HTTPStatus.OK, await asyncio.to_thread(encode, _registry()), media_type)
    return _response(HTTPStatus.NOT_FOUND)


def forget_process(pid: int) -> None:
    """Remove the gauges of a stopped process from the sum that `/metrics` serves."""
    if _SHARED in os.environ:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _registry() -> CollectorRegistry:
    if _SHARED not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _response(
    status: HTTPStatus, body: bytes = b"", media_type: str = "text/plain; charset=utf-8", **headers: str
) -> bytes:
    body = body or f"{status.phrase}\n".encode()
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {media_type}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
