"""The stop of `dev`: orderly under load with many connections, and by SIGKILL."""

import asyncio
import subprocess
import time

import httpx

from tests.support.listening import Listener, listening
from tests.support.no_tls import NO_TLS
from tests.support.stack import PARTS, START_SECONDS, Stack, clean_environment, is_running
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
from tests.support.valkey import wait_until

SOCKETS = 200
USERS = [f"user-{number}" for number in range(SOCKETS)]
GROUPS = {"odd": USERS[1::2], "few": USERS[:3]}
RATE = 100


async def send_until_last(stack: Stack, answers: list[int]) -> None:
    """Send one after another on one connection, until an answer closes it.

    Raises httpx.RequestError when a request gets no answer.
    """
    headers = {"Authorization": f"Bearer {stack.token('service', 'send')}"}
    body = {"to": {"users": ["offline-user"]}, "title": "in flight"}
    async with httpx.AsyncClient(base_url=stack.api, timeout=20, trust_env=False, verify=NO_TLS) as client:
        while True:
            answer = await client.post("/v1/notifications", json=body, headers=headers)
            answers.append(answer.status_code)
            if answer.status_code != 202:
                assert answer.headers["content-type"] == "application/problem+json"
            if answer.headers.get("connection") == "close":
                return


async def test_sigterm_under_load(stack: Stack) -> None:
    """On SIGTERM connections close with 1012, sends in flight get answers, and a restart loses nothing."""
    reference, account = Reference(USERS, 1), Account()
    answers: list[int] = []
    async with stubborn_client(stack) as client:
        await make_groups(client, reference, GROUPS)
        async with listening(stack, USERS) as listeners:
            epoch = listeners[0].epoch
            async with asyncio.TaskGroup() as group:
                group.create_task(send_steadily(client, reference, account, rate=RATE, seconds=6))
                for _ in range(8):
                    group.create_task(send_until_last(stack, answers))
                await account.reaches(RATE)
                started = time.monotonic()
                assert await asyncio.to_thread(stack.terminate) == 0
                assert time.monotonic() - started < 10
                assert [closed_by(listener) for listener in listeners] == [[1012]] * SOCKETS
                await asyncio.to_thread(stack.start)
            await settle(listeners, account)
        assert {listener.epoch for listener in listeners} == {epoch}
        assert wrongs(listeners, account) == []
        assert await wrong_inboxes(client, USERS[:10], account) == []
        stored = (await client.inbox("offline-user").list(limit=1).page()).positions["user"]
    assert stored == answers.count(202)
    assert set(answers) <= {202, 503}
    assert account.unknown == {}


def closed_by(listener: Listener) -> list[int]:
    """The close codes that a listener received, in order."""
    return [code for code, count in listener.closes.items() for _ in range(count)]


def test_a_second_start_names_the_process_with_the_data(stack: Stack) -> None:
    """A second `dev` on the same data exits with an error that names the first, which continues."""
    other = Stack(stack.home)
    second = subprocess.run(
        other.command(),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        env=clean_environment(),
        check=False,
    )
    assert second.returncode not in {0, None}
    assert str(stack.process.pid) in second.stderr
    assert str(stack.data) in second.stderr
    assert stack.ready() == 200


async def test_no_process_outlives_the_supervisor(stack: Stack) -> None:
    """SIGKILL of the supervisor stops every part, and the next start has all acknowledged sends."""
    reference, account = Reference(USERS[:20], 2), Account()
    async with stubborn_client(stack) as client:
        await make_groups(client, reference, {"few": USERS[:3], "more": USERS[3:9]})
        async with listening(stack, USERS[:20]) as listeners, asyncio.TaskGroup() as group:
            group.create_task(send_steadily(client, reference, account, rate=RATE, seconds=3))
            await account.reaches(RATE)
            pids = stack.pids()
            assert set(pids) == {*PARTS, "archiver"}
            stack.process.kill()
            await asyncio.to_thread(stack.wait)
            await asyncio.to_thread(
                wait_until, lambda: not any(map(is_running, pids.values())), "the end of all parts", 10
            )
            await asyncio.to_thread(stack.start)
            await account.reaches(2 * RATE)
            await settle(listeners, account)
        assert wrongs(listeners, account) == []
        assert await wrong_inboxes(client, USERS[:20], account) == []
