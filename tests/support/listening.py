"""Clients of the realtime protocol that record every notification.

They use the wire and not the SDK, so that a fault of the SDK cannot hide one of the server. `wrong` lists
each broken promise of the protocol.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import NamedTuple, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.support.stack import Installation
from tidings.protocol import frames
from tidings.protocol.frames import CaughtUp, Connect, Delivered, Gap, Joined, Left, Resume, Welcome

_decode = msgspec.json.Decoder(frames.ServerFrame).decode
_encode = msgspec.json.Encoder().encode

CLOSED_BY_US = 1000


class Arrival(NamedTuple):
    """One received notification. `n` is the number that its sender gave it."""

    log: str
    position: int
    n: int
    id: str


class Listener:
    """A client of one user: it reconnects when its connection closes, and resumes."""

    def __init__(self, at: Installation, user: str, url: str = "") -> None:
        self.user = user
        self.arrivals: list[Arrival] = []
        self.counts: Counter[int] = Counter()
        self.closes: Counter[int] = Counter()
        self.welcomes = 0
        self.wrong: list[str] = []
        self.epoch = ""
        self.positions: dict[str, int] = {}
        self.welcomed = asyncio.Event()
        self._at = at
        self.url = url
        self._socket: ClientConnection | None = None
        self._last: dict[str, int] = {}

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                async with connect(
                    self.url or self._at.realtime,
                    additional_headers={"Authorization": f"Bearer {self._at.token(self.user)}"},
                    compression=None,
                    proxy=None,
                    open_timeout=10,
                    close_timeout=0.1,
                    ping_interval=None,
                ) as self._socket:
                    await self._listen(self._socket)
            except ConnectionClosed as closed:
                self.closes[closed.rcvd.code if closed.rcvd else 1006] += 1
            except (OSError, InvalidHandshake, EOFError):
                # The gateway is unavailable: its port refuses, or it died during the handshake.
                pass
            self.welcomed.clear()
            await asyncio.sleep(random.uniform(0.02, 0.2))

    def drop(self) -> None:
        """Drop the connection without a close frame, like a lost network."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _listen(self, socket: ClientConnection) -> None:
        resume = Resume(self.epoch, dict(self.positions)) if self.epoch else None
        await socket.send(_encode(Connect(resume=resume)), text=True)
        async for message in socket:
            self._receive(_decode(message), resume)

    def _receive(self, frame: frames.ServerFrame, resume: Resume | None) -> None:
        match frame:
            case Welcome():
                self._welcome(frame, resume)
            case Delivered():
                self._deliver(frame)
            case CaughtUp(positions):
                self._move(positions)
            case Joined(log, position) | Left(log, position):
                self._move({log: position})
            case Gap():
                self.wrong.append(f"{self.user}: {frame}")
            case _:
                pass

    def _welcome(self, welcome: Welcome, resume: Resume | None) -> None:
        self.welcomes += 1
        if resume is not None and (welcome.epoch, welcome.resume) != (self.epoch, "complete"):
            self.wrong.append(f"{self.user}: resumed with {resume}, welcomed with {welcome}")
        self.epoch = welcome.epoch
        if resume is None:
            self._move(welcome.positions)
        self.welcomed.set()

    def _deliver(self, frame: Delivered) -> None:
        n = (frame.notification.data or {}).get("n", -1)
        arrival = Arrival(frame.log, frame.position, n, frame.notification.id)
        if frame.position <= self.positions.get(frame.log, 0):
            self.wrong.append(f"{self.user}: {arrival} after position {self.positions[frame.log]}")
        self._move({frame.log: frame.position})
        self.arrivals.append(arrival)
        self.counts[n] += 1

    def _move(self, positions: dict[str, int]) -> None:
        for log, position in positions.items():
            self.positions[log] = max(position, self.positions.get(log, 0))


AnyListener = TypeVar("AnyListener", bound=Listener)


async def drop_at_random(listeners: Sequence[Listener], pause: float) -> None:
    """Drop one random connection after another, this many seconds apart, until cancelled."""
    while True:
        await asyncio.sleep(pause)
        random.choice(listeners).drop()


@contextlib.asynccontextmanager
async def listening(
    at: Installation, users: Iterable[str], urls: Sequence[str] = ("",)
) -> AsyncIterator[list[Listener]]:
    """Listeners, one per user, all welcomed and spread over the gateways at `urls`."""
    async with running(
        [Listener(at, user, urls[index % len(urls)]) for index, user in enumerate(users)]
    ) as listeners:
        yield listeners


@contextlib.asynccontextmanager
async def running(listeners: list[AnyListener]) -> AsyncIterator[list[AnyListener]]:
    """Run listeners of any kind, all welcomed, until the end of `async with`."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(listener.run()) for listener in listeners]
        for listener in listeners:
            await listener.welcomed.wait()
        yield listeners
        for task in tasks:
            task.cancel()
