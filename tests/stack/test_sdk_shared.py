"""One SDK client shared by many calls, processes and event loops, against a whole installation."""

import asyncio
import os

from tests.support.stack import Stack
from tidings import AsyncTidings, Tidings


async def test_thousands_of_gathered_sends_are_all_stored(stack: Stack) -> None:
    """2,000 concurrent sends are all accepted, and each is in its user's inbox once."""
    async with AsyncTidings(stack.api, key=stack.key) as client:
        sent = await asyncio.gather(
            *(client.send(to_users="many", title=str(number)) for number in range(2_000))
        )
        found = [item.notification async for item in client.inbox("many").list()]
    assert sorted(one.id for one in sent) == sorted(one.id for one in found)
    assert sorted(int(one.title or "") for one in found) == list(range(2_000))


def test_children_get_the_ids_of_their_own_sends(stack: Stack) -> None:
    """Processes forked after a send can send concurrently, and each gets the ids of its own sends."""
    with Tidings(stack.api, key=stack.key) as client:
        client.send(to_users="child-0", title="before")
        pipes = []
        for number in range(4):
            reading, writing = os.pipe()
            if os.fork() == 0:
                try:
                    ids = [client.send(to_users=f"child-{number}", title="x").id for _ in range(25)]
                    os.write(writing, " ".join(ids).encode())
                finally:
                    os._exit(0)
            os.close(writing)
            pipes.append(reading)
        for number, reading in enumerate(pipes):
            with os.fdopen(reading) as pipe:
                told = set(pipe.read().split())
            os.wait()
            assert len(told) == 25
            found = {item.notification.id for item in client.inbox(f"child-{number}").list()}
            assert told <= found


def test_one_client_serves_several_runs(stack: Stack) -> None:
    """A client created outside of any loop sends in several `asyncio.run` one after another."""
    client = AsyncTidings(stack.api, key=stack.key)

    async def send() -> str:
        return (await client.send(to_users="runs", title="x")).status

    assert [asyncio.run(send()) for _ in range(3)] == ["accepted"] * 3
