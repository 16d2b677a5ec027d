"""The application's side of an upstream: handlers of events, for any web framework."""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from tidings._client_message import ClientMessage, read_message
from tidings._errors import ConfigurationError
from tidings._public import publish
from tidings._webhooks import TOLERANCE_SECONDS, WebhookVerificationError, key_of, verified
from tidings.protocol.messages import UpstreamAnswer
from tidings.protocol.names import is_event

Handler = Callable[[ClientMessage], Any]
Response = tuple[int, dict[str, str], bytes]
"""The status, the headers and the body of an HTTP answer."""

H = TypeVar("H", bound=Handler)

# Twice the data of a message, and the rest of the body.
BODY_BYTES: Final = 128 * 1024

_JSON: Final = {"content-type": "application/json"}
_encode: Final = msgspec.json.Encoder().encode


class Upstream:
    """Answers the messages of clients. Make one for the secret of your upstream, and give it handlers.

    ::

        upstream = Upstream(secret)

        @upstream.on("chat/*")
        def chat(message):
            message.send(to_topics=["public"], data={"from": message.user, "text": message.data["text"]})
            return {"delivered": True}

    It is an ASGI application, so Starlette, FastAPI and Litestar mount it. In any other framework call
    `handle` or, with `await`, `answer`, and return its status, headers and body. It verifies the signature of
    each call; `tolerance` is how many seconds old one may be. The value that a handler returns is the reply
    for the client, as JSON; None is no reply. An error of a handler is raised, so that the framework logs it
    and answers 500: the client then gets `upstream_failed`. Raises ConfigurationError for a secret that is
    none.
    """

    def __init__(self, secret: str, *, tolerance: float = TOLERANCE_SECONDS) -> None:
        self._key = key_of(secret)
        self._tolerance = tolerance
        self._exact: dict[str, Handler] = {}
        self._prefixes: dict[str, Handler] = {}

    def on(self, event: str) -> Callable[[H], H]:
        """Decorate the handler of an event, a function or a coroutine function.

        With `*` at its end, such as ``chat/*`` or ``*``, it handles all events that begin with the text
        before. The handler of the exact event is preferred, then the one with the longest beginning. Raises
        ConfigurationError for an event that no client can send, and for a second handler of the same event.
        """
        prefix = event.removesuffix("*")
        known = self._exact if prefix == event else self._prefixes
        if not is_event(event.replace("*", "x") if event.endswith("*") else event) or "*" in prefix:
            raise ConfigurationError(
                f"{event!r} is not an event. Name it as a topic, or a beginning with * at its end"
            )
        if prefix in known:
            raise ConfigurationError(f"There is a handler of {event!r} already")

        def add(handler: H) -> H:
            known[prefix] = handler
            return handler

        return add

    def handle(self, headers: Mapping[str, str], body: bytes) -> Response:
        """The answer to a call, for a framework without `await`, such as Flask or Django.

        A handler that is a coroutine function runs in an event loop of its own.
        """
        prepared = self._prepare(headers, body)
        if not isinstance(prepared, _Call):
            return prepared
        result = prepared.handler(prepared.message)
        if inspect.isawaitable(result):
            result = asyncio.run(_awaited(result))
        return _answer(prepared.message, result)

    async def answer(self, headers: Mapping[str, str], body: bytes) -> Response:
        """The answer to a call. A handler that is no coroutine function runs in a thread."""
        prepared = self._prepare(headers, body)
        if not isinstance(prepared, _Call):
            return prepared
        if inspect.iscoroutinefunction(prepared.handler):
            return _answer(prepared.message, await prepared.handler(prepared.message))
        from anyio import to_thread  # noqa: PLC0415 - most programs need no loop

        result = await to_thread.run_sync(prepared.handler, prepared.message)
        return _answer(prepared.message, await result if inspect.isawaitable(result) else result)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request as an ASGI application, at whatever path it is mounted."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError("An upstream serves HTTP alone")
        if scope["method"] != "POST":
            status, headers, body = _refusal(405, "An upstream takes POST")
            headers["allow"] = "POST"
        else:
            received = await _body(receive)
            if received is None:
                status, headers, body = _refusal(413, "The body is too large")
            else:
                fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
                status, headers, body = await self.answer(fields, received)
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        if status != 204:  # noqa: PLR2004 - No Content
            pairs.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})

    def _prepare(self, headers: Mapping[str, str], body: bytes) -> "_Call | Response":
        if len(body) > BODY_BYTES:
            return _refusal(413, "The body is too large")
        try:
            content = verified(headers, body, self._key, self._tolerance)
        except WebhookVerificationError as error:
            return _refusal(401, str(error))
        fields = {name.lower(): value for name, value in headers.items()}
        try:
            message = read_message(fields["webhook-id"], content)
        except (msgspec.MsgspecError, ValueError):
            return _refusal(400, "The body is not a message of a client")
        handler = self._handler(message.event)
        if handler is None:
            return _refusal(404, "There is no handler for this event")
        return _Call(message, handler)

    def _handler(self, event: str) -> Handler | None:
        exact = self._exact.get(event)
        if exact is not None:
            return exact
        fitting = [prefix for prefix in self._prefixes if event.startswith(prefix)]
        return self._prefixes[max(fitting, key=len)] if fitting else None


class _Call:
    """A verified message, and its handler."""

    def __init__(self, message: ClientMessage, handler: Handler) -> None:
        self.message = message
        self.handler = handler


async def _awaited(result: Any) -> Any:
    return await result


def _answer(message: ClientMessage, result: Any) -> Response:
    if result is None and not message.notifications:
        return 204, {}, b""
    notifications = tuple(message.notifications)
    answer = UpstreamAnswer(notifications=notifications)
    if result is not None:
        answer = UpstreamAnswer(result, notifications)
    return 200, dict(_JSON), _encode(answer)


def _refusal(status: int, detail: str) -> Response:
    return status, dict(_JSON), _encode({"detail": detail})


async def _body(receive: Any) -> bytes | None:
    """The body of a request; None when it is too large."""
    body, more = bytearray(), True
    while more:
        part = await receive()
        if part["type"] == "http.disconnect":
            break
        body += part.get("body", b"")
        if len(body) > BODY_BYTES:
            return None
        more = part.get("more_body", False)
    return bytes(body)


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


publish(globals())
