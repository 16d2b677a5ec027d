"""The store stops answering for ten seconds, under load."""

import asyncio
import os
import signal
import time
from typing import NamedTuple

import httpx

from tests.support.listening import listening
from tests.support.no_tls import NO_TLS
from tests.support.stack import Stack
from tests.support.traffic import (
    Account,
    Reference,
    make_groups,
    send_steadily,
    settle,
    stubborn_client,
    wrong_inboxes,
    wrongs,
)

USERS = [f"user-{number}" for number in range(20)]
GROUPS = {"odd": USERS[1::2], "few": USERS[:3]}
OUTAGE_SECONDS = 10.0
# Waiting clients retry every second: together ten times this rate.
RATE = 25


class Probe(NamedTuple):
    """One send without retries: time of the request, duration, answer, and status of readiness."""

    at: float
    took: float
    answer: httpx.Response
    readiness: int


async def probe_until(stack: Stack, end: asyncio.Event, probes: list[Probe]) -> None:
    """Send and read readiness again and again, with short pauses, until `end`."""
    headers = {"Authorization": f"Bearer {stack.token('probe', 'send')}"}
    body = {"to": {"users": ["offline-user"]}, "title": "probe"}
    async with httpx.AsyncClient(base_url=stack.api, timeout=20, trust_env=False, verify=NO_TLS) as client:
        while not end.is_set():
            at = time.monotonic()
            answer = await client.post("/v1/notifications", json=body, headers=headers)
            took = time.monotonic() - at
            readiness = await client.get("/health/ready")
            probes.append(Probe(at, took, answer, readiness.status_code))
            await asyncio.sleep(0.1)


async def stop_store(stack: Stack, account: Account) -> tuple[float, float]:
    """Pause Valkey for ten seconds; the times of SIGSTOP and SIGCONT."""
    await account.reaches(RATE)
    pid = stack.pids()["valkey"]
    stopped = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(OUTAGE_SECONDS)
    os.kill(pid, signal.SIGCONT)
    assert stack.pids()["valkey"] == pid
    return stopped, time.monotonic()


async def test_the_store_stops_for_ten_seconds(stack: Stack) -> None:
    """In an outage sends get 503 quickly, connections stay open, and acknowledged sends arrive after it."""
    reference, account = Reference(USERS, 1), Account()
    probes: list[Probe] = []
    end = asyncio.Event()
    async with stubborn_client(stack) as client:
        await make_groups(client, reference, GROUPS)
        async with listening(stack, USERS) as listeners:
            before = stack.pids()
            async with asyncio.TaskGroup() as group:
                group.create_task(
                    send_steadily(client, reference, account, rate=RATE, seconds=OUTAGE_SECONDS + 3)
                )
                group.create_task(probe_until(stack, end, probes))
                stopped, resumed = await stop_store(stack, account)
                await account.reaches(len(account.acknowledged) + RATE)
                end.set()
            await settle(listeners, account)
        assert stack.pids() == before
        assert [listener.closes for listener in listeners if listener.closes] == []
        assert {listener.welcomes for listener in listeners} == {1}
        assert wrongs(listeners, account) == []
        assert await wrong_inboxes(client, USERS, account) == []
    assert account.unknown == {}
    assert stack.ready() == 200

    refused = [probe for probe in probes if stopped < probe.at and probe.at + probe.took < resumed]
    assert len(refused) > 5
    for probe in refused:
        assert (probe.answer.status_code, probe.readiness) == (503, 503)
        assert probe.answer.headers["content-type"] == "application/problem+json"
        assert probe.answer.json()["code"] == "storage_unavailable"
        assert int(probe.answer.headers["retry-after"]) >= 1
    # The first request waits for Redis' timeout; later ones are refused at once.
    assert max(probe.took for probe in refused) < 2.6
    assert sorted(probe.took for probe in refused)[len(refused) // 2] < 0.5
    assert {probe.answer.status_code for probe in probes} == {202, 503}
