"""The sample upstream of `dev`: a page's message to /app/message is said on /topic/public."""

import json

from tests.support.stack import Stack
from tests.support.stomp import StompClient, stomp_socket


async def said(sender: StompClient, reader: StompClient, body: str) -> tuple[str, bytes]:
    """The content type and the body of the next message after a send."""
    await sender.send("SEND", body, destination="/app/message")
    message = await reader.expect("MESSAGE")
    return message.headers["content-type"], message.body


async def test_the_sample_upstream(stack: Stack) -> None:
    """Two guests chat, without a token and a line of code: every subscriber gets the body as it was sent."""
    port = int(stack.realtime.split("/")[2].rpartition(":")[2])
    async with stomp_socket(port) as ana, stomp_socket(port) as bob:
        for client in (ana, bob):
            await client.connected()
            await client.subscribe("/topic/public")
        chat = {"sender": "ana", "content": "hé", "type": "CHAT"}
        kind, body = await said(ana, bob, json.dumps(chat))
        assert (kind, json.loads(body)) == ("application/json", chat)
        await ana.expect("MESSAGE")
        kind, body = await said(bob, ana, "plain text")
        assert (kind, body) == ("text/plain;charset=UTF-8", b"plain text")
        await ana.subscribe("/user/queue/reply", "replies")
        await ana.send("SEND", '{"a": 1}', destination="/app/other")
        assert json.loads((await ana.expect("MESSAGE")).body) == {"a": 1}
