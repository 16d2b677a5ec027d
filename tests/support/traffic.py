"""Sends of every kind, a reference of their recipients, and the comparison with received copies."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import NamedTuple

from tests.support.listening import Listener
from tests.support.stack import Installation
from tidings import AsyncTidings, Message, RetryPolicy, TidingsError

# Many retries, because the servers are being killed.
STUBBORN = RetryPolicy(tries=200, base=0.05, cap=0.5, total=60)


class Send(NamedTuple):
    """One send: its number, its message, and its recipients.

    `log` is the recipients' name of the log that keeps the order of such sends; None for a target of several
    groups, or of groups and users.
    """

    n: int
    message: Message
    audience: frozenset[str]
    log: str | None


class Reference:
    """Makes sends of every kind and their recipients, by the rules of the contract alone."""

    def __init__(self, users: Sequence[str], seed: int) -> None:
        self.users = list(users)
        self.groups: dict[str, set[str]] = {}
        self.chance = random.Random(seed)
        self._made = 0

    def next(self) -> Send:
        """The next send: half go to one user, the others to groups, compound targets and a few to all."""
        chance, users = self.chance, self.users
        groups: list[str] = []
        named: list[str] = []
        to_all = False
        kind = chance.random()
        if kind < 0.5:
            named = [chance.choice(users)]
        elif kind < 0.75:
            groups = [chance.choice(sorted(self.groups))]
        elif kind < 0.97:
            groups = chance.sample(sorted(self.groups), chance.choice((0, 1, 2)))
            named = chance.sample(users, 3)
        else:
            to_all = True
        exclude = chance.sample(users, 2) if chance.random() < 0.2 and kind >= 0.5 else []
        reached = set(users) if to_all else set(named).union(*(self.groups[group] for group in groups))
        if to_all:
            log: str | None = "all"
        elif len(groups) == 1 and not named:
            log = f"group:{groups[0]}"
        else:
            log = None if groups else "user"
        n = self._made
        self._made += 1
        message = Message(title=f"Number {n}", data={"n": n})
        if named:
            message["to_users"] = named
        if groups:
            message["to_groups"] = groups
        if to_all:
            message["to_all"] = True
        if exclude:
            message["exclude"] = exclude
        return Send(n, message, frozenset(reached - set(exclude)), log)

    def next_to(self, group: str, members: Collection[str]) -> Send:
        """The next send, to a group that `next` does not use."""
        n = self._made
        self._made += 1
        message = Message(title=f"Number {n}", data={"n": n}, to_groups=[group])
        return Send(n, message, frozenset(members), f"group:{group}")


class Account:
    """The sends with their outcome: acknowledged, or unknown, which is never a failure."""

    def __init__(self) -> None:
        self.acknowledged: dict[int, Send] = {}
        self.unknown: dict[int, Send] = {}
        self.ids: dict[int, str] = {}
        self._more = asyncio.Event()

    def acknowledge(self, send: Send, identity: str) -> None:
        """The server acknowledged this send."""
        self.acknowledged[send.n] = send
        self.ids[send.n] = identity
        self._more.set()

    async def reaches(self, count: int) -> None:
        """Wait until this many are acknowledged."""
        while len(self.acknowledged) < count:
            self._more.clear()
            await self._more.wait()

    def due(self, user: str) -> set[int]:
        """The numbers of the sends that a user must receive."""
        return {n for n, send in self.acknowledged.items() if user in send.audience}

    def allowed(self, user: str) -> set[int]:
        """The numbers of the sends that a user may receive."""
        return self.due(user) | {n for n, send in self.unknown.items() if user in send.audience}


async def send_steadily(
    client: AsyncTidings, reference: Reference, account: Account, *, rate: float, seconds: float
) -> None:
    """Send at a steady rate for a time without waiting for answers; return when all are answered."""

    async def send_one(send: Send) -> None:
        try:
            sent = await client.send(idempotency_key=f"send-{send.n}", **send.message)
        except TidingsError:
            account.unknown[send.n] = send
        else:
            account.acknowledge(send, sent.id)

    async with asyncio.TaskGroup() as group:
        started = time.monotonic()
        for index in range(round(rate * seconds)):
            await asyncio.sleep(started + index / rate - time.monotonic())
            group.create_task(send_one(reference.next()))


async def change_and_send(
    client: AsyncTidings, reference: Reference, account: Account, group: str, ended: asyncio.Event
) -> None:
    """Change the members of a group and send to it, one after another, so that each audience is certain."""
    chance, members = random.Random(group), set[str]()
    while not ended.is_set():
        user = chance.choice(reference.users)
        await (client.groups.remove if user in members else client.groups.add)(group, [user])
        members ^= {user}
        for _ in range(chance.choice((0, 1, 2))):
            send = reference.next_to(group, members)
            sent = await client.send(idempotency_key=f"send-{send.n}", **send.message)
            account.acknowledge(send, sent.id)


@asynccontextmanager
async def stubborn_client(at: Installation) -> AsyncIterator[AsyncTidings]:
    """The SDK's client with enough retries for a test that kills servers."""
    async with AsyncTidings(at.api, key=at.key, retries=STUBBORN) as client:
        yield client


async def make_groups(
    client: AsyncTidings, reference: Reference, groups: Mapping[str, Collection[str]]
) -> None:
    """Make groups on the server and in the reference."""
    for group, members in groups.items():
        await client.groups.add(group, members)
        reference.groups[group] = set(members)


def missing(listeners: Iterable[Listener], account: Account) -> list[str]:
    """A line per user with acknowledged sends that have not arrived."""
    lines = []
    for listener in listeners:
        lost = account.due(listener.user) - listener.counts.keys()
        if lost:
            lines.append(f"{listener.user}: {len(lost)} missing, the first {min(lost)}")
    return lines


async def settle(listeners: Sequence[Listener], account: Account, seconds: float = 30) -> None:
    """Wait until every acknowledged send has arrived; AssertionError with the missing ones."""
    deadline = time.monotonic() + seconds
    while lines := missing(listeners, account):
        assert time.monotonic() < deadline, lines
        await asyncio.sleep(0.05)


def wrongs(listeners: Iterable[Listener], account: Account) -> list[str]:
    """Every broken promise: repeated copies, copies of other users, wrong logs, gaps."""
    found = []
    for listener in listeners:
        found += listener.wrong
        found += [
            f"{listener.user} got {n} {count} times" for n, count in listener.counts.items() if count > 1
        ]
        strange = listener.counts.keys() - account.allowed(listener.user)
        found += [f"{listener.user} got {n}, sent to others" for n in strange]
        for arrival in listener.arrivals:
            send = account.acknowledged.get(arrival.n)
            if send is not None and (send.log or "user") != arrival.log:
                found.append(f"{listener.user} got {arrival} in another log than {send.log}")
            if send is not None and account.ids[arrival.n] != arrival.id:
                found.append(f"{listener.user} got {arrival}, acknowledged as {account.ids[arrival.n]}")
    return found


def out_of_order(listeners: Iterable[Listener], account: Account) -> list[str]:
    """Sends to one log, made one after another, that arrived in another order."""
    found = []
    for listener in listeners:
        logs: dict[str, list[int]] = {}
        for arrival in listener.arrivals:
            if account.acknowledged[arrival.n].log == arrival.log:
                logs.setdefault(arrival.log, []).append(arrival.n)
        for log, numbers in logs.items():
            found += [f"{listener.user} in {log}: {a} before {b}" for a, b in pairwise(numbers) if a > b]
    return found


async def wrong_inboxes(client: AsyncTidings, users: Iterable[str], account: Account) -> list[str]:
    """Differences of inboxes by REST: each acknowledged send must be there once, unknown ones may be."""
    found = []
    for user in users:
        counted: Counter[int] = Counter()
        async for item in client.inbox(user).list(page_size=200):
            counted[(item.notification.data or {}).get("n", -1)] += 1
        lost = account.due(user) - counted.keys()
        strange = counted.keys() - account.allowed(user)
        twice = [n for n, count in counted.items() if count > 1]
        if lost or strange or twice:
            found.append(f"{user}: {len(lost)} lost, strange {sorted(strange)}, twice {twice}")
    return found
