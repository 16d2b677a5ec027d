"""The comparison of a tenant's answers with the model.

Each function returns the differences as sentences; an empty result means that they agree.
"""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from tests.inbox_model.application import Application, Json, marks_of
from tests.inbox_model.device import Device
from tests.inbox_model.model import Model
from tests.inbox_model.terms import Filter, Item, Marks, Place, Sent

KINDS = ("seen", "read", "archived")


class Moments:
    """The times of the model's moments. The server's first answer sets a time; later ones must be equal."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}

    def differ(self, expected: Marks, actual: Marks) -> bool:
        """Whether marks differ from those expected."""
        if (expected.action, expected.snoozed) != (actual.action, actual.snoozed):
            return True
        for kind in (*KINDS, "acted"):
            moment, at = getattr(expected, kind), getattr(actual, kind)
            if (moment is None) != (at is None):
                return True
            if moment is not None and self._known.setdefault(moment, at) != at:
                return True
        return False


class Versions:
    """The counts of each version of a user: equal every time, and versions never fall."""

    def __init__(self) -> None:
        self._counts: dict[int, tuple[int, int]] = {}
        self.highest = 0

    def check(self, version: int, unseen: int, unread: int) -> Iterator[str]:
        """Check counts from any answer or frame."""
        known = self._counts.setdefault(version, (unseen, unread))
        if known != (unseen, unread):
            yield f"version {version} was {known} (unseen, unread) and now is {(unseen, unread)}"


ALL = (Filter(),)


def filters(model: Model, user: str) -> list[Filter]:
    """The lists to compare."""
    times = sorted(item.sent.accepted for item in model.items(user))
    middle = times[len(times) // 2] if times else None
    logs = model.logs(user)
    return [
        *ALL,
        *(Filter(state=state) for state in ("unseen", "seen", "unread", "read", "archived", "snoozed")),
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
    """Check the list of every user with its counts, and every other list of the users in `closely`."""
    lists = [(user, by) for user in model.users for by in (filters(model, user) if user in closely else ALL)]
    floors = {user: known.highest for user, known in versions.items()}
    pages = await asyncio.gather(*(application.inbox(user, by, counts="category") for user, by in lists))
    found: list[str] = []
    for (user, by), page in zip(lists, pages, strict=True):
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
    """A client that polls with the ETag of its page, and keeps the page when it has not changed."""

    def __init__(self, user: str) -> None:
        self.user = user
        self._tag: str | None = None
        self._page: Json = {}

    async def ask(self, application: Application) -> bool:
        """Poll once; whether the list has changed."""
        self._tag, page = await application.poll(self.user, self._tag)
        self._page = page or self._page
        return page is not None

    async def check(self, application: Application, model: Model, moments: Moments) -> list[str]:
        """Poll once, and compare the page with the model."""
        await self.ask(application)
        wrong: list[str] = []
        if self._page["next"] is None:
            wrong += listed(self._page["items"], model.listed(self.user), moments)
        wrong += _counted(self._page["counts"], model, self.user)
        return [f"the poller of {self.user}'s list by its ETag: {each}" for each in wrong]


def listed(items: list[Json], expected: Iterable[Item], moments: Moments) -> Iterator[str]:
    """Compare one list with the items that it must have, in any order within a millisecond."""
    wanted = {item.place: item for item in expected}
    places = [Place(item["log"], item["position"]) for item in items]
    yield from _in_place(places, wanted)
    for place, actual in zip(places, items, strict=True):
        item = wanted.get(place)
        if item is None:
            continue
        marks = marks_of(actual)
        if actual["notification"]["id"] != item.sent.id:
            yield f"{place} is {actual['notification']['id']} instead of {item.sent.id}"
        if actual["state"] != item.marks.state or moments.differ(item.marks, marks):
            yield f"{place} ({item.sent.id}) is {actual['state']} {marks} instead of {item.marks}"
    times = [actual["notification"]["created_at"] for actual in items]
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
    actual: Mapping[str, int], expected: Mapping[str, int], model: Model, user: str
) -> Iterator[str]:
    """Compare positions, except for differences that skip no entry of the user."""
    for log, position in expected.items():
        if not model.same(user, log, actual.get(log, 0), position):
            yield f"positions are {actual}, and in {log} should be {position}"
    required = {log for log in expected if model.is_member(user, log)}
    if required - actual.keys() or actual.keys() - expected.keys():
        yield f"positions are {actual}, and should name {sorted(required)}"


async def receipts(application: Application, model: Model) -> list[str]:
    """Check the list of sends with their receipts."""
    items = await application.pages("/v1/notifications")
    found = [f"sent {item['id']} is {why}" for item in items for why in _received(item, model)]
    if sorted(item["id"] for item in items) != sorted(model.sent):
        found.append(f"sent are {[item['id'] for item in items]} instead of {list(model.sent)}")
    times = [item["accepted_at"] for item in items]
    if times != sorted(times, reverse=True):
        found.append(f"the list of sends is not newest first: {times}")
    return found


def _received(actual: Json, model: Model) -> Iterator[str]:
    sent = model.sent.get(actual["id"])
    if sent is None:
        yield "unknown"
        return
    status = "recalled" if sent.recalled else "stored"
    if actual["status"] != status:
        yield f"{actual['status']} instead of {status}"
    expected: Json = {name: len(users) for name, users in sent.receipts.items()}
    expected["actions"] = {action: len(users) for action, users in sent.used.items()}
    expected["recipients"] = None if sent.recipients is None else len(sent.recipients)
    if actual["receipts"] != expected:
        yield f"{actual['receipts']} instead of {expected}"


async def every_receipt(application: Application, model: Model) -> list[str]:
    """Check each notification alone, and its receipts by user where they exist."""
    found = []
    for sent in model.sent.values():
        actual = await application.ask("GET", f"/v1/notifications/{sent.id}")
        found += [f"{sent.id} is {why}" for why in _received(actual, model)]
        path = f"/v1/notifications/{sent.id}/receipts"
        if sent.kind in {"group", "all"}:
            problem = await application.ask("GET", path, expect=422)
            assert problem["code"] == "invalid_request"
        else:
            found += _by_user(sent, await application.pages(path, limit=2), model)
    return found


def _by_user(sent: Sent, items: list[Json], model: Model) -> Iterator[str]:
    actual = {item["user"]: item for item in items}
    if sorted(actual) != list(sent.recipients or ()) or len(actual) < len(items):
        yield f"{sent.id} has receipts of {[item['user'] for item in items]}, not of {sent.recipients}"
    for user, item in actual.items():
        expected = {name for name, users in sent.receipts.items() if user in users}
        if {name for name in sent.receipts if item[name]} != expected:
            yield f"{sent.id} says {item} of {user} instead of {expected}"
        used = next((action for action, users in sent.used.items() if user in users), None)
        if (item["action"] or {"id": None})["id"] != used:
            yield f"{sent.id} says {item} of {user} instead of the action {used}"
        entry = model.item_of(user, sent.id)
        for kind in ("seen", "read"):
            if entry is not None and (item[f"{kind}_at"] is None) != (getattr(entry.marks, kind) is None):
                yield f"{sent.id} says {item} of {user}, whose item has {entry.marks}"


async def presences(application: Application, model: Model, devices: Iterable[Device]) -> list[str]:
    """Check presence: users online, with their connections."""
    devices = list(devices)
    users = list(model.users)
    actual = await asyncio.gather(*(application.ask("GET", f"/v1/users/{user}/presence") for user in users))
    found = []
    for user, presence in zip(users, actual, strict=True):
        expected = {(d.connection, d.name) for d in devices if d.is_open and d.user == user}
        connections = {(each["connection"], each["device"]) for each in presence["connections"]}
        connected_before = any(d.user == user and d.connection for d in devices)
        if connections != expected or presence["online"] != bool(expected):
            found.append(f"{user}'s presence is {presence} instead of {expected}")
        if (presence["last_seen_at"] is not None) != connected_before:
            found.append(f"{user}'s presence is {presence}, and connected before is {connected_before}")
    return found


async def groups(application: Application, model: Model) -> list[str]:
    """Check the members of each group."""
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
    """Check the frames that each device received, and its entries."""
    found = []
    for device in devices:
        if not device.is_open:
            continue
        differences = [*device.wrong, *_arrived(device), *_entries(device, model, moments)]
        differences += _sent_counts(device, model)
        for actual in device.sent_counts:
            differences += versions[device.user].check(actual.version, actual.unseen, actual.unread)
        found += [f"{device}: {each}" for each in differences]
    return found


def _arrived(device: Device) -> Iterator[str]:
    received = {log: positions for log, positions in device.received.items() if positions}
    expected = {log: positions for log, positions in device.expected.items() if positions}
    if received != expected:
        yield f"got {received} instead of {expected}"
    if device.due is not None and device.events != device.due:
        missing, extra = device.due - device.events, device.events - device.due
        yield f"did not get {list(missing.elements())}, but got {list(extra.elements())}"


def _entries(device: Device, model: Model, moments: Moments) -> Iterator[str]:
    wanted = {item.place: item for item in model.items(device.user)}
    yield from (f"its inbox: {each}" for each in _in_place(sorted(device.entries), wanted))
    for place, entry in device.entries.items():
        item = wanted.get(place)
        if item is not None and (entry.id != item.sent.id or moments.differ(item.marks, entry.marks)):
            yield f"holds {place} as {entry} instead of {item.marks}"


def _sent_counts(device: Device, model: Model) -> Iterator[str]:
    expected = model.counts(device.user)
    firm = device.due is None or any(event.type in {"state", "recalled"} for event in device.due)
    if not (firm or device.counts_due):
        return
    if not device.sent_counts:
        yield f"did not get its counts, {expected}"
    elif (device.sent_counts[-1].unseen, device.sent_counts[-1].unread) != (
        expected["unseen"],
        expected["unread"],
    ):
        yield f"got {device.sent_counts[-1]} instead of {expected}"


def _shown(by: Filter) -> str:
    return " ".join(f"{name}={value}" for name, value in by._asdict().items() if value is not None) or "-"
