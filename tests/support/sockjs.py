"""A client of SockJS over HTTP."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.support.no_tls import NO_TLS
from tests.support.realtime import PATIENCE_SECONDS, Realtime
from tests.support.stomp import client_frame
from tidings_workers.gateway.stomp.frames import Frame
from tidings_workers.gateway.stomp.parser import Parser

INBOX = "/user/queue/notifications"


def parsed(sockjs_frame: str) -> list[Frame]:
    """The STOMP frames in a frame of SockJS."""
    assert sockjs_frame.startswith("a"), sockjs_frame
    parser, found = Parser(), []
    parser.version = "1.2"
    for message in json.loads(sockjs_frame[1:]):
        parser.feed(message.encode())
        while (frame := parser.next_frame()) is not None:
            found.append(frame)
    return found


class Http:
    """A client of one session over HTTP."""

    def __init__(self, client: httpx.AsyncClient, session: str) -> None:
        self.client = client
        self.base = f"/ws/000/{session}"

    async def send(self, *messages: bytes) -> int:
        """Send messages; the status."""
        body = json.dumps([message.decode() for message in messages])
        return (await self.client.post(f"{self.base}/xhr_send", content=body)).status_code

    async def poll(self) -> str:
        """One frame, by xhr."""
        answer = await self.client.post(f"{self.base}/xhr")
        assert answer.status_code == 200, answer.text
        return answer.text.removesuffix("\n")


@asynccontextmanager
async def http(realtime: Realtime, session: str = "s1") -> AsyncIterator[Http]:
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{realtime.port}", timeout=PATIENCE_SECONDS, verify=NO_TLS
    ) as client:
        yield Http(client, session)


def connect_frame(realtime: Realtime, user: str = "ana", **headers: str) -> bytes:
    return client_frame("CONNECT", accept_version="1.2", passcode=realtime.token(user), **headers)


SUBSCRIBE = client_frame("SUBSCRIBE", id="0", destination=INBOX, receipt="r")
