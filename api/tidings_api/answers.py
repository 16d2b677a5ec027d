"""The answer to one request, with the headers that all answers have."""

import itertools
import re
import secrets
from collections.abc import Sequence
from typing import Any, Final

from litestar.types import Send

from tidings_api import cors
from tidings_api.bodies import fields_of, header
from tidings_api.problems import MEDIA_TYPE

RawHeader = tuple[bytes, bytes]

JSON: Final[RawHeader] = (b"content-type", b"application/json")
_PROBLEM: Final[RawHeader] = (b"content-type", MEDIA_TYPE.encode())
_NO_SNIFFING: Final[RawHeader] = (b"x-content-type-options", b"nosniff")
_PRIVATE: Final[RawHeader] = (b"cache-control", b"private, no-cache")
_LAST: Final[RawHeader] = (b"connection", b"close")

_CLIENT_ID: Final = re.compile(rb"[A-Za-z0-9._:@+/=\-]{1,128}").fullmatch
# The prefix that a proxy removed from the path (X-Forwarded-Prefix).
_PROXY_PREFIX: Final = re.compile(rb"(?:/[A-Za-z0-9._~-]{1,64}){1,8}").fullmatch
_ADAPTED: Final = frozenset({b"allow", b"location"})
_NEXT: Final = itertools.count(1).__next__
_PREFIX: Final = secrets.token_hex(6)


class Answer:
    """Sends one answer. `fields` has the headers of its request, `status` is 0 until the answer has begun.

    `last`: the server is about to stop, so the answer has Connection: close.
    """

    __slots__ = (
        *("_admits", "_head_only", "_last", "_private", "_scope", "_send"),
        *("fields", "method", "origin", "request_id", "status"),
    )

    def __init__(self, scope: Any, send: Send, admits: cors.Admits, *, last: bool) -> None:
        self._scope = scope
        self._send = send
        self._admits = admits
        self._last = last
        self.fields = fields_of(scope["headers"])
        self.status = 0
        self.method = scope["method"]
        given = self.fields.get(b"x-request-id")
        self.request_id = _new_id() if given is None else _request_id(given)
        scope.setdefault("state", {})["request_id"] = self.request_id
        self._private = scope["path"].startswith("/v1/")
        # Answers below /v1 belong to a tenant. Public routes set their own CORS headers.
        origins = self.fields.get(b"origin", ()) if self._private else ()
        self.origin = origins[0] if len(origins) == 1 else b""
        # RFC 9110, section 9.3.2: HEAD is GET without the content.
        self._head_only = self.method == "HEAD"
        if self._head_only:
            scope["method"] = "GET"
            scope["state"]["is_head"] = True

    async def send(self, message: Any) -> None:
        """The `send` of ASGI, for an application."""
        if message["type"] == "http.response.start":
            message = self._start(message["status"], list(message["headers"]))
        elif self._head_only:
            message = {**message, "body": b""}
        await self._send(message)

    async def send_whole(self, status: int, body: bytes, headers: list[RawHeader]) -> None:
        """Send a whole answer. `headers` does not have the length; it gets all other headers."""
        headers.append((b"content-length", b"%d" % len(body)))
        await self._send(self._start(status, headers))
        content = b"" if self._head_only else body
        await self._send({"type": "http.response.body", "body": content, "more_body": False})

    async def send_problem(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Send a whole answer, with a problem document as its body."""
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.send_whole(status, body, [*raw, _PROBLEM])

    def _start(self, status: int, headers: list[RawHeader]) -> Any:
        """The beginning of the answer, with all its headers."""
        self.status = status
        for index, (name, value) in enumerate(headers):
            if name in _ADAPTED:
                headers[index] = (name, self._adapted(name, value))
        headers += ((b"x-request-id", self.request_id.encode()), _NO_SNIFFING)
        if self._private:
            headers.append(cors.VARY)
            if self.origin and self._admits(self.origin.decode("latin-1"), self._scope.get("auth")):
                headers += cors.readable_by(self.origin)
            if not header(headers, b"cache-control"):
                headers.append(_PRIVATE)
        if self._last:
            headers.append(_LAST)
        return {"type": "http.response.start", "status": status, "headers": headers}

    def _adapted(self, name: bytes, value: bytes) -> bytes:
        if name == b"allow":
            return _with_head(value)
        prefixes = self.fields.get(b"x-forwarded-prefix", ()) if value.startswith(b"/") else ()
        if len(prefixes) == 1 and _PROXY_PREFIX(prefixes[0]):
            return prefixes[0] + value
        return value


def is_head(scope: Any) -> bool:
    """Whether a request that was passed on as GET is HEAD: its answer has no content."""
    return bool(scope["state"].get("is_head"))


def _new_id() -> str:
    return f"{_PREFIX}{_NEXT():08x}"


def _request_id(given: Sequence[bytes]) -> str:
    """The client's X-Request-Id when it is safe for logs, else a new one."""
    return given[0].decode() if len(given) == 1 and _CLIENT_ID(given[0]) else _new_id()


def _with_head(allow: bytes) -> bytes:
    methods = allow.decode().split(", ")
    if "GET" in methods and "HEAD" not in methods:
        methods.append("HEAD")
    return ", ".join(sorted(methods)).encode()
