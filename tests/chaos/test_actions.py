"""Actions while gateways are killed: a used action is used once, and its user gets the answer."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.support.faults import FaultProxy
from tests.support.no_tls import NO_TLS
from tests.support.realtime import Client, Realtime
from tests.support.sending import eventually
from tests.support.stack import Stack
from tidings import AsyncTidings, FrameRefusedError, LiveInbox, ReconnectPolicy

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "1"))
ACTIONS = [{"id": "approve", "label": "Approve"}, {"id": "stop", "label": "Stop"}]
SOON = ReconnectPolicy(base=0.1, spread=0.1)


@asynccontextmanager
async def events(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """A reader of events."""
    headers = {"Authorization": f"Bearer {stack.token('reader', 'events')}"}
    async with httpx.AsyncClient(
        base_url=stack.api, headers=headers, timeout=30, trust_env=False, verify=NO_TLS
    ) as client:
        yield client


async def read(client: httpx.AsyncClient, after: str) -> dict[str, Any]:
    """The uses of actions after a position."""
    query: dict[str, str | int] = {"after": after, "types": "notification.action", "wait": 0}
    answer = await client.get("/v1/events", params=query)
    return dict(answer.raise_for_status().json())


async def used(tidings: AsyncTidings, id: str) -> str | None:
    """The action that ana used, as her inbox has it."""
    async for item in tidings.inbox("ana").list():
        if item.notification.id == id:
            return item.action.id if item.action is not None else None
    raise AssertionError(f"{id} is not in the inbox")


async def kill_before_the_use(stack: Stack, inbox: LiveInbox, other: Client, id: str) -> asyncio.Task[Any]:
    """Kill the gateway that has received the action, while the store does not answer it."""
    store = stack.pids()["valkey"]
    os.kill(store, signal.SIGSTOP)
    try:
        acting = asyncio.create_task(inbox.act(id, "approve"))
        # The gateway has read the frame after it has answered two pings that were sent later.
        for _ in range(2):
            await asyncio.sleep(0)
            await other.settle()
        stack.kill("gateway")
    finally:
        os.kill(store, signal.SIGCONT)
    return acting


async def kill_after_the_use(
    stack: Stack, inbox: LiveInbox, proxy: FaultProxy, tidings: AsyncTidings, id: str
) -> asyncio.Task[Any]:
    """Kill the gateway after the action was used, while its answer does not reach the client."""
    proxy.lose_replies = 1.0
    acting = asyncio.create_task(inbox.act(id, "approve"))

    async def look() -> str | None:
        return await used(tidings, id)

    await eventually(look, "approve")
    assert not acting.done()
    stack.kill("gateway")
    proxy.lose_replies = 0.0
    return acting


@pytest.mark.timeout(60 + 40 * ROUNDS)  # each kill takes the restart of a part
async def test_a_gateway_is_killed_between_an_action_and_its_answer(stack: Stack) -> None:
    """The client repeats an action whose gateway was killed: it is used once, whenever that was."""
    realtime = Realtime(stack.ports[1], lambda user, **_: stack.token(user))
    sent: list[str] = []
    async with (
        FaultProxy(f"redis://127.0.0.1:{stack.ports[1]}") as proxy,
        # On a busy machine a gateway starts slowly.
        AsyncTidings(stack.api, key=stack.key, timeout=60) as tidings,
        events(stack) as reader,
    ):
        start = (await read(reader, "now"))["next"]
        url = f"{proxy.url.replace('redis', 'ws')}/v1/realtime"
        async with (
            tidings.listen(user="ana", realtime_url=url, reconnect=SOON) as inbox,
            tidings.listen(user="ana", reconnect=SOON) as second,
        ):
            for number in range(2 * ROUNDS):
                notification = await tidings.send(to_users=["ana"], title="Deploy?", actions=ACTIONS)
                sent.append(notification.id)
                delivery = await anext(inbox)
                assert (delivery.notification.id, delivery.action) == (notification.id, None)
                on_second = await anext(second)
                if number % 2:
                    acting = await kill_after_the_use(stack, inbox, proxy, tidings, notification.id)
                else:
                    async with realtime.user("bob") as other:
                        acting = await kill_before_the_use(stack, inbox, other, notification.id)
                async with asyncio.timeout(60):
                    acted = await acting
                assert acted.action.id == "approve"
                assert delivery.action == acted.action
                # The other device cannot use another one, and reports the same.
                with pytest.raises(FrameRefusedError) as refused:
                    await second.act(notification.id, "stop")
                assert refused.value.code == "action_used"
                assert await on_second.act("approve") == acted
                assert on_second.action == acted.action

        async def counted() -> list[dict[str, int]]:
            return [
                receipts.actions for id in sent if (receipts := (await tidings.get(id)).receipts) is not None
            ]

        await eventually(counted, [{"approve": 1}] * len(sent))
        found = (await read(reader, start))["events"]
        assert [(each["data"]["notification"], each["data"]["action"]) for each in found] == [
            (id, "approve") for id in sent
        ]
