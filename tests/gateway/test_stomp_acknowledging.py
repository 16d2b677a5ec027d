"""STOMP: acknowledgements of a connection whose subscriptions differ."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import get_args

import pytest

from tests.support.realtime import Realtime
from tests.support.sending import eventually, notification
from tests.support.stomp import StompClient, stomp_socket
from tidings_workers.gateway.stomp.destinations import Inbox
from tidings_workers.gateway.stomp.unacknowledged import Unacknowledged
from tidings_workers.gateway.stomp.wire import AckMode, Subscription
from tidings_workers.store import Store

INBOX = "/user/queue/notifications"
MODES: tuple[AckMode, ...] = get_args(AckMode)


@pytest.fixture(autouse=True)
def confirmed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings_workers.gateway.stomp.socket.CONFIRM_SECONDS", 0.02)


@asynccontextmanager
async def phone(realtime: Realtime) -> AsyncIterator[StompClient]:
    """A device of Ana, whose token allows topics."""
    async with stomp_socket(realtime.port) as client:
        await client.connected(device="phone", passcode=realtime.token("ana", topics=["*"]))
        yield client


async def got(client: StompClient, store: Store, *categories: str) -> list[str]:
    """Send Ana a notification of each category, and receive them; what to acknowledge of each."""
    for category in categories:
        await store.sends.send("demo", [notification(category, users=["ana"], category=category)])
    found = [(await client.expect("MESSAGE")).headers for _ in categories]
    assert [each["category"] for each in found] == list(categories)
    return [each.get("ack", "") for each in found]


async def continues(realtime: Realtime, position: int) -> None:
    """The device continues after this position of Ana's log, now or soon."""

    async def look() -> int:
        async with realtime.user("ana", device="phone") as client:
            found: int = client.frames[0]["positions"]["user"]
            return found

    await eventually(look, expected=position)


async def test_auto_beside_client(store: Store, realtime: Realtime) -> None:
    """The server acknowledges an inbox with `auto` also beside a topic with `client`, and after it."""
    async with phone(realtime) as client:
        await client.subscribe("/topic/news", "news", ack="client")
        await client.subscribe(INBOX)
        await got(client, store, "one")
        await continues(realtime, 1)
        await client.send("UNSUBSCRIBE", id="news", receipt="ended")
        await client.expect("RECEIPT")
        await got(client, store, "two")
        await continues(realtime, 2)


async def test_auto_and_client_in_one_log(store: Store, realtime: Realtime) -> None:
    """A log moves up to the first message that waits for ACK, and after ACK over all that is behind it."""
    async with phone(realtime) as client:
        await client.subscribe("/user/queue/a", "a")
        await client.subscribe("/user/queue/b", "b", ack="client")
        first, ack, last = await got(client, store, "a", "b", "a")
        assert (first, last) == ("", "")
        await continues(realtime, 1)
        await client.send("ACK", id=ack, receipt="done")
        await client.expect("RECEIPT")
        await continues(realtime, 3)


async def test_client_is_cumulative_for_its_subscription(store: Store, realtime: Realtime) -> None:
    """An ACK does not acknowledge what another subscription got before: STOMP 1.2, SUBSCRIBE ack header."""
    async with phone(realtime) as client:
        await client.subscribe("/user/queue/a", "a", ack="client")
        await client.subscribe("/user/queue/b", "b", ack="client")
        acks = await got(client, store, "a", "b", "a", "b")
        await client.send("ACK", id=acks[3], receipt="1")
        await client.expect("RECEIPT")
        await continues(realtime, 0)
        await client.send("ACK", id=acks[2], receipt="2")
        await client.expect("RECEIPT")
        await continues(realtime, 4)


async def test_client_beside_individual(store: Store, realtime: Realtime) -> None:
    """`client` stays cumulative beside a subscription with `client-individual`, which is not."""
    async with phone(realtime) as client:
        await client.subscribe("/user/queue/a", "a", ack="client")
        await client.subscribe("/user/queue/b", "b", ack="client-individual")
        acks = await got(client, store, "a", "a", "b", "b")
        await client.send("ACK", id=acks[1], receipt="1")
        await client.send("ACK", id=acks[3], receipt="2")
        for _ in range(2):
            await client.expect("RECEIPT")
        await continues(realtime, 2)


@pytest.mark.parametrize("ack", MODES)
async def test_an_excluded_user(store: Store, realtime: Realtime, ack: AckMode) -> None:
    """A notification that excludes the user waits for no ACK: the positions behind it move, in every mode."""
    sends = [
        notification("one", to_all=True),
        notification("hidden", to_all=True, exclude=["ana"]),
        notification("two", to_all=True),
    ]

    async def start() -> int:
        async with realtime.user("ana", device="phone") as client:
            found: int = client.frames[0]["positions"]["all"]
            return found

    async with phone(realtime) as client:
        await client.subscribe(INBOX, ack=ack)
        # In one batch of the feed, and one by one.
        await store.sends.send("demo", sends)
        for send in sends:
            await store.sends.send("demo", [send])
        for title in ("one", "two", "one", "two"):
            message = (await client.expect("MESSAGE")).headers
            assert message["title"] == title
            if ack != "auto":
                await client.send("ACK", id=message["ack"])
        await eventually(start, expected=6)


@pytest.mark.parametrize("seed", range(20))
def test_any_order(seed: int) -> None:
    """Whatever is sent and acknowledged, each log ends before its first message that is not acknowledged."""
    chance = random.Random(seed)
    subscriptions = [
        Subscription(str(number), "/x", Inbox(None), chance.choice(MODES[1:]), whole=False)
        for number in range(3)
    ]
    tracker, ends = Unacknowledged(), dict.fromkeys("xyz", 0)
    # Of each message in the order of sending: its log and position, its subscriptions, whether it is missing.
    sent: list[tuple[tuple[str, int], list[Subscription], list[bool]]] = []
    moved = dict.fromkeys("xyz", 0)
    for _ in range(600):
        if chance.random() < 0.6:
            log = chance.choice("xyz")
            ends[log] += 1
            who = chance.sample(subscriptions, chance.randint(1, 3))
            sent.append(((log, ends[log]), who, [True]))
            tracker.add(log, ends[log], who)
        elif sent:
            index = chance.randrange(len(sent))
            (log, position), who, missing = sent[index]
            if missing[0] and not any(each.ack == "client-individual" for each in who):
                for _, others, each in sent[:index]:
                    if any(other in who for other in others):
                        each[0] = False
            missing[0] = False
            moved |= tracker.acknowledge(log, position)
        for name, at in moved.items():
            first = next((at for (log, at), _, missing in sent if log == name and missing[0]), None)
            assert at == (ends[name] if first is None else first - 1)
