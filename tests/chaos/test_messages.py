"""Messages of clients while gateways are killed: what an upstream sends is sent once."""

import asyncio
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.stack import Stack, running_stack
from tests.support.upstream import SECRET, Called, json_answer, running_upstream
from tidings import AsyncTidings

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "4"))
AT_ONCE = 10


@pytest.fixture
def stack(short_directory: Path) -> Iterator[Stack]:
    with running_stack(Path(tempfile.mkdtemp(dir=short_directory))) as stack:
        yield stack


async def repeated_until_answered(stack: Stack, user: str, keys: list[str]) -> None:
    """Send messages with these keys, and after each lost connection those without an answer again."""
    left = dict.fromkeys(keys)
    while left:
        try:
            async with connect(stack.realtime, proxy=None) as client:
                await client.send(json.dumps({"type": "connect", "token": stack.token(user)}))
                for key in left:
                    message = {"type": "message", "event": "e", "ref": key, "idempotency_key": key}
                    await client.send(json.dumps({**message, "data": key}))
                while left:
                    frame: dict[str, Any] = json.loads(await client.recv())
                    if frame["type"] == "reply":
                        del left[frame["ref"]]
                    elif frame["type"] == "error":
                        # It is repeated on the next connection.
                        break
        except (TimeoutError, OSError, ConnectionClosed):
            await asyncio.sleep(0.05)


@pytest.mark.timeout(300)  # each kill takes the restart of a part
async def test_a_gateway_is_killed_between_call_and_acceptance(stack: Stack) -> None:
    """However often a gateway is killed, each message's notification is in the inbox exactly once."""
    kill_at = {7 + 20 * number for number in range(ROUNDS)}

    async with running_upstream() as upstream, AsyncTidings(stack.api, key=stack.key) as tidings:

        async def handler(called: Called, writer: asyncio.StreamWriter) -> None:
            notification = {"to": {"users": ["reader"]}, "title": called.data["data"]}
            kills = len(upstream.calls) in kill_at
            if kills and len(upstream.calls) % 2:
                # Before the answer: the gateway has called and has accepted nothing.
                stack.kill("gateway")
            writer.write(json_answer(notifications=[notification]))
            await writer.drain()
            if kills and not len(upstream.calls) % 2:
                # Right behind the answer: it may be accepted, and the client does not know.
                stack.kill("gateway")

        upstream.handler = handler
        await tidings.upstream.set(upstream.url, secret=SECRET)
        await asyncio.sleep(1)
        users = {
            f"u{number}": [f"u{number}-{each}" for each in range(ROUNDS * 2)] for number in range(AT_ONCE)
        }
        async with asyncio.timeout(240):
            await asyncio.gather(*(repeated_until_answered(stack, *each) for each in users.items()))
        titles = [item.notification.title or "" async for item in tidings.inbox("reader").list()]
        assert sorted(titles) == sorted(key for keys in users.values() for key in keys)
        by_message: dict[str, set[str]] = {}
        for called in upstream.calls:
            by_message.setdefault(called.data["data"], set()).add(called.id)
        assert all(len(ids) == 1 for ids in by_message.values())
        assert len(upstream.calls) > len(by_message), "no message was repeated"
