"""Memberships that end before the gateway has read their beginning."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.listening import Listener, listening
from tests.support.sending import eventually
from tests.support.stack import Stack
from tidings import AsyncTidings


@contextmanager
def stopped_gateway(stack: Stack) -> Iterator[None]:
    """The gateway gets no processor, as on a busy machine."""
    pid = stack.pids()["gateway"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def arrive(listener: Listener, numbers: list[int]) -> None:
    """Return when the listener has received these numbers and, some moments later, no others."""

    async def arrived() -> list[int]:
        return [arrival.n for arrival in listener.arrivals]

    await eventually(arrived, numbers)
    await asyncio.sleep(0.1)
    assert await arrived() == numbers
    assert listener.wrong == []


@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("turns", ["+s-", "+s-+s-", "+s-s+s", "+s|-s+s-s", "+s|s-|+s-", "+s-|+s|-|+s-"])
async def test_members_for_a_moment(stack: Stack, turns: str, number: int) -> None:
    """A connected user receives each notification of each membership once, however short it was.

    The numbers make names in other partitions, so that other feeds are read first.
    `+` joins, `-` leaves, `s` sends, and at `|` the gateway runs until everything has arrived.
    """
    name = f"{turns.replace('|', '.')}{number}"
    user, group = f"user{name}", f"group{name}"
    async with AsyncTidings(stack.api, key=stack.key) as client, listening(stack, [user]) as (listener,):
        expected: list[int] = []
        sent, member = 0, False
        for part in turns.split("|"):
            with stopped_gateway(stack):
                for turn in part:
                    if turn == "s":
                        sent += 1
                        await client.send(to_groups=[group], title="Hello", data={"n": sent})
                        expected += [sent] if member else []
                    else:
                        member = turn == "+"
                        await (client.groups.add if member else client.groups.remove)(group, [user])
            await arrive(listener, expected)
        # A client that reconnects has lost nothing, and gets nothing twice.
        with stopped_gateway(stack):
            listener.drop()
            await client.groups.add(group, [user])
            await client.send(to_groups=[group], title="Hello", data={"n": sent + 1})
            await client.groups.remove(group, [user])
        await arrive(listener, [*expected, sent + 1])
