"""The outermost layer of the API, around Litestar: everything that all answers have in common.

Request ids, headers of security and caching, CORS, HEAD, strict paths, overload, metrics, and the answer
to errors that Litestar does not catch.
"""

import time
from collections import Counter as Multiset
from typing import Any, Final

from litestar.types import ASGIApp, Receive, Scope, Send

from tidings_api import cors
from tidings_api.answers import Answer
from tidings_api.direct import DirectCalls
from tidings_api.problems import ProblemError, encode_problem, problem_of
from tidings_api.topic_paths import keep_slashes
from tidings_workers import metrics
from tidings_workers.metrics import Tally, TimeTally

# The limit of requests that wait for this server at the same time. The store answers thousands a second, so
# a longer queue means seconds of waiting: a 503 at once is better.
WAITING: Final = 2_000


class Edge:
    """The ASGI application that the server runs. `admits` decides which origins may read an answer.

    It calls the handlers of `direct` itself, and `app` for all other requests.
    """

    def __init__(
        self, app: ASGIApp, *, admits: cors.Admits, direct: DirectCalls | None = None, waiting: int = WAITING
    ) -> None:
        self._app = app
        self._direct = direct or {}
        self._admits = admits
        self._limit = waiting
        self._waiting = 0
        # Set when the server is about to stop: from then on every answer has Connection: close.
        self.last_answers = False
        # Requests that are being answered, by the client's port: see `connections`.
        self.active: Multiset[str] = Multiset()
        self._tallies: dict[tuple[str, str, int], tuple[Tally, TimeTally]] = {}
        self._seconds: dict[str, TimeTally] = {}

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one HTTP request; other kinds of scope are ignored."""
        if scope["type"] != "http":
            return
        began = time.perf_counter()
        answer = Answer(scope, send, self._admits, last=self.last_answers)
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

    async def _serve(self, scope: Any, receive: Receive, answer: Answer) -> None:
        try:
            self._refuse_overload(scope)
            direct = self._direct.get((answer.method, scope.get("raw_path")))
            if direct is not None:
                await direct(scope, self._uncounted(receive), answer)
                return
            _check_path(scope)
            if answer.origin and cors.is_preflight(answer.method, answer.fields):
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

    def _refuse_overload(self, scope: Scope) -> None:
        if self._waiting > self._limit and not scope["path"].startswith("/health/"):
            raise ProblemError("overloaded", "Too many requests are waiting here: try again in a second.")

    def _count(self, scope: Any, answer: Answer, seconds: float) -> None:
        route = scope.get("path_template") or "none"
        # The client chooses the method: only a method that a route answers becomes a label.
        method = answer.method if route != "none" else "any"
        key = (route, method, answer.status)
        tallies = self._tallies.get(key)
        if tallies is None:
            requests = metrics.REQUESTS.labels(route=route, method=method, status=str(answer.status))
            if route not in self._seconds:
                self._seconds[route] = TimeTally(metrics.REQUEST_SECONDS.labels(route=route))
            tallies = self._tallies[key] = Tally(requests), self._seconds[route]
        tallies[0].inc()
        tallies[1].observe(seconds)


def _check_path(scope: Scope) -> None:
    """Raise 404 for an empty segment, a slash at the end or an encoded slash: each thing has one address."""
    encoded = b"%2f" in scope.get("raw_path", b"").lower() and not keep_slashes(scope)
    path = scope["path"]
    if (path.endswith("/") and path != "/") or "//" in path or encoded:
        raise ProblemError(
            "not_found",
            "The path of this URL does not exist: paths here have no empty parts and no slash at the end.",
        )
    if path.startswith("/v1/v1/"):
        raise ProblemError(
            "not_found", "The path of this URL has /v1 twice: the server's address ends before /v1."
        )
