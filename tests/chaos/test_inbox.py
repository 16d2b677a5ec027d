"""Marks while everything dies, and while the store stands still."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import httpx

from tests.support.realtime import Client, Realtime
from tests.support.rest import join, send
from tests.support.sending import eventually
from tests.support.stack import PARTS, START_SECONDS, Stack

USERS = ["ana", "bob", "carl"]
EACH = 20
STOPPED_SECONDS = 3.0
REFUSED_SECONDS = 2.6


def service(stack: Stack) -> dict[str, str]:
    """The header of a service that may do everything."""
    return {"Authorization": f"Bearer {stack.token('service', 'send read users groups')}"}


@asynccontextmanager
async def talking(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API that tries nothing twice."""
    async with httpx.AsyncClient(
        base_url=stack.api, headers=service(stack), timeout=10, trust_env=False
    ) as client:
        yield client


class Reader:
    """Marks one notification after another as read, until each is answered."""

    def __init__(self, stack: Stack, user: str, ids: list[str]) -> None:
        self.user, self.answered = user, list[str]()
        self._stack, self._ids = stack, ids

    async def read(self) -> None:
        """Read everything."""
        async with talking(self._stack) as client:
            for identity in self._ids:
                await patiently(partial(self._mark, client, identity))
                self.answered.append(identity)

    async def _mark(self, client: httpx.AsyncClient, identity: str) -> bool:
        body = {"state": "read", "ids": [identity]}
        try:
            answer = await client.post(f"/v1/users/{self.user}/notifications/mark", json=body)
        except httpx.TransportError:
            # Nobody knows whether it took place.
            return False
        if answer.status_code in {502, 503}:
            return False
        assert answer.status_code == 200, answer.text
        assert answer.json().get("unknown", []) == []
        return True


async def listed(client: httpx.AsyncClient, user: str, state: str) -> set[str]:
    """The ids of what a user has in a state."""
    query = {"state": state, "limit": "200"}
    page = (await client.get(f"/v1/users/{user}/notifications", params=query)).raise_for_status().json()
    return {item["notification"]["id"] for item in page["items"]}


def kill_everything(stack: Stack) -> None:
    """SIGKILL of the supervisor and of every part, at once."""
    pids = stack.pids()
    stack.process.kill()
    for pid in pids.values():
        # Some notice at once that the supervisor has gone.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    stack.wait()


async def test_marks_outlive_everything(stack: Stack) -> None:
    """Whatever dies, or all at once, a mark that was answered is kept, and receipts count everybody once."""
    headers = service(stack)
    async with talking(stack) as client:
        await join(client, headers, "team", *USERS)
        targets: list[dict[str, Any]] = [{"users": USERS}, {"groups": ["team"]}, {"all": True}]
        ids = [await send(client, headers, targets[number % 3]) for number in range(EACH * 3)]
        for user in USERS:
            await eventually(partial(listed, client, user, "unread"), set(ids))
    readers = [Reader(stack, user, ids) for user in USERS]
    async with asyncio.TaskGroup() as group:
        for reader in readers:
            group.create_task(reader.read())
        for number, part in enumerate(PARTS, 1):
            await _answered(readers, number * EACH // 2)
            stack.kill(part)
        await _answered(readers, EACH * 5 // 2)
        kill_everything(stack)
        kept = {reader.user: set(reader.answered) for reader in readers}
        await asyncio.to_thread(stack.start)
        async with talking(stack) as client:
            for user in USERS:
                assert kept[user] <= await listed(client, user, "read")

    async with talking(stack) as client:

        async def receipts() -> set[tuple[int, ...]]:
            found = [
                (await client.get(f"/v1/notifications/{identity}")).json()["receipts"] for identity in ids
            ]
            return {(each["delivered"], each["seen"], each["read"]) for each in found}

        await eventually(receipts, {(len(USERS),) * 3})
        for user in USERS:
            assert await listed(client, user, "unread") == set()


async def _answered(readers: list[Reader], count: int) -> None:
    """Wait until every reader has so many answers."""

    async def reached() -> bool:
        return all(len(reader.answered) >= count for reader in readers)

    await patiently(reached)


async def patiently(look: Callable[[], Awaitable[bool]]) -> None:
    """Look until it is so, as long as parts may take to start again."""
    deadline = time.monotonic() + 2 * START_SECONDS
    while not await look():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_marks_while_the_store_stands_still(stack: Stack) -> None:
    """A mark is refused in time, by REST and by frame, and both work again by themselves."""
    headers = service(stack)
    realtime = Realtime(stack.ports[1], lambda user, **_: stack.token(user))
    async with talking(stack) as client, realtime.user("ana") as phone:
        identity = await send(client, headers, {"users": ["ana"]})
        await phone.titles(1)
        body = {"state": "read", "ids": [identity]}
        pid = stack.pids()["valkey"]
        os.kill(pid, signal.SIGSTOP)
        until = time.monotonic() + STOPPED_SECONDS
        try:
            while time.monotonic() < until:
                began = time.monotonic()
                answer, refused = await asyncio.gather(
                    client.post("/v1/users/ana/notifications/mark", json=body), _marked(phone, body)
                )
                assert time.monotonic() - began < REFUSED_SECONDS
                assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
                assert int(answer.headers["retry-after"]) >= 1
                assert (refused["type"], refused["code"]) == ("error", "storage_unavailable")
                # Fewer than a connection may send.
                await asyncio.sleep(0.05)
        finally:
            os.kill(pid, signal.SIGCONT)

        async def works() -> tuple[int, str]:
            answer = await client.post("/v1/users/ana/notifications/mark", json=body)
            return answer.status_code, (await _marked(phone, body))["type"]

        await eventually(works, (200, "state"))
        assert await listed(client, "ana", "read") == {identity}


async def _marked(device: Client, body: dict[str, Any]) -> dict[str, Any]:
    """Mark by a frame; its answer."""
    await device.send("mark", ref="mine", **body)
    while (frame := await device.next()).get("ref") != "mine":
        pass
    return frame
