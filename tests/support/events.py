"""A client of server-sent events: httpx, and the parser of the HTML standard (9.2.6)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self

import httpx

from tests.support.no_tls import NO_TLS
from tests.support.realtime import PATIENCE_SECONDS, Frame

PATH = "/v1/realtime/events"


class Event(NamedTuple):
    """One dispatched event; `id` is the last event id after it."""

    type: str
    data: str
    id: str

    @property
    def frame(self) -> Frame:
        """The data as a frame."""
        frame: Frame = json.loads(self.data)
        return frame


class Parser:
    """Lines to events. `retry` is the reconnection time in ms; `comments` counts."""

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self.retry: int | None = None
        self.comments = 0
        self._type = ""
        self._data: list[str] = []
        self._id = last_id

    def feed(self, line: str) -> Event | None:
        """The event that a line ends."""
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not name:
            self.comments += 1
        elif name == "event":
            self._type = value
        elif name == "data":
            self._data.append(value)
        elif name == "id":
            self._id = value
        elif name == "retry":
            self.retry = int(value)
        else:
            raise AssertionError(line)
        return None

    def _dispatch(self) -> Event | None:
        self.last_id = self._id or self.last_id
        self._id = self.last_id
        data, kind = self._data, self._type
        self._data, self._type = [], ""
        return Event(kind or "message", "\n".join(data), self.last_id) if data else None


class EventClient:
    """One stream; `frames` has every event's data that was read, and `last_id` resumes after them."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.parser = Parser()
        self.events: list[Event] = []
        self._lines = response.aiter_lines()

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int, token: str | None = None, **options: Any) -> AsyncIterator[Self]:
        """A stream, by its token; `options` are those of httpx, `last_id` the id to resume after."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        last_id = options.pop("last_id", "")
        if last_id:
            headers["Last-Event-ID"] = last_id
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, verify=NO_TLS) as client:
            url = f"http://127.0.0.1:{port}{PATH}"
            async with client.stream("GET", url, headers=headers, **options) as response:
                yield cls(response)

    @property
    def last_id(self) -> str:
        """The id of the last event that has one."""
        return self.events[-1].id if self.events else ""

    async def next(self) -> Event:
        """The next event of any type."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                event = self.parser.feed(await anext(self._lines))
                if event is not None:
                    self.events.append(event)
                    assert event.type == "close" or event.frame["type"] == event.type
                    return event

    async def expect(self, kind: str) -> Frame:
        """The frame of the next event, which must be of that type."""
        event = await self.next()
        assert event.type == kind, event
        return event.frame

    async def titles(self, count: int) -> list[str]:
        """The titles of the next `count` events, which must all be notifications."""
        return [(await self.expect("notification"))["notification"]["title"] for _ in range(count)]

    async def until(self, kind: str) -> list[Frame]:
        """Frames up to and with the first of that type."""
        found = [(await self.next()).frame]
        while found[-1].get("type", "close") != kind:
            found.append((await self.next()).frame)
        return found

    async def closed(self) -> Frame:
        """The data of the event `close`, behind which the stream ends."""
        found = (await self.until("close"))[-1]
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert [line async for line in self._lines] == []
        return found
