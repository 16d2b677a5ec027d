"""The outermost layer of the API, around Litestar: everything that all answers have in common.

Request ids, headers of security and caching, CORS, HEAD, strict paths, overload, metrics, and the answer
to errors that Litestar does not catch.
"""

import itertools
import re
import secrets
import time
from collections import Counter as Multiset
from typing import Any, Final

from litestar.types import ASGIApp, Receive, Scope, Send
from prometheus_client import Counter, Histogram

from tidings_api import cors
from tidings_api.bodies import RawHeaders, header
from tidings_api.problems import MEDIA_TYPE, ProblemError, encode_problem, problem_of
from tidings_workers import metrics

# The limit of requests that wait for this server at the same time. The store answers thousands a second, so
# a longer queue means seconds of waiting: a 503 at once is better.
WAITING: Final = 2_000

_CLIENT_ID: Final = re.compile(rb"[A-Za-z0-9._:@+/=\-]{1,128}").fullmatch
# The prefix that a proxy removed from the path (X-Forwarded-Prefix).
_PROXY_PREFIX: Final = re.compile(rb"(?:/[A-Za-z0-9._~-]{1,64}){1,8}").fullmatch
_ADAPTED: Final = frozenset({b"allow", b"location"})
_NEXT: Final = itertools.count(1).__next__
_PREFIX: Final = secrets.token_hex(6)


class Edge:
    """The ASGI application that the server runs. `admits` decides which origins may read an answer."""

    def __init__(self, app: ASGIApp, *, admits: cors.Admits, waiting: int = WAITING) -> None:
        self._app = app
        self._admits = admits
        self._limit = waiting
        self._waiting = 0
        # Set when the server is about to stop: from then on every answer has Connection: close.
        self.last_answers = False
        # Requests that are being answered, by the client's port: see `connections`.
        self.active: Multiset[str] = Multiset()
        self._requests: dict[tuple[str, str, int], Counter] = {}
        self._seconds: dict[str, Histogram] = {}

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one HTTP request; other kinds of scope are ignored."""
        if scope["type"] != "http":
            return
        began = time.perf_counter()
        answer = _Answer(scope, send, self._admits, last=self.last_answers)
        port = scope["client"][1]
        self.active[port] += 1
        self._waiting += 1
        try:
            await self._serve(scope, receive, answer)
        finally:
            self._waiting -= 1
            if self.active[port] == 1:
                del self.active[port]
            else:
                self.active[port] -= 1
            self._count(scope, answer, time.perf_counter() - began)

    async def _serve(self, scope: Any, receive: Receive, answer: "_Answer") -> None:
        try:
            self._admit(scope)
            if answer.origin and cors.is_preflight(answer.method, scope["headers"]):
                await answer.send({"type": "http.response.start", "status": 204, "headers": cors.REQUESTS})
                await answer.send({"type": "http.response.body", "body": b""})
                return
            await self._app(scope, self._uncounted(receive), answer.send)
        except Exception as error:
            if answer.status:
                raise
            document, headers = problem_of(error, answer.request_id)
            await answer.send_problem(document.status, encode_problem(document), headers)

    def _uncounted(self, receive: Receive) -> Receive:
        """`receive` for one request. While it runs, the request waits for its client and does not count."""

        async def call() -> Any:
            self._waiting -= 1
            try:
                return await receive()
            finally:
                self._waiting += 1

        return call

    def _admit(self, scope: Scope) -> None:
        if self._waiting > self._limit and not scope["path"].startswith("/health/"):
            raise ProblemError("overloaded", "Too many requests are waiting here: try again in a second.")
        _check_path(scope)

    def _count(self, scope: Any, answer: "_Answer", seconds: float) -> None:
        route = scope.get("path_template") or "none"
        # The client chooses the method: only a method that a route answers becomes a label.
        method = answer.method if route != "none" else "any"
        key = (route, method, answer.status)
        counter = self._requests.get(key)
        if counter is None:
            counter = self._requests[key] = metrics.REQUESTS.labels(
                route=route, method=method, status=str(answer.status)
            )
        counter.inc()
        histogram = self._seconds.get(route)
        if histogram is None:
            histogram = self._seconds[route] = metrics.REQUEST_SECONDS.labels(route=route)
        histogram.observe(seconds)


class _Answer:
    """Sends one answer, with the headers that every answer has."""

    __slots__ = (
        *("_admits", "_head_only", "_last", "_private", "_scope", "_send"),
        *("method", "origin", "request_id", "status"),
    )

    def __init__(self, scope: Any, send: Send, admits: cors.Admits, *, last: bool) -> None:
        self._scope = scope
        self._send = send
        self._admits = admits
        self._last = last
        self.status = 0
        self.method = scope["method"]
        self.request_id = _request_id(scope["headers"])
        scope.setdefault("state", {})["request_id"] = self.request_id
        self._private = scope["path"].startswith("/v1/")
        # Answers below /v1 belong to a tenant. Public routes set their own CORS headers.
        origins = header(scope["headers"], b"origin") if self._private else ()
        self.origin = origins[0] if len(origins) == 1 else b""
        # RFC 9110, section 9.3.2: HEAD is GET without the content.
        self._head_only = self.method == "HEAD"
        if self._head_only:
            scope["method"] = "GET"

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [
                (name, self._adapted(name, value) if name in _ADAPTED else value)
                for name, value in message["headers"]
            ]
            headers += ((b"x-request-id", self.request_id.encode()), (b"x-content-type-options", b"nosniff"))
            if self._private:
                headers.append(cors.VARY)
                if self.origin:
                    headers += self._cors()
                if not header(headers, b"cache-control"):
                    headers.append((b"cache-control", b"private, no-cache"))
            if self._last:
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        elif self._head_only:
            message = {**message, "body": b""}
        await self._send(message)

    def _adapted(self, name: bytes, value: bytes) -> bytes:
        if name == b"allow":
            return _with_head(value)
        prefixes = header(self._scope["headers"], b"x-forwarded-prefix") if value.startswith(b"/") else ()
        if len(prefixes) == 1 and _PROXY_PREFIX(prefixes[0]):
            return prefixes[0] + value
        return value

    def _cors(self) -> tuple[tuple[bytes, bytes], ...]:
        admitted = self._admits(self.origin.decode("latin-1"), self._scope.get("auth"))
        return cors.readable_by(self.origin) if admitted else ()

    async def send_problem(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Send a whole answer, with a problem document as its body."""
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        raw += [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})


def _request_id(headers: RawHeaders) -> str:
    """The client's X-Request-Id when it is safe for logs, else a new one."""
    given = header(headers, b"x-request-id")
    if len(given) == 1 and _CLIENT_ID(given[0]):
        return given[0].decode()
    return f"{_PREFIX}{_NEXT():08x}"


def _check_path(scope: Scope) -> None:
    """Raise 404 for an empty segment, a slash at the end or an encoded slash: each thing has one address."""
    path = scope["path"]
    if (path.endswith("/") and path != "/") or "//" in path or b"%2f" in scope.get("raw_path", b"").lower():
        raise ProblemError(
            "not_found",
            "The path of this URL does not exist: paths here have no empty parts and no slash at the end.",
        )
    if path.startswith("/v1/v1/"):
        raise ProblemError(
            "not_found", "The path of this URL has /v1 twice: the server's address ends before /v1."
        )


def _with_head(allow: bytes) -> bytes:
    methods = allow.decode().split(", ")
    if "GET" in methods and "HEAD" not in methods:
        methods.append("HEAD")
    return ", ".join(sorted(methods)).encode()
