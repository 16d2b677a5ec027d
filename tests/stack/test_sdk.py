"""The SDK against the real server: every call, blocking and async."""

import asyncio
import time

import pytest

from tests.support.stack import Stack
from tidings import (
    APIError,
    AsyncTidings,
    Delivery,
    IdempotencyMismatchError,
    Message,
    NotFoundError,
    SentNotification,
    Tidings,
)

PATIENCE_SECONDS = 20.0


def stored(client: Tidings, identity: str) -> SentNotification:
    """The notification, once it is stored for every recipient."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = client.get(identity)
        if found.status == "stored":
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.01)


def titles(client: Tidings, user: str) -> list[str | None]:
    """The titles in a user's inbox, without sends to all, which other tests of the module make."""
    return [item.notification.title for item in client.inbox(user).list() if item.log != "all"]


def test_blocking_sends_of_every_kind(stack: Stack) -> None:
    """Sends to a user, a group, all and a compound target reach exactly their recipients, once each."""
    with Tidings(stack.api, key=stack.key) as client:
        assert client.groups.add("b-team", ["b-ana", "b-bob", "b-cleo"]).added == 3
        assert client.groups.remove("b-team", ["b-cleo"]).removed == 1
        sends = [
            client.send(to_users=["b-ana"], title="user"),
            client.send(to_groups=["b-team"], exclude=["b-bob"], title="group"),
            client.send(to_users=["b-ana", "b-dan"], to_groups=["b-team"], title="compound"),
            client.send(to_all=True, exclude=["b-dan"], title="b-all", category="b-all"),
        ]
        recipients = [stored(client, sent.id).receipts for sent in sends]
        assert [counted.recipients if counted else -1 for counted in recipients] == [1, 1, 3, None]
        assert sorted(map(str, titles(client, "b-ana"))) == ["compound", "group", "user"]
        assert titles(client, "b-bob") == ["compound"]
        assert titles(client, "b-cleo") == []
        assert titles(client, "b-dan") == ["compound"]
        for user, there in (("b-ana", 1), ("b-dan", 0)):
            assert len(list(client.inbox(user).list(category="b-all"))) == there
        assert [member.user for member in client.groups.members("b-team")] == ["b-ana", "b-bob"]
        assert [group.id for group in client.groups.of_user("b-ana")] == ["b-team"]
        assert client.groups.get("b-team").members == 2
        client.groups.delete("b-team")
        with pytest.raises(NotFoundError):
            client.groups.get("b-team")


def test_a_batch_is_checked_by_item_and_repeated_as_one(stack: Stack) -> None:
    """A refused message stops no other, and the same key gives the same ids or an error for other content."""
    good, bad = Message(to_users=["batch"], title="good"), Message(to_users=["batch"], title="x" * 33_000)
    with Tidings(stack.api, key=stack.key) as client:
        first = client.send_batch([good, bad, good], idempotency_key="a-batch")
        again = client.send_batch([good, bad, good], idempotency_key="a-batch")
        ids = [result.id or getattr(result.error, "code", "") for result in first]
        assert ids[1] == "too_large"
        assert ids == [result.id or getattr(result.error, "code", "") for result in again]
        with pytest.raises(IdempotencyMismatchError):
            client.send_batch([good], idempotency_key="a-batch")
        assert titles(client, "batch") == ["good", "good"]


def test_a_recalled_notification_is_removed(stack: Stack) -> None:
    """After a recall no inbox has it, also with many copies, and its status says so."""
    with Tidings(stack.api, key=stack.key) as client:
        sent = client.send(to_users=["r-ana", "r-bob"], title="mistake")
        stored(client, sent.id)
        assert titles(client, "r-bob") == ["mistake"]
        client.recall(sent.id)
        client.recall(sent.id)
        assert client.get(sent.id).status == "recalled"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while titles(client, "r-ana") or titles(client, "r-bob"):
            assert time.monotonic() < deadline
            time.sleep(0.01)


async def test_pages_follow_one_another(stack: Stack) -> None:
    """Iterating over an inbox reads page after page, newest first, while new notifications arrive."""
    async with AsyncTidings(stack.api, key=stack.key) as client:
        await client.send_batch([Message(to_users=["pages"], title=str(n), category="p") for n in range(45)])
        pages = client.inbox("pages").list(category="p", page_size=10)
        seen = []
        async for item in pages:
            seen.append(item.notification.title)
            if len(seen) == 15:
                await client.send(to_users=["pages"], title="late", category="p")
        assert seen == [str(n) for n in reversed(range(45))]
        assert (await client.inbox("pages").list().page()).positions["user"] == 46


async def test_a_device_continues_at_its_position(stack: Stack) -> None:
    """A device gets the notifications that it missed, in order, and none that it had."""
    async with AsyncTidings(stack.api, key=stack.key) as client:
        taken = []
        async with client.listen(user="device", device="phone") as inbox:
            await client.send_batch([Message(to_users=["device"], title=str(n)) for n in range(5)])
            async for delivery in inbox:
                taken.append(delivery.notification.title)
                delivery.ack()
                if len(taken) == 3:
                    break
        await client.send_batch([Message(to_users=["device"], title=str(n)) for n in range(5, 8)])
        async with client.listen(user="device", device="phone") as inbox:
            replayed = []
            async for delivery in inbox:
                taken.append(delivery.notification.title)
                replayed.append(delivery.replayed)
                if len(taken) == 8:
                    break
        assert taken == [str(n) for n in range(8)]
        assert all(replayed)


async def test_nothing_is_lost_between_a_page_and_the_socket(stack: Stack) -> None:
    """`listen` with a page's resume point delivers everything after the page and nothing on it."""
    async with AsyncTidings(stack.api, key=stack.key) as client:
        await client.groups.add("seam-group", "seam")
        await client.send(to_users=["seam"], title="on the page")
        page = await client.inbox("seam").list().page()
        await client.send(to_users=["seam"], title="after, to the user")
        await client.send(to_groups=["seam-group"], title="after, to the group")
        async with client.listen(user="seam", resume=page.resume) as inbox:
            deliveries: list[Delivery] = []
            async for delivery in inbox:
                deliveries.append(delivery)
                if len(deliveries) == 2:
                    break
        assert sorted((d.log, d.notification.title) for d in deliveries) == [
            ("group:seam-group", "after, to the group"),
            ("user", "after, to the user"),
        ]


async def test_a_users_own_token_sees_that_user_alone(stack: Stack) -> None:
    """A token of `tokens.create` listens and reads as its user, and sends nothing."""
    async with AsyncTidings(stack.api, key=stack.key) as server:
        token = await server.tokens.create("own")
        async with AsyncTidings(stack.api, token=token.token) as client:
            async with client.listen(realtime_url=token.realtime_url) as inbox:
                sent = await server.send(to_users=["own"], title="yours")
                assert (await anext(inbox)).notification.id == sent.id
            page = await client.inbox().list().page()
            assert sent.id in [item.notification.id for item in page.items]
            with pytest.raises(APIError, match="scope"):
                await client.send(to_users=["own"], title="mine")


def test_blocking_code_can_listen(stack: Stack) -> None:
    """`with client.listen(...)` delivers to plain blocking code."""
    with Tidings(stack.api, key=stack.key) as client, client.listen(user="plain") as inbox:
        sent = client.send(to_users=["plain"], title="hello")
        assert next(iter(inbox)).notification.id == sent.id


async def test_concurrent_repeats_of_one_key_make_one_notification(stack: Stack) -> None:
    """Ten concurrent sends under one key create one notification."""
    async with AsyncTidings(stack.api, key=stack.key) as client:
        sends = [client.send(to_users=["once"], title="once", idempotency_key="one") for _ in range(10)]
        answers = await asyncio.gather(*sends)
        assert len({sent.id for sent in answers}) == 1
        assert sum(not sent.replayed for sent in answers) <= 1
        assert (await client.inbox("once").list().page()).positions["user"] == 1
