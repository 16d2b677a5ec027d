"""An application with the SDK, called by a running server: the setting, the handlers, and the answers."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.support.stack import Stack
from tidings import AsyncTidings, NotFoundError, Tidings, Upstream


@contextmanager
def serving(upstream: Upstream) -> Iterator[str]:
    """The application on a WSGI-like server, without a framework; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, headers, answer = upstream.handle(dict(self.headers), body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tidings"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def ask(stack: Stack, user: str, event: str, data: Any) -> dict[str, Any]:
    """The answer to a message of a user; a new setting is used within a second."""
    async with connect(stack.realtime, proxy=None) as client:
        await client.send(json.dumps({"type": "connect", "token": stack.token(user)}))
        await client.send(json.dumps({"type": "message", "event": event, "data": data, "ref": "r"}))
        async with asyncio.timeout(15):
            while True:
                frame: dict[str, Any] = json.loads(await client.recv())
                if frame.get("ref") == "r":
                    return frame


async def test_an_application(stack: Stack) -> None:
    """The application gets the message of a client, its reply reaches the client, and a notification bob."""
    secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    upstream = Upstream(secret)

    @upstream.on("order/*")
    def order(message: Any) -> Any:
        message.send(to_users=["upstream-bob"], title=f"{message.user} ordered {message.data['item']}")
        return {"event": message.event}

    async with AsyncTidings(stack.api, key=stack.key) as tidings:
        with serving(upstream) as url:
            made = await tidings.upstream.set(url, secret=secret)
            assert (made.url, made.secret) == (url, secret)
            assert secret not in repr(made)
            assert (await tidings.upstream.get()).to_dict() == {"url": url}
            answer: dict[str, Any] = {}
            for _ in range(50):
                answer = await ask(stack, "upstream-ana", "order/new", {"item": "tea"})
                if answer.get("data") == {"event": "order/new"}:
                    break
                await asyncio.sleep(0.1)
            assert answer == {"type": "reply", "ref": "r", "data": {"event": "order/new"}}
            failed = await ask(stack, "upstream-ana", "unknown", None)
            assert (failed["code"], "404" in failed["detail"]) == ("upstream_failed", True)
        titles = {item.notification.title async for item in tidings.inbox("upstream-bob").list()}
        assert titles == {"upstream-ana ordered tea"}


def test_the_setting(stack: Stack) -> None:
    """The setting by the blocking client: the server makes a secret, and removing is idempotent."""
    with Tidings(stack.api, key=stack.key) as tidings:
        made = tidings.upstream.set("https://shop.example/tidings")
        assert made.secret.startswith("whsec_")
        Upstream(made.secret)
        for _ in range(2):
            tidings.upstream.remove()
        with pytest.raises(NotFoundError):
            tidings.upstream.get()
