"""Clients of server-sent events that record every notification, and resume by the last id alone."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterable, Sequence

import httpx
import msgspec

from tests.support.events import PATH, Parser
from tests.support.listening import Listener, running
from tests.support.no_tls import NO_TLS
from tests.support.stack import Installation
from tidings.protocol import frames
from tidings.protocol.frames import Resume

_decode = msgspec.json.Decoder(frames.ServerFrame).decode
# A resume whose positions only the server reads.
_BY_CURSOR = Resume("")


class SseListener(Listener):
    """A client of one user; it reconnects, and gives back the last id."""

    def __init__(self, at: Installation, user: str, url: str = "", query: str = "") -> None:
        super().__init__(at, user, (url or at.realtime).replace("ws://", "http://") + "/events" + query)
        assert PATH in self.url
        self.last_id = ""

    async def run(self) -> None:
        """Listen until cancelled."""
        async with httpx.AsyncClient(
            trust_env=False, timeout=httpx.Timeout(10, read=60), verify=NO_TLS
        ) as client:
            while True:
                headers = {"Authorization": f"Bearer {self._at.token(self.user)}"}
                if self.last_id:
                    headers["Last-Event-ID"] = self.last_id
                with contextlib.suppress(httpx.TransportError):
                    async with client.stream("GET", self.url, headers=headers) as response:
                        await self._read(response)
                self.welcomed.clear()
                await asyncio.sleep(random.uniform(0.02, 0.2))

    async def _read(self, response: httpx.Response) -> None:
        if response.status_code != 200:
            # The storage is not available for the moment.
            if response.status_code != 503:
                self.wrong.append(f"{self.user}: {response.status_code} {await response.aread()!r}")
            return
        resume = _BY_CURSOR if self.last_id else None
        parser = Parser(self.last_id)
        async for line in response.aiter_lines():
            event = parser.feed(line)
            if event is None:
                continue
            self.last_id = event.id
            if event.type == "close":
                self.closes[event.frame["code"]] += 1
            else:
                self._receive(_decode(event.data), resume)


@contextlib.asynccontextmanager
async def listening_by_sse(
    at: Installation, users: Iterable[str], urls: Sequence[str] = ("",)
) -> AsyncIterator[list[SseListener]]:
    """Listeners, one per user, all welcomed and spread over the gateways at `urls`."""
    async with running(
        [SseListener(at, user, urls[index % len(urls)]) for index, user in enumerate(users)]
    ) as listeners:
        yield listeners
