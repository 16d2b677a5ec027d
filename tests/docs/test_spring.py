"""The application that docs/spring.md shows in place of `@MessageMapping` answers clients."""

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from granian.constants import Interfaces
from granian.server.embed import Server

from tests.docs.documents import elsewhere
from tests.support.no_tls import NO_TLS
from tests.support.ports import free_port
from tests.support.sending import eventually
from tests.support.stack import running_stack
from tests.support.stomp import stomp_socket
from tests.support.tree import ROOT

SECRET = "whsec_" + "c2VjcmV0" * 4


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """The address of a running application."""
    port = free_port()
    server = Server(app, "127.0.0.1", port, interface=Interfaces.ASGI, log_enabled=False)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve())
        address = f"http://127.0.0.1:{port}"

        async def answers() -> int:
            try:
                async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
                    return (await client.get(address)).status_code
            except httpx.TransportError:
                return 0

        await eventually(answers, expected=405)
        try:
            yield address
        finally:
            server.stop()  # type: ignore[no-untyped-call]


def of_the_document() -> str:
    """The application in docs/spring.md."""
    (code,) = elsewhere(ROOT / "docs/spring.md", "tests/docs/test_spring.py serves it")
    return code


async def test_the_documented_upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest sends to `/app/message`: all get it on the topic, and the sender its reply."""
    monkeypatch.setenv("UPSTREAM_SECRET", SECRET)
    names: dict[str, Any] = {"__name__": "shop"}
    exec(of_the_document(), names)  # noqa: S102 - the documented code is tested
    with running_stack(tmp_path) as stack:
        async with serving(names["upstream"]) as upstream:
            setting = {"url": f"{upstream}/messages", "secret": SECRET}
            async with httpx.AsyncClient(base_url=stack.api, trust_env=False, verify=NO_TLS) as api:
                headers = {"authorization": f"Bearer {stack.token('shop', 'tenant')}"}
                assert (await api.put("/v1/upstream", json=setting, headers=headers)).is_success
            port = int(stack.realtime.rpartition(":")[2].partition("/")[0])

            async def reply() -> Any:
                """The application's reply to another event, by which it differs from the sample of `dev`."""
                async with stomp_socket(port) as client:
                    await client.connected()
                    await client.subscribe("/user/queue/reply")
                    await client.send("SEND", "{}", destination="/app/other")
                    return json.loads((await client.next()).body)

            # The gateway has the setting within a second.
            await eventually(reply, expected={"error": "There is no event other."})
            async with stomp_socket(port) as ana, stomp_socket(port) as bob:
                for client in (ana, bob):
                    await client.connected()
                    await client.subscribe("/topic/public")
                await ana.subscribe("/user/queue/reply", "reply")

                await ana.send("SEND", '{"content": "Hello"}', destination="/app/message")
                found = [await ana.expect("MESSAGE"), await ana.expect("MESSAGE")]
                assert {each.headers["destination"]: json.loads(each.body) for each in found} == {
                    "/topic/public": {"content": "Hello"},
                    "/user/queue/reply": {"said": True},
                }
                assert json.loads((await bob.expect("MESSAGE")).body) == {"content": "Hello"}


def test_the_page_shows_the_same_application() -> None:
    """The application on the page `/spring` has the lines of the document, without those of other events."""
    page = (ROOT / "api/tidings_api/spring/pages/index.html").read_text(encoding="utf-8")
    found = re.search(r'<code id="snippet-upstream">(.*?)</code>', page, re.DOTALL)
    assert found is not None
    lines = [line for line in of_the_document().splitlines() if line]
    here = [line for line in html.unescape(found[1]).splitlines() if line]
    assert here == lines[: len(here)]
    assert here[-1] == '    message.send(to_topics=["public"], data=message.data)'
