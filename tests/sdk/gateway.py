"""A gateway for tests: it sends the frames of the protocol over a real socket, as each test scripts them."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Self

import httpx
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tidings import AsyncTidings, LiveInbox, ReconnectPolicy, Tidings
from tidings.protocol.frames import SUBPROTOCOL

KEY = "demo.k1.0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
SOON = ReconnectPolicy(base=0.0, spread=0.0)


class Peer:
    """One connection of a client, with its `connect` frame."""

    def __init__(self, socket: ServerConnection, token: str, connect: dict[str, Any]) -> None:
        self.socket = socket
        self.token = token
        self.connect = connect

    async def send(self, type: str, **fields: Any) -> None:
        """Send one frame."""
        await self.socket.send(json.dumps({"type": type, **fields}))

    async def welcome(
        self, epoch: str = "e1", resume: str = "none", state_version: int = 0, **positions: int
    ) -> None:
        """Send the first frame; the connection starts at `positions`."""
        await self.send(
            "welcome",
            connection="c1",
            user="ana",
            epoch=epoch,
            positions=positions or {"user": 0},
            counts=counts(1),
            heartbeat=25,
            expires_at="2030-01-01T00:00:00Z",
            resume=resume,
            state_version=state_version,
        )

    async def state(self, version: int, **fields: Any) -> None:
        """Send a change of state to that version; its counts have the same version."""
        await self.send("state", state_version=version, counts=counts(version), **fields)

    async def deliver(self, position: int, log: str = "user", **more: Any) -> None:
        """Send the notification of that position."""
        await self.send(
            "notification", log=log, position=position, notification=notification(position), **more
        )

    async def recv(self, type: str) -> dict[str, Any]:
        """The next frame of that type; others are skipped."""
        while True:
            frame: dict[str, Any] = json.loads(await self.socket.recv())
            if frame["type"] == type:
                return frame

    async def close(self, code: int, reason: str = "") -> None:
        """Close with a code, and wait until the client has read it."""
        await self.socket.close(code, reason)

    def drop(self) -> None:
        """End the connection without a close frame, as a broken network does."""
        self.socket.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


def counts(version: int) -> dict[str, int]:
    return {"unseen": 0, "unread": version, "version": version}


def notification(number: int) -> dict[str, Any]:
    return {
        "id": f"n{number}",
        "title": f"title {number}",
        "priority": "normal",
        "created_at": "2026-11-22T07:00:00Z",
    }


class Gateway:
    """Serves each connection with the next script. After the last one it refuses connections with 503.

    A number in place of a script refuses the handshake with that status.
    """

    def __init__(self, scripts: Sequence[Script | int]) -> None:
        self._scripts = list(scripts)
        self.url = ""
        self.peers: list[Peer] = []
        self.tokens_made = 0

    def client(self) -> AsyncTidings:
        """A client with an API that is scripted here: each request for a token gets a new one."""
        return AsyncTidings("http://api", key=KEY, transport=httpx.MockTransport(self._answer), retries=0)

    def blocking_client(self) -> Tidings:
        """The same client, but blocking: for its own thread."""
        return Tidings("http://api", key=KEY, transport=httpx.MockTransport(self._answer), retries=0)

    def listen(self, client: AsyncTidings, **options: Any) -> LiveInbox:
        """The live inbox of one user. It reconnects without waiting."""
        return client.listen(user="ana", reconnect=SOON, **options)

    @asynccontextmanager
    async def inbox(self, **options: Any) -> AsyncIterator[LiveInbox]:
        """The same inbox, entered, with its own client."""
        async with self.client() as client, self.listen(client, **options) as inbox:
            yield inbox

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/tokens"
        assert json.loads(request.content)["user"] == "ana"
        self.tokens_made += 1
        token = {
            "token": f"token-{self.tokens_made}",
            "expires_at": "2030-01-01T00:00:00Z",
            "realtime_url": self.url,
        }
        return httpx.Response(201, json=token)

    def _admit(self, socket: ServerConnection, _: Request) -> Response | None:
        status = 503 if not self._scripts else self._scripts[0]
        if isinstance(status, int):
            self._scripts[:1] = []
            return socket.respond(HTTPStatus(status), "")
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        script = self._scripts.pop(0)
        assert callable(script)
        assert socket.request is not None
        assert socket.subprotocol == SUBPROTOCOL
        token = socket.request.headers["Authorization"].removeprefix("Bearer ")
        peer = Peer(socket, token, json.loads(await socket.recv()))
        self.peers.append(peer)
        try:
            await script(peer)
            await socket.wait_closed()
        except ConnectionClosed:
            pass

    @classmethod
    @asynccontextmanager
    async def playing(cls, *scripts: Script | int) -> AsyncIterator[Self]:
        """A gateway on a free port of the loopback interface."""
        gateway = cls(scripts)
        async with serve(
            gateway._serve,
            "127.0.0.1",
            0,
            process_request=gateway._admit,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            close_timeout=1,
        ) as server:
            gateway.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/v1/realtime"
            yield gateway
