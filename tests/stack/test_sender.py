"""The SDK's sender against the real server, also while its processes are killed and restarted."""

import asyncio
import os
import signal
import threading

import pytest

from tests.support.stack import Part, Stack
from tidings import (
    AsyncTidings,
    ClientClosedError,
    ConfigurationError,
    IdempotencyMismatchError,
    InvalidArgumentError,
    PermissionDeniedError,
    Sent,
    Tidings,
    TidingsError,
    TooLargeError,
)


async def listed(client: AsyncTidings, user: str) -> list[str]:
    """The titles in a user's inbox, oldest first, without sends to all."""
    titles = [item.notification.title or "" async for item in client.inbox(user).list(limit=10_000)]
    return titles[::-1]


async def test_many_sends_keep_their_order(stack: Stack) -> None:
    """A thousand sends at once are accepted with their own ids, and are in the inbox in order."""
    async with AsyncTidings(stack.api, key=stack.key) as client, client.sender() as sender:
        sent = await asyncio.gather(
            *(sender.send(to_users=["so-ana"], title=str(number)) for number in range(1_000))
        )
        assert len({each.id for each in sent}) == 1_000
        assert {type(each) for each in sent} == {Sent}
        assert {each.durability for each in sent} == {"everysec"}
        assert await listed(client, "so-ana") == [str(number) for number in range(1_000)]


async def test_results_and_errors_are_those_of_send(stack: Stack) -> None:
    """A key names the same request by REST and by the sender; errors have the types of REST."""
    async with AsyncTidings(stack.api, key=stack.key) as client, client.sender() as sender:
        first = await client.send(to_users=["re-ana"], title="x", idempotency_key="re-key")
        again = await sender.send(to_users=["re-ana"], title="x", idempotency_key="re-key")
        assert (again.id, again.accepted_at, again.replayed) == (first.id, first.accepted_at, True)
        with pytest.raises(IdempotencyMismatchError):
            await sender.send(to_users=["re-ana"], title="y", idempotency_key="re-key")
        with pytest.raises(TooLargeError):
            await sender.send(to_users=["re-ana"], title="x" * 33_000)
        with pytest.raises(InvalidArgumentError):
            await sender.send(title="nobody")
        assert await listed(client, "re-ana") == ["x"]
    with pytest.raises(ClientClosedError):
        await sender.send(to_users=["re-ana"], title="late")


async def test_a_token_that_may_not_send(stack: Stack) -> None:
    """Entering a sender raises for a token without the scope, for a wrong address, and for a wrong window."""
    token = stack.token("ana", "inbox")
    async with AsyncTidings(stack.api, token=token) as client:
        with pytest.raises(PermissionDeniedError):
            async with client.sender():
                pass
        with pytest.raises(TidingsError, match="lacks the scopes send"):
            async with client.sender(realtime_url=stack.realtime):
                pass
        with pytest.raises(ConfigurationError):
            client.sender(window=0)


def test_threads_share_a_blocking_sender(stack: Stack) -> None:
    """Threads send over one blocking sender; after its close a send raises."""
    found: list[str] = []
    with Tidings(stack.api, key=stack.key) as client, client.sender() as sender:

        def work(name: str) -> None:
            sent = [sender.send(to_users=[f"th-{name}"], title=str(number)) for number in range(20)]
            found.extend(each.id for each in sent)

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(found)) == 80
        titles = [item.notification.title for item in client.inbox("th-a").list() if item.log == "user"]
        assert titles == [str(number) for number in range(19, -1, -1)]
    with pytest.raises(ClientClosedError):
        sender.send(to_users=["th-a"], title="late")


@pytest.mark.parametrize("part", ["gateway", "valkey"])
async def test_a_kill_loses_and_repeats_nothing(stack: Stack, part: Part) -> None:
    """SIGKILL of a part under sends: each send is answered, and is in the inbox exactly once, in order."""
    user, count = f"kill-{part}", 1_500
    async with AsyncTidings(stack.api, key=stack.key) as client, client.sender() as sender:
        sends = [
            asyncio.create_task(sender.send(to_users=[user], title=str(number))) for number in range(count)
        ]
        await sends[count // 4]
        stack.kill(part)
        sent = await asyncio.gather(*sends)
        assert len({each.id for each in sent}) == count
        assert await listed(client, user) == [str(number) for number in range(count)]


async def test_a_restart_of_the_gateway(stack: Stack) -> None:
    """SIGTERM of the gateway under sends: it answers what it carries out, and the sender sends the rest."""
    count = 1_500
    async with AsyncTidings(stack.api, key=stack.key) as client, client.sender() as sender:
        sends = [
            asyncio.create_task(sender.send(to_users=["term"], title=str(number))) for number in range(count)
        ]
        await sends[count // 4]
        os.kill(stack.pids()["gateway"], signal.SIGTERM)
        sent = await asyncio.gather(*sends)
        assert not any(each.replayed for each in sent)
        assert await listed(client, "term") == [str(number) for number in range(count)]
