"""A client that keeps its own inbox, from a list and the frames that follow it.

That inbox must equal the user's inbox at any time: the protocol promises this to authors of clients. The
client knows only what it received, and keeps it while it is disconnected.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

from websockets.exceptions import ConnectionClosed

from tests.inbox_model.application import Json, marks_of, milliseconds
from tests.inbox_model.terms import Marks, Place, in_category
from tests.support.realtime import Client, Frame, Realtime


@dataclass
class Entry:
    """A client's copy of one notification; the times of its marks are milliseconds."""

    id: str
    category: str | None
    expires: int | None
    marks: Marks


class Event(NamedTuple):
    """A frame other than a notification. `mine`: a state frame that answers a mark of this device."""

    type: str
    id: str = ""
    log: str = ""
    position: int = 0
    mine: bool = False


class SentCounts(NamedTuple):
    """The counts of one frame."""

    unseen: int
    unread: int
    version: int


class Device:
    """One client. `name` is the device that it names, None without one."""

    def __init__(self, user: str, name: str | None, label: str) -> None:
        self.user, self.name, self.label = user, name, label
        self.entries: dict[Place, Entry] = {}
        self.positions: dict[str, int] = {}
        self.epoch: str | None = None
        self.state_version: int | None = None
        # For the current or last connection:
        self.connection = ""
        self.gateway: int | None = None
        self.welcome: Frame = {}
        self.caught_up: Frame | None = None
        self.replays = False
        self.received: dict[str, list[int]] = {}
        self.expected: dict[str, list[int]] = {}
        self.wrong: list[str] = []
        # Since `start_step`:
        self.events: Counter[Event] = Counter()
        self.due: Counter[Event] | None = Counter()
        self.sent_counts: list[SentCounts] = []
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
        """Open a connection; it is welcomed on return."""
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
        # Keep the positions of former groups: see docs/realtime.md.
        self.positions |= self.welcome["positions"]
        if self.state_version is None or resume is None or "state_version" not in resume:
            self.state_version = self.welcome["state_version"]
        self.start_step()
        self._record_counts(self.welcome)

    async def disconnect(self, *, abruptly: bool = False) -> None:
        """Disconnect with or without a close frame. Its entries stay."""
        if self._client is not None and abruptly:
            self._client.drop()
        self._client = None
        await self._stack.aclose()
        self._stack = AsyncExitStack()

    def start_step(self) -> None:
        """Start a new step: no frame has arrived in it, and none is due."""
        self.events, self.due, self.sent_counts = Counter(), Counter(), []
        self.counts_due = self.must_reload = False

    async def send(self, type: str, **fields: Any) -> None:
        """Send a frame."""
        assert self._client is not None
        await self._client.send(type, **fields)

    async def answer(self, ref: str) -> Frame:
        """The `state` or `error` frame with this ref."""
        assert self._client is not None
        while ref not in self.answers:
            self.apply(await self._client.next())
        return self.answers.pop(ref)

    async def settle(self) -> None:
        """Apply all frames that the gateway has sent so far."""
        if self._client is None:
            return
        self._pings += 1
        ref = f"settle-{self._pings}"
        try:
            await self.send("ping", ref=ref)
            while (frame := await self._client.next()) != {"type": "pong", "ref": ref}:
                self.apply(frame)
        except ConnectionClosed as closed:
            self.wrong.append(f"closed by the server: {closed}")

    async def catch_up(self) -> None:
        """Apply frames until the replay is finished."""
        assert self._client is not None
        while self.caught_up is None:
            self.apply(await self._client.next())

    def apply(self, frame: Frame) -> None:
        """Apply a frame as a client does."""
        match frame["type"]:
            case "notification":
                self._notified(frame)
            case "state":
                self._stated(frame)
            case "recalled":
                place = Place(frame["log"], frame["position"])
                entry = self.entries.pop(place, None)
                if entry is not None and entry.id != frame["id"]:
                    self.wrong.append(f"{place} is {entry.id}, but recalled was {frame['id']}")
                self.events[Event("recalled", frame["id"], *place)] += 1
                self._record_counts(frame)
            case "joined" | "left" as type:
                self.events[Event(type, "", frame["log"], frame["position"])] += 1
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
        used = frame.get("action") or {}
        self.entries.setdefault(
            Place(log, position),
            Entry(
                notification["id"],
                notification.get("category"),
                milliseconds(notification.get("expires_at")),
                Marks(action=used.get("id"), acted=milliseconds(used.get("at"))),
            ),
        )

    def _stated(self, frame: Frame) -> None:
        ref = frame.get("ref")
        if ref is not None:
            self.answers[str(ref)] = frame
        known = self.state_version or 0
        reports = bool(frame.get("changes") or "up_to" in frame or "acted" in frame or "snoozed" in frame)
        if frame["state_version"] < known or (reports and ref is None and frame["state_version"] == known):
            self.wrong.append(f"state_version was {known} before {frame}")
        self.state_version = frame["state_version"]
        if frame.get("reload"):
            self.must_reload = True
            self.reloads += 1
        if reports or ref is not None:
            self.events[Event("state", mine=ref is not None)] += 1
        self._mark(frame)
        self._record_counts(frame)

    def _mark(self, frame: Frame) -> None:
        """Apply the marks of a `state` frame, and the use of an action."""
        if (acted := frame.get("acted")) is not None:
            for entry in self.entries.values():
                if entry.id == acted["id"]:
                    entry.marks.action = acted["action"]["id"]
                    entry.marks.acted = milliseconds(acted["action"]["at"])
        if (snoozed := frame.get("snoozed")) is not None:
            self._snooze(snoozed["ids"], milliseconds(snoozed["until"]))
        for change in frame.get("changes", ()):
            for entry in self.entries.values():
                if entry.id == change["id"]:
                    entry.marks.apply(change["state"], milliseconds(change["at"]) or 0)
        reached, category = frame.get("up_to", {}), frame.get("category")
        for place, entry in self.entries.items():
            if (
                place.position <= reached.get(place.log, 0)
                and (category is None or in_category(entry.category, category))
                and entry.marks.snoozed is None
                and (entry.marks.archived is None or frame["state"] == "unarchived")
            ):
                entry.marks.apply(frame["state"], milliseconds(frame["at"]) or 0)

    def _snooze(self, ids: list[str], until: int | None) -> None:
        for entry in self.entries.values():
            if entry.id in ids:
                entry.marks.snooze(until)

    def _record_counts(self, frame: Frame) -> None:
        counts = frame["counts"]
        actual = SentCounts(counts["unseen"], counts["unread"], counts["version"])
        if self.sent_counts and actual.version < self.sent_counts[-1].version:
            self.wrong.append(f"version fell from {self.sent_counts[-1]}: {frame}")
        self.sent_counts.append(actual)

    def start(self, page: Json) -> None:
        """Set epoch, positions and state version from a page of the inbox."""
        self.epoch, self.positions = page["epoch"], page["positions"]
        self.state_version = page["state_version"]

    def remove(self, ids: set[str]) -> None:
        """Remove these entries."""
        self.entries = {place: entry for place, entry in self.entries.items() if entry.id not in ids}

    def load(self, items: list[Json]) -> None:
        """Replace its entries by those of a list."""
        self.entries = {
            Place(item["log"], item["position"]): Entry(
                item["notification"]["id"],
                item["notification"].get("category"),
                milliseconds(item["notification"].get("expires_at")),
                marks_of(item),
            )
            for item in items
        }
        self.must_reload = False

    def remove_expired(self, now: int) -> None:
        """Remove expired entries, as a client does by `expires_at`."""
        self.entries = {
            place: entry
            for place, entry in self.entries.items()
            if entry.expires is None or entry.expires > now
        }


async def settle_all(devices: list[Device]) -> None:
    """Let every device apply all frames sent so far."""
    await asyncio.gather(*(device.settle() for device in devices))
