"""Marks while parts are killed, and while the store is paused."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import httpx

from tests.support.no_tls import NO_TLS
from tests.support.realtime import Client, Realtime
from tests.support.rest import join, send
from tests.support.sending import eventually
from tests.support.stack import PARTS, START_SECONDS, Stack

USERS = ["ana", "bob", "carl"]
EACH = 20
STOPPED_SECONDS = 3.0
REFUSED_SECONDS = 2.6


def service(stack: Stack) -> dict[str, str]:
    """The header of a service with all scopes."""
    return {"Authorization": f"Bearer {stack.token('service', 'send read users groups')}"}


@asynccontextmanager
async def api_client(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API without retries."""
    async with httpx.AsyncClient(
        base_url=stack.api, headers=service(stack), timeout=10, trust_env=False, verify=NO_TLS
    ) as client:
        yield client


class Reader:
    """Marks one notification after another as read, each until it is answered."""

    def __init__(self, stack: Stack, user: str, ids: list[str]) -> None:
        self.user, self.answered = user, list[str]()
        self._stack, self._ids = stack, ids

    async def read(self) -> None:
        """Mark all as read."""
        async with api_client(self._stack) as client:
            for identity in self._ids:
                await wait_for(partial(self._mark, client, identity))
                self.answered.append(identity)

    async def _mark(self, client: httpx.AsyncClient, identity: str) -> bool:
        body = {"state": "read", "ids": [identity]}
        try:
            answer = await client.post(f"/v1/users/{self.user}/notifications/mark", json=body)
        except httpx.TransportError:
            # The mark may or may not be stored.
            return False
        if answer.status_code in {502, 503}:
            return False
        assert answer.status_code == 200, answer.text
        assert answer.json().get("unknown", []) == []
        return True


async def listed(client: httpx.AsyncClient, user: str, state: str) -> set[str]:
    """The ids of a user's notifications in a state."""
    query = {"state": state, "limit": "200"}
    page = (await client.get(f"/v1/users/{user}/notifications", params=query)).raise_for_status().json()
    return {item["notification"]["id"] for item in page["items"]}


def kill_everything(stack: Stack) -> None:
    """SIGKILL the supervisor and every part at once."""
    pids = stack.pids()
    stack.process.kill()
    for pid in pids.values():
        # Some parts stop at once when the supervisor dies.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    stack.wait()


async def test_marks_survive_every_kill(stack: Stack) -> None:
    """Answered marks survive the kill of each part and of all, and receipts count each user once."""
    headers = service(stack)
    async with api_client(stack) as client:
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
        async with api_client(stack) as client:
            for user in USERS:
                assert kept[user] <= await listed(client, user, "read")

    async with api_client(stack) as client:

        async def receipts() -> set[tuple[int, ...]]:
            found = [
                (await client.get(f"/v1/notifications/{identity}")).json()["receipts"] for identity in ids
            ]
            return {(each["delivered"], each["seen"], each["read"]) for each in found}

        await eventually(receipts, {(len(USERS),) * 3})
        for user in USERS:
            assert await listed(client, user, "unread") == set()


async def _answered(readers: list[Reader], count: int) -> None:
    """Wait until every reader has this many answers."""

    async def reached() -> bool:
        return all(len(reader.answered) >= count for reader in readers)

    await wait_for(reached)


async def wait_for(look: Callable[[], Awaitable[bool]]) -> None:
    """Repeat `look` until it is True, as long as parts may take to start."""
    deadline = time.monotonic() + 2 * START_SECONDS
    while not await look():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_marks_while_the_store_is_paused(stack: Stack) -> None:
    """While the store is paused marks fail in time, by REST and by frame, and both work again after it."""
    headers = service(stack)
    realtime = Realtime(stack.ports[1], lambda user, **_: stack.token(user))
    async with api_client(stack) as client, realtime.user("ana") as phone:
        identity = await send(client, headers, {"users": ["ana"]})
        await phone.titles(1)
        body = {"state": "read", "ids": [identity]}
        pid = stack.pids()["valkey"]
        os.kill(pid, signal.SIGSTOP)
        until = time.monotonic() + STOPPED_SECONDS
        try:
            while time.monotonic() < until:
                started = time.monotonic()
                answer, refused = await asyncio.gather(
                    client.post("/v1/users/ana/notifications/mark", json=body), _marked(phone, body)
                )
                assert time.monotonic() - started < REFUSED_SECONDS
                assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
                assert int(answer.headers["retry-after"]) >= 1
                assert (refused["type"], refused["code"]) == ("error", "storage_unavailable")
                # Less than the limit of frames of a connection.
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
