"""The comparison: everything that can be asked of a tenant against what the model says.

Each function answers differences, as sentences; none is as it has to be.
"""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from tests.inbox_model.application import Application, Json, milliseconds
from tests.inbox_model.device import Device
from tests.inbox_model.model import Model
from tests.inbox_model.terms import Filter, Item, Marks, Place, Sent

KINDS = ("seen", "read", "archived")


class Moments:
    """When the model's moments were. The server says it first; from then on it has to say the same."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}

    def differ(self, expected: Marks, told: Marks) -> bool:
        """Whether marks are not those expected."""
        for kind in KINDS:
            moment, at = getattr(expected, kind), getattr(told, kind)
            if (moment is None) != (at is None):
                return True
            if moment is not None and self._known.setdefault(moment, at) != at:
                return True
        return False


class Versions:
    """What was told under each version of a user's counts: the same every time, and it never falls."""

    def __init__(self) -> None:
        self._counts: dict[int, tuple[int, int]] = {}
        self.highest = 0

    def check(self, version: int, unseen: int, unread: int) -> Iterator[str]:
        """Counts that somebody was told."""
        known = self._counts.setdefault(version, (unseen, unread))
        if known != (unseen, unread):
            yield f"version {version} was {known} (unseen, unread) and now is {(unseen, unread)}"


ALL = (Filter(),)


def filters(model: Model, user: str) -> list[Filter]:
    """The lists to ask for."""
    times = sorted(item.sent.accepted for item in model.items(user))
    middle = times[len(times) // 2] if times else None
    logs = model.logs(user)
    return [
        *ALL,
        *(Filter(state=state) for state in ("unseen", "seen", "unread", "read", "archived")),
        Filter(category="orders."),
        Filter(category="orders.new", state="unread"),
        *(Filter(log=log) for log in logs),
        Filter(after=middle, log=logs[-1], category="chat"),
        Filter(before=middle),
    ]


async def inboxes(
    application: Application,
    model: Model,
    moments: Moments,
    versions: Mapping[str, Versions],
    closely: Collection[str],
) -> list[str]:
    """The list of every user with its counts, and of those looked at `closely` every other list too."""
    asked = [(user, by) for user in model.users for by in (filters(model, user) if user in closely else ALL)]
    floors = {user: known.highest for user, known in versions.items()}
    pages = await asyncio.gather(*(application.inbox(user, by, counts="category") for user, by in asked))
    found: list[str] = []
    for (user, by), page in zip(asked, pages, strict=True):
        counts, known = page["counts"], versions[user]
        if counts["version"] < floors[user]:
            found.append(f"{user}: version fell from {floors[user]} to {counts['version']}")
        known.highest = max(known.highest, counts["version"])
        found += known.check(counts["version"], counts["unseen"], counts["unread"])
        differences = [
            *listed(page["items"], model.listed(user, by), moments),
            *_counted(counts, model, user),
            *_positions(page["positions"], model, user),
        ]
        found += [f"{user}'s list {_shown(by)}: {each}" for each in differences]
    return found


class Poller:
    """A client that asks with the ETag of what it has, and keeps that where it is told it has not changed."""

    def __init__(self, user: str) -> None:
        self.user = user
        self._tag: str | None = None
        self._page: Json = {}

    async def ask(self, application: Application) -> bool:
        """Whether there was anything new."""
        self._tag, page = await application.poll(self.user, self._tag)
        self._page = page or self._page
        return page is not None

    async def check(self, application: Application, model: Model, moments: Moments) -> list[str]:
        """Ask; then what it has is the inbox."""
        await self.ask(application)
        wrong: list[str] = []
        if self._page["next"] is None:
            wrong += listed(self._page["items"], model.listed(self.user), moments)
        wrong += _counted(self._page["counts"], model, self.user)
        return [f"who polls {self.user}'s list by its ETag has it wrong: {each}" for each in wrong]


def listed(items: list[Json], expected: Iterable[Item], moments: Moments) -> Iterator[str]:
    """One list against the items that have to be in it, whatever their order within a millisecond."""
    wanted = {item.place: item for item in expected}
    places = [Place(item["log"], item["position"]) for item in items]
    yield from _in_place(places, wanted)
    for place, told in zip(places, items, strict=True):
        item = wanted.get(place)
        if item is None:
            continue
        marks = Marks(*(milliseconds(told[f"{kind}_at"]) for kind in KINDS))
        if told["notification"]["id"] != item.sent.id:
            yield f"{place} is {told['notification']['id']} instead of {item.sent.id}"
        if told["state"] != item.marks.state or moments.differ(item.marks, marks):
            yield f"{place} ({item.sent.id}) is {told['state']} {marks} instead of {item.marks}"
    times = [told["notification"]["created_at"] for told in items]
    if times != sorted(times, reverse=True):
        yield f"not newest first: {times}"
    for log in {place.log for place in places}:
        if any(b >= a for a, b in pairwise(place.position for place in places if place.log == log)):
            yield f"{log} is out of order: {places}"


def _in_place(places: list[Place], wanted: Mapping[Place, Any]) -> Iterator[str]:
    if len(set(places)) < len(places):
        yield f"something is listed twice: {places}"
    for place in sorted(wanted.keys() - set(places)):
        yield f"{place} is missing"
    for place in sorted(set(places) - wanted.keys()):
        yield f"{place} should not be there"


def _counted(counts: Json, model: Model, user: str) -> Iterator[str]:
    expected = model.counts(user)
    if {"unseen": counts["unseen"], "unread": counts["unread"]} != expected:
        yield f"counts are {counts} instead of {expected}"
    if counts["categories"] != model.category_counts(user):
        yield f"categories are {counts['categories']} instead of {model.category_counts(user)}"


def _positions(positions: Mapping[str, int], model: Model, user: str) -> Iterator[str]:
    ends = {log: model.end(user, log) for log in model.logs(user)}
    yield from at_positions(positions, ends, model, user)


def at_positions(
    told: Mapping[str, int], expected: Mapping[str, int], model: Model, user: str
) -> Iterator[str]:
    """Positions that a user was told, up to what makes no difference to anybody."""
    for log, position in expected.items():
        if not model.same(user, log, told.get(log, 0), position):
            yield f"positions are {told}, and in {log} should be {position}"
    required = {log for log in expected if model.is_member(user, log)}
    if required - told.keys() or told.keys() - expected.keys():
        yield f"positions are {told}, and should name {sorted(required)}"


async def receipts(application: Application, model: Model) -> list[str]:
    """What was sent, as a list, with what became of it."""
    items = await application.pages("/v1/notifications")
    found = [f"sent {item['id']} is {why}" for item in items for why in _received(item, model)]
    if sorted(item["id"] for item in items) != sorted(model.sent):
        found.append(f"sent are {[item['id'] for item in items]} instead of {list(model.sent)}")
    times = [item["accepted_at"] for item in items]
    if times != sorted(times, reverse=True):
        found.append(f"what was sent is not newest first: {times}")
    return found


def _received(told: Json, model: Model) -> Iterator[str]:
    sent = model.sent.get(told["id"])
    if sent is None:
        yield "unknown"
        return
    status = "recalled" if sent.recalled else "stored"
    if told["status"] != status:
        yield f"{told['status']} instead of {status}"
    expected: Json = {name: len(users) for name, users in sent.receipts.items()}
    expected["recipients"] = None if sent.recipients is None else len(sent.recipients)
    if told["receipts"] != expected:
        yield f"{told['receipts']} instead of {expected}"


async def every_receipt(application: Application, model: Model) -> list[str]:
    """Each notification alone, and its receipts by user where they are kept."""
    found = []
    for sent in model.sent.values():
        told = await application.ask("GET", f"/v1/notifications/{sent.id}")
        found += [f"{sent.id} is {why}" for why in _received(told, model)]
        path = f"/v1/notifications/{sent.id}/receipts"
        if sent.kind in {"group", "all"}:
            problem = await application.ask("GET", path, expect=422)
            assert problem["code"] == "invalid_request"
        else:
            found += _by_user(sent, await application.pages(path, limit=2), model)
    return found


def _by_user(sent: Sent, items: list[Json], model: Model) -> Iterator[str]:
    told = {item["user"]: item for item in items}
    if sorted(told) != list(sent.recipients or ()) or len(told) < len(items):
        yield f"{sent.id} has receipts of {[item['user'] for item in items]}, not of {sent.recipients}"
    for user, item in told.items():
        came_to = {name for name, users in sent.receipts.items() if user in users}
        if {name for name in sent.receipts if item[name]} != came_to:
            yield f"{sent.id} says {item} of {user} instead of {came_to}"
        held = model.item_of(user, sent.id)
        for kind in ("seen", "read"):
            if held is not None and (item[f"{kind}_at"] is None) != (getattr(held.marks, kind) is None):
                yield f"{sent.id} says {item} of {user}, whose item has {held.marks}"


async def presences(application: Application, model: Model, devices: Iterable[Device]) -> list[str]:
    """Who is online, with what."""
    devices = list(devices)
    users = list(model.users)
    told = await asyncio.gather(*(application.ask("GET", f"/v1/users/{user}/presence") for user in users))
    found = []
    for user, presence in zip(users, told, strict=True):
        expected = {(d.connection, d.name) for d in devices if d.is_open and d.user == user}
        connections = {(each["connection"], each["device"]) for each in presence["connections"]}
        came = any(d.user == user and d.connection for d in devices)
        if connections != expected or presence["online"] != bool(expected):
            found.append(f"{user}'s presence is {presence} instead of {expected}")
        if (presence["last_seen_at"] is not None) != came:
            found.append(f"{user}'s presence is {presence}, and came is {came}")
    return found


async def groups(application: Application, model: Model) -> list[str]:
    """Who is in each group."""
    names = list(model.members)
    pages = await asyncio.gather(*(application.pages(f"/v1/groups/{name}/members") for name in names))
    return [
        f"in {name} are {[item['user'] for item in items]} instead of {model.members[name]}"
        for name, items in zip(names, pages, strict=True)
        if sorted(item["user"] for item in items) != sorted(model.members[name])
    ]


def on_devices(
    devices: Iterable[Device], model: Model, moments: Moments, versions: Mapping[str, Versions]
) -> list[str]:
    """What each device was sent, and what it holds by now."""
    found = []
    for device in devices:
        if not device.is_open:
            continue
        differences = [*device.wrong, *_arrived(device), *_held(device, model, moments)]
        differences += _told(device, model)
        for told in device.told:
            differences += versions[device.user].check(told.version, told.unseen, told.unread)
        found += [f"{device}: {each}" for each in differences]
    return found


def _arrived(device: Device) -> Iterator[str]:
    received = {log: positions for log, positions in device.received.items() if positions}
    expected = {log: positions for log, positions in device.expected.items() if positions}
    if received != expected:
        yield f"got {received} instead of {expected}"
    if device.due is not None and device.news != device.due:
        missing, extra = device.due - device.news, device.news - device.due
        yield f"was not told {list(missing.elements())}, but told {list(extra.elements())}"


def _held(device: Device, model: Model, moments: Moments) -> Iterator[str]:
    wanted = {item.place: item for item in model.items(device.user)}
    yield from (f"its inbox: {each}" for each in _in_place(sorted(device.held), wanted))
    for place, held in device.held.items():
        item = wanted.get(place)
        if item is not None and (held.id != item.sent.id or moments.differ(item.marks, held.marks)):
            yield f"holds {place} as {held} instead of {item.marks}"


def _told(device: Device, model: Model) -> Iterator[str]:
    expected = model.counts(device.user)
    firm = device.due is None or any(news.type in {"state", "recalled"} for news in device.due)
    if not (firm or device.counts_due):
        return
    if not device.told:
        yield f"was not told its counts, {expected}"
    elif (device.told[-1].unseen, device.told[-1].unread) != (expected["unseen"], expected["unread"]):
        yield f"was told {device.told[-1]} instead of {expected}"


def _shown(by: Filter) -> str:
    return " ".join(f"{name}={value}" for name, value in by._asdict().items() if value is not None) or "-"
