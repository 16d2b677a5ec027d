"""Random calls on an archive, and on a plain model of it: the answers are the same."""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.archive.support import DAY, JANUARY, entry, notification
from tidings_workers.archive import (
    Archive,
    ArchivedEntry,
    ArchivedNotification,
    ArchiveRules,
    LogPart,
    SentQuery,
    StateSegment,
)
from tidings_workers.store import intervals
from tidings_workers.store.entries import category_matches

STEPS = 120
USERS = ("ana", "bob")
CATEGORIES = ("", "a", "a.b", "a.c", "b")
NOW = JANUARY + 200 * DAY
STATES: dict[str | None, Callable[[ArchivedEntry], bool]] = {
    None: lambda _: True,
    "listed": lambda each: each.archived_at is None,
    "archived": lambda each: each.archived_at is not None,
    "unseen": lambda each: each.seen_at is None and each.archived_at is None,
    "seen": lambda each: each.seen_at is not None and each.archived_at is None,
    "unread": lambda each: each.read_at is None and each.archived_at is None,
    "read": lambda each: each.read_at is not None and each.archived_at is None,
}


class _Model:
    """The rows of an archive, in dictionaries."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, int], ArchivedEntry] = {}
        self.notifications: dict[str, ArchivedNotification] = {}
        self.segments: dict[tuple[str, str, int], StateSegment] = {}

    def append(self, entries: list[ArchivedEntry], notifications: list[ArchivedNotification]) -> None:
        for each in entries:
            self.entries.setdefault((each.log, each.position), each)
        self._add(notifications)

    def replace(self, entries: list[ArchivedEntry]) -> None:
        self.entries.update({(each.log, each.position): each for each in entries})

    def _add(self, notifications: list[ArchivedNotification]) -> None:
        for one in notifications:
            known = self.notifications.get(one.id, one)
            self.notifications[one.id] = msgspec.structs.replace(
                one, content=known.content, target=known.target
            )

    def read(self, part: LogPart, now: int) -> list[tuple[ArchivedEntry, bytes]]:
        bounds = list(part.positions)
        found = [
            (each, self.notifications[each.id].content)
            for each in self.entries.values()
            if each.log == part.log
            and intervals.contains(bounds, each.position)
            and each.id in self.notifications
            and (not each.expires or each.expires > now)
            and (not part.category or category_matches(part.category, each.category))
            and (part.since is None or each.at >= part.since)
            and (part.until is None or each.at < part.until)
            and STATES[part.states](each)
        ]
        found.sort(key=lambda item: item[0].position, reverse=part.newest_first)
        return found[: part.limit]

    def sent(self, query: SentQuery) -> list[ArchivedNotification]:
        found = [
            one
            for one in self.notifications.values()
            if (not query.category or category_matches(query.category, one.category))
            and (query.since is None or one.at >= query.since)
            and (query.until is None or one.at < query.until)
            and one.id != query.boundary
            and (not query.boundary or (one.id < query.boundary) == query.newest_first)
            and (query.topics or b"topics" not in one.target)
        ]
        return sorted(found, key=lambda one: one.id, reverse=query.newest_first)[: query.limit]

    def remove_entries(self, keys: list[tuple[str, int]]) -> None:
        ids = {self.entries.pop(key).id for key in keys}
        for each in ids - {each.id for each in self.entries.values()}:
            self.notifications.pop(each, None)

    def erase(self, user: str) -> None:
        keys = [key for key in self.entries if key[0] == f"u/acme/{user}"]
        ids = {self.entries.pop(key).id for key in keys}
        for each in ids - {each.id for each in self.entries.values()}:
            if self.notifications[each].target == msgspec.json.encode({"users": [user]}):
                del self.notifications[each]
        self.segments = {key: each for key, each in self.segments.items() if key[0] != user}

    def retire(self, rules: ArchiveRules) -> None:
        def is_due(category: str, at: int) -> bool:
            names = sorted(rules.categories, key=lambda rule: -len(rule[0]))
            kept = next((time for name, time in names if category_matches(name, category)), rules.default)
            return kept is not None and at < NOW - kept

        self.entries = {key: each for key, each in self.entries.items() if not is_due(each.category, each.at)}
        self.notifications = {
            key: one for key, one in self.notifications.items() if not is_due(one.category, one.at)
        }


class _Run:
    """A random sequence of calls."""

    def __init__(self, archive: Archive, seed: int) -> None:
        self.archive = archive
        self.model = _Model()
        self.random = random.Random(seed)
        self.heads = dict.fromkeys(["a/acme", "g/acme/team", *(f"u/acme/{user}" for user in USERS)], 0)
        self.old: list[tuple[list[ArchivedEntry], list[ArchivedNotification]]] = []

    def span(self) -> tuple[int | None, int | None]:
        since, until = sorted(self.random.randrange(JANUARY, NOW) for _ in range(2))
        return self.random.choice([None, since]), self.random.choice([None, until])

    def bounds(self, head: int) -> list[int]:
        positions = [each for each in range(1, head + 3) if self.random.random() < 0.6]
        return self.random.choice([[0, head + 2], intervals.of(positions)])

    async def append(self) -> None:
        choose = self.random
        entries, notifications = [], []
        for _ in range(choose.randrange(8)):
            logs = choose.choice([["a/acme"], ["g/acme/team"], ["u/acme/ana"], ["u/acme/ana", "u/acme/bob"]])
            users = [log.rpartition("/")[2] for log in logs]
            to: object = {"users": users}
            if logs == ["a/acme"]:
                to = choose.choice([{"all": True}, {"topics": ["x"]}])
            one = notification(
                choose.randrange(JANUARY, NOW), choose.choice(CATEGORIES), to=to, seen=choose.randrange(9)
            )
            notifications.append(one)
            for log in logs:
                self.heads[log] += choose.choice([1, 1, 2])
                times = {
                    name: choose.choice([None, None, 0, 5])
                    for name in (("seen_at", "read_at", "archived_at") if log[0] == "u" else ())
                }
                entries.append(
                    entry(one, self.heads[log], log, expires=choose.choice([0, 0, 0, NOW, NOW + 1]), **times)
                )
        self.old.append((entries, notifications))
        await self.archive.append(entries, notifications)
        self.model.append(entries, notifications)

    async def append_again(self) -> None:
        if not self.old:
            return
        entries, notifications = self.random.choice(self.old)
        later = [msgspec.structs.replace(one, read=3, content=b"x", target=b"{}") for one in notifications]
        await self.archive.append(entries, notifications)
        await self.archive.append([], later)
        self.model.append(entries, notifications)
        self.model.append([], later)
        # The same entries with another state. Only an archiver, which has a claim, replaces it.
        marked = [msgspec.structs.replace(each, read_at=7, delivered=True) for each in entries]
        claim = await self.archive.claim(3) if self.random.random() < 0.5 else None
        await self.archive.append(marked, [], claim)
        if claim is not None:
            self.model.replace(marked)

    async def read(self) -> None:
        since, until = self.span()
        parts = [
            LogPart(
                log=log,
                positions=self.bounds(head),
                limit=self.random.choice([1, 3, 50]),
                newest_first=self.random.random() < 0.5,
                category=self.random.choice(["", "", "a", "a."]),
                since=since,
                until=until,
                states=self.random.choice(list(STATES)) if log[0] == "u" else None,  # type: ignore[arg-type]
            )
            for log, head in self.heads.items()
        ]
        assert await self.archive.read("acme", parts, NOW) == [self.model.read(part, NOW) for part in parts]

    async def sent(self) -> None:
        since, until = self.span()
        query = SentQuery(
            tenant="acme",
            limit=self.random.choice([1, 4, 100]),
            newest_first=self.random.random() < 0.5,
            boundary=self.random.choice(["", *self.model.notifications]),
            category=self.random.choice(["", "", "a", "a."]),
            since=since,
            until=until,
            topics=self.random.random() < 0.5,
        )
        page = await self.archive.sent(query)
        assert page.items == self.model.sent(query)

    async def export(self) -> None:
        since, until = self.span()
        found = [item.entry async for item in self.archive.export("acme", since, until)]
        expected = [
            each
            for each in self.model.entries.values()
            if each.id in self.model.notifications
            and (since is None or each.at >= since)
            and (until is None or each.at < until)
        ]
        assert found == sorted(expected, key=lambda each: (each.id, each.log))

    async def remove(self) -> None:
        ids = self.random.sample(sorted(self.model.notifications), min(2, len(self.model.notifications)))
        await self.archive.remove("acme", ids)
        self.model.notifications = {
            key: one for key, one in self.model.notifications.items() if key not in ids
        }
        self.model.entries = {key: each for key, each in self.model.entries.items() if each.id not in ids}

    async def remove_entries(self) -> None:
        log = self.random.choice(list(self.heads))
        low = self.random.randrange(self.heads[log] + 1)
        await self.archive.remove_entries("acme", {log: [low, low + 2]})
        self.model.remove_entries(
            [key for key in self.model.entries if key[0] == log and low < key[1] <= low + 2]
        )

    async def states(self) -> None:
        user, log = self.random.choice(USERS), self.random.choice(["a/acme", "g/acme/team"])
        latest = (await self.archive.latest_state("acme", user, [log])).get(log, 0)
        mine = [each for key, each in self.model.segments.items() if key[:2] == (user, log)]
        assert latest == max((each.up_to for each in mine), default=0)
        made = StateSegment(
            tenant="acme",
            user=user,
            log=log,
            after=latest,
            up_to=latest + self.random.randrange(1, 9),
            saved_at=NOW,
            state=self.random.randbytes(9),
        )
        await self.archive.save_states([made])
        self.model.segments[user, log, latest] = made
        low = self.random.randrange(made.up_to)
        found = await self.archive.states("acme", user, {log: [low, low + 3]})
        expected = [each for each in [*mine, made] if each.after < low + 3 and each.up_to > low]
        assert found.get(log, []) == expected

    async def erase_user(self) -> None:
        if self.random.random() < 0.3:
            user = self.random.choice(USERS)
            while not await self.archive.erase_user("acme", user, self.random.choice([1, 5, 500])):
                pass
            self.model.erase(user)

    async def retire(self) -> None:
        times = (None, 100 * DAY, 150 * DAY)
        choose = self.random.choice
        rules = ArchiveRules(choose(times), (("a.", choose(times)), ("a.b", choose(times))))
        cursor: str | None = ""
        while cursor is not None:
            cursor = await self.archive.retire("acme", rules, NOW, cursor, choose([1, 7, 500]))
        self.model.retire(rules)

    def step(self) -> Any:
        """A random call; appends and reads are the most frequent ones."""
        calls = [self.append] * 8 + [self.read] * 6 + [self.sent] * 3 + [self.states] * 2
        rare = [
            self.append_again,
            self.export,
            self.remove,
            self.remove_entries,
            self.erase_user,
            self.retire,
        ]
        return self.random.choice([*calls, *rare])()


@pytest.mark.parametrize("seed", range(4))
async def test_an_archive_answers_like_its_model(archive: Archive, seed: int) -> None:
    """Whatever the order of calls, every answer of the archive is that of the model."""
    run = _Run(archive, seed)
    for _ in range(STEPS):
        await run.step()
