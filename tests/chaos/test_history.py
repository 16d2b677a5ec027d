"""Archivers that are killed, and a database that stops, while notifications move into the archive."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest

from tests.operations.support import tidings_server
from tests.support.no_tls import NO_TLS
from tests.support.postgresql import Postgresql, running_postgresql, why_no_postgresql
from tests.support.sending import eventually
from tests.support.stack import Stack, running_stack
from tests.support.traffic import stubborn_client
from tidings import AsyncTidings

TOPICS = ["news/a", "news/b", "news/c"]
PAUSE_SECONDS = 0.05
KILLS = 3


@pytest.fixture
def server() -> Iterator[Postgresql]:
    """A PostgreSQL for this test alone."""
    if reason := why_no_postgresql():
        pytest.skip(reason)
    with running_postgresql() as server:
        yield server


@pytest.fixture
def archived(server: Postgresql, short_directory: Path) -> Iterator[Stack]:
    """A `dev` with its archive in that PostgreSQL; topics keep notifications for a second."""
    home = Path(tempfile.mkdtemp(dir=short_directory))
    with running_stack(home, TIDINGS_ARCHIVE_URL=server.url("postgres")) as stack:
        ended = tidings_server(
            *("tenants", "update", "demo", "--topic-retention", "1", "--data", str(stack.data)), cwd=home
        )
        assert ended.returncode == 0, ended.stderr
        yield stack


class Lists:
    """The lists of topics, read page by page."""

    def __init__(self, stack: Stack) -> None:
        self._client = httpx.AsyncClient(
            base_url=stack.api,
            headers={"Authorization": f"Bearer {stack.token('tests', 'read')}"},
            timeout=20,
            trust_env=False,
            verify=NO_TLS,
        )

    async def read(self, topic: str) -> list[int] | None:
        """The numbers in the list of a topic, newest first; None when the history does not answer."""
        found: list[int] = []
        cursor = None
        while True:
            answer = await self._client.get(
                f"/v1/topics/{topic.replace('/', '%2F')}/notifications",
                params={"limit": 20} | ({"cursor": cursor} if cursor else {}),
            )
            if answer.status_code == 404 and not found:
                return found  # nothing was sent to it yet
            assert answer.status_code == 200, answer.text
            page = answer.json()
            if "history" in page:
                return None
            found += [item["notification"]["data"]["n"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                return found

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def send(client: AsyncTidings, topic: str, acknowledged: list[int], ended: asyncio.Event) -> None:
    """Send one after another until the end."""
    while not ended.is_set():
        n = len(acknowledged)
        await client.send(to_topics=[topic], data={"n": n}, idempotency_key=f"{topic}-{n}")
        acknowledged.append(n)
        await asyncio.sleep(PAUSE_SECONDS)


async def watch(lists: Lists, topic: str, acknowledged: list[int], ended: asyncio.Event) -> tuple[int, int]:
    """Read a list again and again: each has all that was acknowledged before, once and in order.

    Returns how many lists were whole, and how many were without their history.
    """
    whole = partial = 0
    while not ended.is_set():
        due = len(acknowledged)
        found = await lists.read(topic)
        if found is None:
            partial += 1
            continue
        whole += 1
        assert found == list(range(len(found) - 1, -1, -1))
        assert len(found) >= due
    return whole, partial


def rows(server: Postgresql) -> int:
    """How many entries the archive has; 0 before it has tables."""
    made = server.sql("select to_regclass('tidings_entries') is not null")
    return int(server.sql("select count(*) from tidings_entries")) if made == "t" else 0


async def disturb(stack: Stack, server: Postgresql, lists: Lists) -> None:
    """Kill the archiver while entries move, and stop the database until a list misses its history."""
    for number in range(KILLS):
        before = await asyncio.to_thread(rows, server)

        async def grows(before: int = before) -> bool:
            return await asyncio.to_thread(rows, server) > before

        await eventually(grows, expected=True)
        await asyncio.to_thread(stack.kill, "archiver")
        if number == KILLS // 2:
            await asyncio.to_thread(server.stop)

            async def is_partial() -> bool:
                return await lists.read(TOPICS[0]) is None

            await eventually(is_partial, expected=True)
            await asyncio.to_thread(server.start)


async def send_and_disturb(
    stack: Stack, server: Postgresql, lists: Lists, client: AsyncTidings, acknowledged: dict[str, list[int]]
) -> None:
    """Send to all topics, while the archiver is killed and its database stops; then wait for the archive."""
    ended = asyncio.Event()
    async with asyncio.TaskGroup() as sending:
        for topic in TOPICS:
            sending.create_task(send(client, topic, acknowledged[topic], ended))
        await disturb(stack, server, lists)
        ended.set()

    async def moved() -> int:
        return await asyncio.to_thread(rows, server)

    await eventually(moved, sum(map(len, acknowledged.values())))


async def test_each_notification_is_in_the_list_once(archived: Stack, server: Postgresql) -> None:
    """During kills of the archiver and a stop of its database each list has all, once and in order.

    At the end the archive has every notification.
    """
    acknowledged: dict[str, list[int]] = {topic: [] for topic in TOPICS}
    ended = asyncio.Event()
    async with aclosing(Lists(archived)) as lists, stubborn_client(archived) as client:
        async with asyncio.TaskGroup() as group:
            watched = [
                group.create_task(watch(lists, topic, sent, ended)) for topic, sent in acknowledged.items()
            ]
            await send_and_disturb(archived, server, lists, client, acknowledged)
            ended.set()
        for topic, sent in acknowledged.items():
            assert len(sent) > 30
            assert await lists.read(topic) == sent[::-1]
    results = [await task for task in watched]
    assert all(whole > 1 for whole, _ in results)
    assert sum(partial for _, partial in results) > 0
    assert archived.ready() == 200
