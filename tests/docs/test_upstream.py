"""The application that docs/upstream.md shows, run by the frameworks, and called by a running server."""

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
import pytest
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import path
from granian.constants import Interfaces
from granian.server.embed import Server
from websockets.asyncio.client import connect

from tests.support.ports import free_port
from tests.support.stack import Stack, running_stack
from tests.support.tree import ROOT
from tidings import AsyncTidings

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
TEXT = (ROOT / "docs" / "upstream.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("upstream")) as running:
        yield running


def application(framework: str) -> Any:
    """The application of the document, with the routes of this framework."""
    names: dict[str, Any] = {"__name__": "shop", "SECRET": SECRET}
    exec(BLOCKS[0], names)  # noqa: S102 - the documented code is tested
    (shown,) = (block for block in BLOCKS[1:] if f"from {framework.lower()}" in block)
    exec(shown, names)  # noqa: S102
    if framework != "Django":
        return names["app"]
    urls = ModuleType("urls_of_the_document")
    urls.urlpatterns = [path("tidings", names["tidings"])]  # type: ignore[attr-defined]
    if not settings.configured:
        settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None)
        django.setup()
    settings.ROOT_URLCONF = urls
    return get_wsgi_application()


class Quiet(WSGIRequestHandler):
    """A handler that logs no requests."""

    def log_message(self, *_: Any) -> None:
        """See WSGIRequestHandler."""


@contextmanager
def wsgi(app: Any, port: int) -> Iterator[None]:
    server = make_server("127.0.0.1", port, app, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def reply(stack: Stack, token: str, text: str) -> Any:
    """The reply to a message of ana, who is subscribed to the room; and what the room gets."""
    async with connect(stack.realtime, proxy=None) as client:
        await client.send(json.dumps({"type": "connect", "token": token}))
        await client.send(json.dumps({"type": "subscribe", "topic": "rooms/7"}))
        await client.send(
            json.dumps({"type": "message", "event": "chat/7", "data": {"text": text}, "ref": 1})
        )
        found: dict[str, Any] = {}
        async with asyncio.timeout(20):
            while not found.keys() & {"reply", "error"} or ("reply" in found and "notification" not in found):
                frame = json.loads(await client.recv())
                found[frame["type"]] = frame
        return found


@pytest.mark.parametrize("framework", ["FastAPI", "Litestar", "Flask", "Django"])
async def test_the_documented_application_answers(framework: str, stack: Stack) -> None:
    """The documented lines answer a client's message, and the room gets what it said."""
    app, port = application(framework), free_port()
    async with AsyncTidings(stack.api, key=stack.key) as tidings:
        # The mounted applications are below the path.
        slash = "/" if framework == "FastAPI" else ""
        token = (await tidings.tokens.create("ana", topics=["rooms/*"])).token
        await tidings.upstream.set(f"http://127.0.0.1:{port}/tidings{slash}", secret=SECRET)
    # The gateway has read the setting.
    await asyncio.sleep(1)
    if framework in {"Flask", "Django"}:
        with wsgi(app, port):
            found = await reply(stack, token, framework)
    else:
        server = Server(app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False)
        task = asyncio.create_task(server.serve())
        await asyncio.sleep(0.5)
        try:
            found = await reply(stack, token, framework)
        finally:
            server.stop()  # type: ignore[no-untyped-call]  # granian has no type for it
            await task
    assert found["reply"]["data"] == {"delivered": True}, found
    assert found["notification"]["notification"]["data"] == {"from": "ana", "text": framework}
