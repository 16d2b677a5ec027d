"""A client with a memory: it keeps an inbox of its own from a list and the frames that follow it.

What it keeps has to be the user's inbox at any time; that is what the protocol promises to people who
write clients. It knows only what it was told, and keeps it while it is away.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

from websockets.exceptions import ConnectionClosed

from tests.inbox_model.application import Json, milliseconds
from tests.inbox_model.terms import Marks, Place, in_category
from tests.support.realtime import Client, Frame, Realtime


@dataclass
class Held:
    """What a client holds of one notification; the moments of its marks are milliseconds."""

    id: str
    category: str | None
    expires: int | None
    marks: Marks


class News(NamedTuple):
    """A frame that is no notification, as what it says: of a state, whether it answers a mark from here."""

    type: str
    id: str = ""
    log: str = ""
    position: int = 0
    mine: bool = False


class Told(NamedTuple):
    """Counts as a frame gave them."""

    unseen: int
    unread: int
    version: int


class Device:
    """One client. `name` is what it tells the server, None when it names no device."""

    def __init__(self, user: str, name: str | None, label: str) -> None:
        self.user, self.name, self.label = user, name, label
        self.held: dict[Place, Held] = {}
        self.positions: dict[str, int] = {}
        self.epoch: str | None = None
        self.state_version: int | None = None
        # Of the connection that is open, or was last:
        self.connection = ""
        self.gateway: int | None = None
        self.welcome: Frame = {}
        self.caught_up: Frame | None = None
        self.replays = False
        self.received: dict[str, list[int]] = {}
        self.expected: dict[str, list[int]] = {}
        self.wrong: list[str] = []
        # Since `begin`:
        self.news: Counter[News] = Counter()
        self.due: Counter[News] | None = Counter()
        self.told: list[Told] = []
        self.counts_due = False
        self.must_reload = False
        self.answers: dict[str, Frame] = {}
        self.reloads = 0
        self._client: Client | None = None
        self._stack = AsyncExitStack()
        self._pings = 0

    def __repr__(self) -> str:
        return f"{self.user}'s {self.label}"

    @property
    def is_open(self) -> bool:
        """Whether it is connected."""
        return self._client is not None

    async def connect(self, realtime: Realtime, resume: Mapping[str, Any] | None) -> None:
        """Open a connection; returns with the welcome."""
        fields: Json = {"device": self.name, "resume": resume}
        opening = realtime.user(
            self.user, **{name: value for name, value in fields.items() if value is not None}
        )
        self._client = await self._stack.enter_async_context(opening)
        self.welcome = self._client.frames[0]
        self.caught_up = None
        self.replays = bool(fields["device"] or fields["resume"])
        self.connection = self.welcome["connection"]
        self.epoch = self.welcome["epoch"]
        self.received, self.expected = {}, {}
        # Keep the position of a group that was left: see docs/realtime.md.
        self.positions |= self.welcome["positions"]
        if self.state_version is None or resume is None or "state_version" not in resume:
            self.state_version = self.welcome["state_version"]
        self.begin()
        self._tell(self.welcome)

    async def disconnect(self, *, abruptly: bool = False) -> None:
        """Go away with or without a word. What it holds it keeps."""
        if self._client is not None and abruptly:
            self._client.drop()
        self._client = None
        await self._stack.aclose()
        self._stack = AsyncExitStack()

    def begin(self) -> None:
        """A new step: nothing has come in it yet, and nothing is due."""
        self.news, self.due, self.told = Counter(), Counter(), []
        self.counts_due = self.must_reload = False

    async def send(self, type: str, **fields: Any) -> None:
        """Send a frame."""
        assert self._client is not None
        await self._client.send(type, **fields)

    async def answer(self, ref: str) -> Frame:
        """The `state` or `error` frame with this ref."""
        assert self._client is not None
        while ref not in self.answers:
            self.take(await self._client.next())
        return self.answers.pop(ref)

    async def settle(self) -> None:
        """Take everything that the gateway has sent so far."""
        if self._client is None:
            return
        self._pings += 1
        ref = f"settle-{self._pings}"
        try:
            await self.send("ping", ref=ref)
            while (frame := await self._client.next()) != {"type": "pong", "ref": ref}:
                self.take(frame)
        except ConnectionClosed as closed:
            self.wrong.append(f"closed by the server: {closed}")

    async def catch_up(self) -> None:
        """Take frames until the replay has ended."""
        assert self._client is not None
        while self.caught_up is None:
            self.take(await self._client.next())

    def take(self, frame: Frame) -> None:
        """Do what a client does with a frame."""
        match frame["type"]:
            case "notification":
                self._notified(frame)
            case "state":
                self._stated(frame)
            case "recalled":
                place = Place(frame["log"], frame["position"])
                held = self.held.pop(place, None)
                if held is not None and held.id != frame["id"]:
                    self.wrong.append(f"{place} is {held.id}, but recalled was {frame['id']}")
                self.news[News("recalled", frame["id"], *place)] += 1
                self._tell(frame)
            case "joined" | "left" as type:
                self.news[News(type, "", frame["log"], frame["position"])] += 1
                if type == "joined":
                    self.positions[frame["log"]] = max(frame["position"], self.positions.get(frame["log"], 0))
            case "caught_up":
                self.caught_up = frame
                self.positions |= frame["positions"]
            case "error":
                self.answers[str(frame.get("ref"))] = frame
            case type:
                self.wrong.append(f"an unexpected {type}: {frame}")

    def _notified(self, frame: Frame) -> None:
        log, position, notification = frame["log"], frame["position"], frame["notification"]
        before = self.received.setdefault(log, [])
        if position <= max(before, default=self.welcome["positions"].get(log, 0)):
            self.wrong.append(f"{log} {position} after {before}")
        if bool(frame.get("replayed")) != (self.replays and self.caught_up is None):
            self.wrong.append(f"{log} {position} says replayed: {frame.get('replayed')}")
        before.append(position)
        self.positions[log] = max(position, self.positions.get(log, 0))
        self.held.setdefault(
            Place(log, position),
            Held(
                notification["id"],
                notification.get("category"),
                milliseconds(notification.get("expires_at")),
                Marks(),
            ),
        )

    def _stated(self, frame: Frame) -> None:
        ref = frame.get("ref")
        if ref is not None:
            self.answers[str(ref)] = frame
        if frame["state_version"] < (self.state_version or 0):
            self.wrong.append(f"state_version fell from {self.state_version}: {frame}")
        self.state_version = frame["state_version"]
        if frame.get("reload"):
            self.must_reload = True
            self.reloads += 1
        if frame.get("changes") or "up_to" in frame or ref is not None:
            self.news[News("state", mine=ref is not None)] += 1
        self._mark(frame)
        self._tell(frame)

    def _mark(self, frame: Frame) -> None:
        """Mark what it holds as a `state` frame says."""
        for change in frame.get("changes", ()):
            for held in self.held.values():
                if held.id == change["id"]:
                    held.marks.apply(change["state"], milliseconds(change["at"]) or 0)
        reached, category = frame.get("up_to", {}), frame.get("category")
        for place, held in self.held.items():
            if (
                place.position <= reached.get(place.log, 0)
                and (category is None or in_category(held.category, category))
                and (held.marks.archived is None or frame["state"] == "unarchived")
            ):
                held.marks.apply(frame["state"], milliseconds(frame["at"]) or 0)

    def _tell(self, frame: Frame) -> None:
        counts = frame["counts"]
        told = Told(counts["unseen"], counts["unread"], counts["version"])
        if self.told and told.version < self.told[-1].version:
            self.wrong.append(f"version fell from {self.told[-1]}: {frame}")
        self.told.append(told)

    def start(self, page: Json) -> None:
        """Stand where a page of the inbox says."""
        self.epoch, self.positions = page["epoch"], page["positions"]
        self.state_version = page["state_version"]

    def let_go(self, ids: set[str]) -> None:
        """Hold these no longer."""
        self.held = {place: held for place, held in self.held.items() if held.id not in ids}

    def load(self, items: list[Json]) -> None:
        """Replace what it holds by an inbox as listed."""
        self.held = {
            Place(item["log"], item["position"]): Held(
                item["notification"]["id"],
                item["notification"].get("category"),
                milliseconds(item["notification"].get("expires_at")),
                Marks(*(milliseconds(item[f"{kind}_at"]) for kind in ("seen", "read", "archived"))),
            )
            for item in items
        }
        self.must_reload = False

    def forget_expired(self, now: int) -> None:
        """Let go of what has ended by itself, as a client does by `expires_at`."""
        self.held = {
            place: held for place, held in self.held.items() if held.expires is None or held.expires > now
        }


async def settle_all(devices: list[Device]) -> None:
    """Have every device take what was sent to it so far."""
    await asyncio.gather(*(device.settle() for device in devices))
