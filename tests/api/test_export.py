"""The export: all that a tenant has sent, oldest first, from Redis and the archive, in bounded memory."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import Bearer
from tests.archiver.history import History
from tests.support.ports import free_port
from tests.support.rest import send
from tests.support.sending import eventually, notification
from tidings_api.routes import export
from tidings_workers.archive import ArchiveUnavailable
from tidings_workers.archive.sql_archive import SqlArchive
from tidings_workers.config import Settings
from tidings_workers.store import Store, exports
from tidings_workers.store.exports import PAGE
from tidings_workers.tenants import Tenant

PATH = "/v1/export/notifications"
LIST = "/v1/notifications"
# Older than the retention of every tenant here.
DAYS = 400


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    """The settings of a server with an archive."""
    archive_url = f"sqlite://{tmp_path / 'history.db'}"
    return Settings(redis_url=redis_url, port=free_port(), drain_seconds=3, archive_url=archive_url)


@pytest.fixture
async def history(store: Store) -> History:
    """Moves old entries into the archive."""
    assert store.archive is not None
    await store.archive.migrate()
    return History(store)


@pytest.fixture
def scopes(bearer: Bearer) -> dict[str, str]:
    return bearer("send read")


async def exported(api: httpx.AsyncClient, headers: dict[str, str], **query: str) -> list[dict[str, Any]]:
    """The lines of an export."""
    answer = await api.get(PATH, params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


async def listed(api: httpx.AsyncClient, headers: dict[str, str]) -> list[dict[str, Any]]:
    """The list of sent notifications, oldest first."""
    answer = await api.get(LIST, params={"limit": 200}, headers=headers)
    return list(reversed(answer.json()["items"]))


async def fill(store: Store, count: int, *, body: str = "", users: int = 50) -> list[str]:
    """Send so many notifications in batches; returns their ids."""
    ids: list[str] = []
    for start in range(0, count, 500):
        batch = [
            notification(f"{number}", users=[f"u{number % users}"], body=body or None)
            for number in range(start, min(start + 500, count))
        ]
        ids += (await store.sends.send("demo", batch)).ids
    return ids


async def test_an_export_has_what_is_live_and_what_is_archived(
    api: httpx.AsyncClient, scopes: dict[str, str], history: History
) -> None:
    """Each line is an item of the list of sent notifications; the oldest is the first."""
    targets: list[dict[str, Any]] = [{"users": ["ana"]}, {"all": True}, {"topics": ["news"]}]
    old = [
        await send(api, scopes, to, title=f"{number}", data={"n": number})
        for number, to in enumerate(targets)
    ]
    assert await history.move(DAYS) == 3
    new = [await send(api, scopes, to, title="new") for to in targets]
    lines = await exported(api, scopes)
    assert [line["id"] for line in lines] == old + new
    # The record of a send to topics outlives its entries in Redis.
    assert [line.get("archived_copy", False) for line in lines] == [True, True, False] + [False] * 3
    assert lines == await listed(api, scopes)
    assert [line["data"] for line in lines[:3]] == [{"n": 0}, {"n": 1}, {"n": 2}]


async def test_an_export_is_of_one_tenant(
    api: httpx.AsyncClient, scopes: dict[str, str], bearer: Bearer, history: History
) -> None:
    """An export has nothing of another tenant, live or archived; an export of nothing has no line."""
    await send(api, scopes, {"users": ["ana"]})
    await history.move(DAYS)
    await send(api, scopes, {"users": ["ana"]})
    assert await exported(api, bearer("read", tenant="other")) == []
    assert len(await exported(api, scopes)) == 2


async def test_a_period_limits_an_export(
    api: httpx.AsyncClient, scopes: dict[str, str], history: History
) -> None:
    """`since` is inclusive and `until` exclusive, for live and for archived notifications."""
    for is_old in (True, False):
        ids = []
        for number in range(3):
            ids.append(await send(api, scopes, {"users": ["ana"]}, title=f"{number}"))
            # Ids of one millisecond are in the same period.
            await asyncio.sleep(0.002)
        if is_old:
            await history.move(DAYS)
        times = {item["id"]: item["accepted_at"] for item in await listed(api, scopes)}
        first, second, third = (times[each] for each in ids)
        assert [item["id"] for item in await exported(api, scopes, since=second, until=third)] == ids[1:2]
        assert [item["id"] for item in await exported(api, scopes, since=first)][:3] == ids
        assert [item["id"] for item in await exported(api, scopes, until=second)][-1:] == ids[:1]


@pytest.mark.parametrize(
    "query",
    [{"since": "yesterday"}, {"until": "2026-01-01T00:00:00"}, {"limit": "3"}, {"cursor": "x"}],
    ids=["no-time", "no-zone", "limit", "cursor"],
)
async def test_bad_parameters_are_refused(
    api: httpx.AsyncClient, scopes: dict[str, str], query: dict[str, str]
) -> None:
    """A time without its zone, and a parameter that this route does not have, are 422 `invalid_request`."""
    answer = await api.get(PATH, params=query, headers=scopes)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_an_export_needs_the_scope_read(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """A token without the scope `read` gets 403, and HEAD of an export has its headers and no content."""
    assert (await api.get(PATH, headers=bearer("send inbox"))).status_code == 403
    head = await api.head(PATH, headers=bearer("read"))
    assert (head.status_code, head.content) == (200, b"")


async def test_an_unavailable_archive_refuses_before_the_first_line(
    api: httpx.AsyncClient,
    scopes: dict[str, str],
    store: Store,
    history: History,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An export whose archive does not answer at its start is 503 `storage_unavailable`."""
    await send(api, scopes, {"users": ["ana"]})
    await history.move(DAYS)
    await break_archive(monkeypatch, after=0)
    answer = await api.get(PATH, headers=scopes)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")


async def test_an_archive_that_fails_later_ends_an_export_with_an_error(
    api: httpx.AsyncClient,
    scopes: dict[str, str],
    store: Store,
    history: History,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last line of an incomplete export is its problem; the lines before it are whole."""
    ids = await fill(store, 300)
    assert await history.move(DAYS) == 300
    await break_archive(monkeypatch, after=1)
    *lines, last = await exported(api, scopes)
    assert [line["id"] for line in lines] == sorted(ids)[: len(lines)]
    assert len(lines) == PAGE
    assert set(last) == {"error"}
    assert (last["error"]["code"], last["error"]["status"]) == ("storage_unavailable", 503)


async def break_archive(monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
    """Make the archive unavailable after so many pages."""
    real, pages = SqlArchive.sent, [0]

    async def sent(self: SqlArchive, query: Any) -> Any:
        pages[0] += 1
        if pages[0] > after:
            raise ArchiveUnavailable("the archive is locked: another program uses its file")
        return await real(self, query)

    monkeypatch.setattr(SqlArchive, "sent", sent)


async def test_a_notification_that_moves_during_an_export_is_in_it_once(
    store: Store, history: History
) -> None:
    """None is missing and none is there twice when all move into the archive between two pages."""
    ids = await fill(store, 1_000)
    found: list[str] = []
    pages = store.exports.pages("demo", None, None)
    moved = 0
    async for page in pages:
        found += [each.id for each in page]
        if not moved:
            moved = await history.move(DAYS)
    assert moved == 1_000
    assert found == sorted(ids)
    again = [each async for page in store.exports.pages("demo", None, None) for each in page]
    assert [each.id for each in again] == sorted(ids)
    assert all(each.in_archive for each in again)


async def test_lists_that_are_trimmed_during_an_export_lose_nothing(
    store: Store, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sends that left the lists before the export has read them are read from the archive, once."""
    # Reads a part of the lists ahead, not all of them.
    monkeypatch.setattr(exports, "_LATE_MS", 50)
    ids: list[str] = []
    for _ in range(6):
        ids += await fill(store, 150)
        await asyncio.sleep(0.2)
    found: list[str] = []
    async for page in store.exports.pages("demo", None, None):
        if not found:
            assert await history.move(DAYS) == len(ids)
        found += [each.id for each in page]
    assert sorted(found) == sorted(ids)


async def test_the_archive_is_read_after_the_lists(
    store: Store, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lists are read first: sends that leave them right behind an answer of the archive are not lost."""
    monkeypatch.setattr(exports, "_LATE_MS", 50)
    ids: list[str] = []
    for _ in range(4):
        ids += await fill(store, 150)
        await asyncio.sleep(0.2)
    real, moved = SqlArchive.sent, [0]

    async def sent(self: SqlArchive, query: Any) -> Any:
        page = await real(self, query)
        if not moved[0]:
            moved[0] = await history.move(DAYS)
        return page

    monkeypatch.setattr(SqlArchive, "sent", sent)
    found = [each.id async for page in store.exports.pages("demo", None, None) for each in page]
    assert moved == [len(ids)]
    assert sorted(found) == sorted(ids)


async def test_both_sources_interleave(store: Store, history: History) -> None:
    """Notifications whose categories have moved at different times are exported in order of their ids."""
    tenant = Tenant(id="demo", created_at=datetime.now(UTC), category_retention={"short": 7})
    store.follow_policies({"demo": tenant}.get)
    ids = []
    for number in range(260):
        category = "short" if number % 3 else "long"
        ids += (await store.sends.send("demo", [notification("x", users=["ana"], category=category)])).ids
    moved = await history.move(8)
    assert moved == sum(number % 3 != 0 for number in range(260))
    found = [each async for page in store.exports.pages("demo", None, None) for each in page]
    assert [each.id for each in found] == sorted(ids)


async def test_an_export_of_5000_has_each_once_in_bounded_memory(store: Store, history: History) -> None:
    """An export of 5,000 notifications of 4 KB, half of them archived, has a few pages in memory."""
    body = "x" * 4_000
    old = await fill(store, 2_500, body=body)
    assert await history.move(DAYS) == 2_500
    new = await fill(store, 2_500, body=body)
    found: list[str] = []
    tracemalloc.start()
    try:
        async for page in store.exports.pages("demo", None, None):
            found += [each.id for each in page]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == sorted(old) + sorted(new)
    # All of them are 20 MB; a page is 0.4 MB, in several forms.
    assert most < 6_000_000


async def test_an_archive_that_has_nothing_yet_is_not_needed(
    api: httpx.AsyncClient, scopes: dict[str, str]
) -> None:
    """An archive without its tables, as before the first start of an archiver, does not stop an export."""
    identity = await send(api, scopes, {"users": ["ana"]})
    assert [line["id"] for line in await exported(api, scopes)] == [identity]


async def test_a_client_that_stalls_costs_a_page(
    api: httpx.AsyncClient,
    settings: Settings,
    scopes: dict[str, str],
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No further page is read for a client that does not read, and it gets all lines when it reads on."""
    ids = await fill(store, 4_000, body="x" * 8_000)
    read = count_pages(monkeypatch, store)
    reader, writer = await asyncio.open_connection("127.0.0.1", settings.port, limit=2**16)
    with closing(writer):
        writer.write(request_of(scopes))
        await reader.readuntil(b"\r\n\r\n")
        await settled(read)
        stalled = len(read)
        # The buffers of both sockets take a few megabytes of 32 MB.
        assert stalled < 4_000 / PAGE / 2
        text = await reader.read()
    assert text.count(b'{"id":') == len(ids)
    assert len(read) > stalled


async def test_a_client_that_aborts_ends_its_export(
    api: httpx.AsyncClient,
    settings: Settings,
    scopes: dict[str, str],
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The export of a client that closes its connection reads nothing more, and frees its place."""
    await fill(store, 4_000, body="x" * 8_000)
    read = count_pages(monkeypatch, store)
    monkeypatch.setattr(export, "RUNNING", 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", settings.port, limit=2**16)
    writer.write(request_of(scopes))
    await reader.readuntil(b"\r\n\r\n")
    second = await api.get(PATH, headers=scopes)
    assert (second.status_code, second.json()["code"]) == (503, "overloaded")
    writer.transport.abort()

    async def status() -> int:
        async with api.stream("GET", PATH, headers=scopes) as answer:
            return answer.status_code

    await eventually(status, 200)
    assert len(read) < 4_000 / PAGE


def request_of(headers: dict[str, str]) -> bytes:
    lines = [f"GET {PATH} HTTP/1.1", "host: x", "connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def count_pages(monkeypatch: pytest.MonkeyPatch, store: Store) -> list[int]:
    """The sizes of the pages that exports have read so far."""
    sizes: list[int] = []
    kind = type(store.exports)
    real = kind.pages

    async def pages(self: Any, *arguments: Any) -> AsyncIterator[Any]:
        async for page in real(self, *arguments):
            sizes.append(len(page))
            yield page

    monkeypatch.setattr(kind, "pages", pages)
    return sizes


async def settled(read: list[int]) -> None:
    """Wait until no page was read for half a second."""
    before = -1
    while before != len(read):
        before = len(read)
        await asyncio.sleep(0.5)
