"""An API that answers each request as a test scripts it, for both kinds of client."""

from collections.abc import Callable
from typing import Any

import httpx
import jwt

from tidings.protocol.errors import ERRORS

TIME = "2026-11-22T07:00:00.123Z"
# No answer of the API has these codes. A message to the upstream may have been carried out.
ONLY_IN_FRAMES = frozenset({"upstream_failed", "upstream_timeout"})
SENT = {"id": "n1", "status": "accepted", "durability": "everysec", "accepted_at": TIME}

Outcome = httpx.Response | type[httpx.RequestError]


class Server:
    """Answers each request with the next outcome, and keeps the requests."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request, as a transport of httpx."""
        self.requests.append(request)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, type):
            raise outcome("it broke")
        return httpx.Response(outcome.status_code, headers=outcome.headers, content=outcome.content)

    def scopes(self) -> list[str]:
        """The scope of each request's token."""
        tokens = [request.headers["Authorization"].removeprefix("Bearer ") for request in self.requests]
        return [jwt.decode(token, options={"verify_signature": False})["scope"] for token in tokens]


def answer(status: int, body: Any = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is None:
        return httpx.Response(status, headers=named)
    return httpx.Response(status, json=body, headers=named)


def refusal(code: str, **headers: str) -> httpx.Response:
    document = {
        "type": f"/problems/{code}",
        "title": "t",
        "status": ERRORS[code].status,
        "detail": "No.",
        "code": code,
        "request_id": "req-1",
    }
    return answer(ERRORS[code].status, document, **headers)


Ask = Callable[..., Any]
