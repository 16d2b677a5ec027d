"""The examples of docs/webhooks.md verify what the service signs."""

import asyncio
import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import serving
from tests.support.ports import free_port
from tests.support.receivers import receiving, status
from tidings import Tidings
from tidings_workers import standard_webhooks
from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.store import Store

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BODY = b'{"type":"user.online","timestamp":"2026-11-22T07:00:00.123Z","data":{"user":"\xc3\xa4na"}}'


def example(language: str, word: str = "verify") -> str:
    """The block of a language that has a word."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    found = [block for block in blocks if word in block]
    assert len(found) == 1
    text: str = found[0]
    return text


def signed() -> dict[str, str]:
    """The headers of a request."""
    return standard_webhooks.headers(SECRET, "evt_1", int(time.time()), BODY)


def test_python() -> None:
    """The Python example takes a request of the service, and refuses one that was changed."""
    names: dict[str, Any] = {}
    exec(example("python"), names)  # noqa: S102 - the example of the page
    assert names["receive"](signed(), BODY, SECRET) == 204
    assert names["receive"](signed(), BODY + b" ", SECRET) == 401
    assert names["receive"](signed() | {"webhook-timestamp": "1"}, BODY, SECRET) == 401


async def test_python_settings(redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The Python example creates a webhook and, after a failed test, disables it."""
    settings = Settings(redis_url=redis_url, port=free_port(), drain_seconds=3, egress_networks="127.0.0.0/8")
    store = await Store.open(settings, name="test")
    await Registry(store.redis).create_tenant("demo")
    key = await Registry(store.redis).create_key("demo")
    await store.close()
    names: dict[str, Any] = {}
    exec(example("python", "repeat_failures"), names)  # noqa: S102 - the example of the page
    async with serving(settings), receiving() as receiver:
        receiver.answer = status("500 Internal Server Error")
        with Tidings(f"http://127.0.0.1:{settings.port}", key=key) as tidings:
            await asyncio.to_thread(names["repeat_failures"], tidings, receiver.url)
            [webhook] = await asyncio.to_thread(lambda: list(tidings.webhooks.list()))
    assert not webhook.enabled
    assert [request.event["type"] for request in receiver.received] == ["webhook.test"]
    assert "keep this secret: whsec_" in capsys.readouterr().out


@pytest.mark.parametrize("rotated", [False, True])
def test_node(rotated: bool) -> None:
    """The example for Node takes a request of the service, and refuses one that was changed."""
    node = shutil.which("node")
    assert node is not None
    headers = signed()
    if rotated:
        headers["webhook-signature"] = f"v1,{'A' * 43}= {headers['webhook-signature']}"
    cases = [
        [headers, BODY.decode()],
        [headers, BODY.decode() + " "],
        [headers | {"webhook-timestamp": "1"}, BODY.decode()],
        [{}, BODY.decode()],
    ]
    program = (
        example("js")
        + f"const cases = {json.dumps(cases)};"
        + f"console.log(JSON.stringify(cases.map(([h, b]) => verify(h, b, {json.dumps(SECRET)}) !== null)));"
    )
    done = subprocess.run([node, "-e", program], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == [True, False, False, False]
