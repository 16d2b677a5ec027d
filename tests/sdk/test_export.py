"""The export and the history in the SDK, on a scripted API and on a real server with an archive."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.api.conftest import populated, serving
from tests.archiver.history import History
from tests.sdk.gateway import KEY
from tests.sdk.scripted import TIME, Ask, Server, answer, refusal
from tests.sdk.shell import finished
from tests.support.ports import free_port
from tests.support.sending import notification
from tidings import (
    APIError,
    AsyncTidings,
    ConnectionFailedError,
    Gap,
    HistoryOnlyError,
    InvalidArgumentError,
    SentNotification,
    StorageUnavailableError,
    Tidings,
    UnreadableAnswerError,
)
from tidings._listen.events import loss_in_words
from tidings_workers.config import Settings
from tidings_workers.store import Store

# Older than every retention here.
DAYS = 400
CONTENT = {"to": {"users": ["ana"]}, "priority": "normal", "created_at": TIME, "accepted_at": TIME}


def line(number: int) -> dict[str, Any]:
    return {"id": f"n{number}", "status": "stored", "title": "x", "stored_at": TIME, **CONTENT}


def lines(*documents: dict[str, Any]) -> httpx.Response:
    text = "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in documents)
    return httpx.Response(200, content=text.encode())


def fault(code: str) -> dict[str, Any]:
    return {"error": refusal(code).json()}


async def test_an_export_yields_each_line_as_a_result(ask: Ask) -> None:
    """`export` asks with the scope `read` and its period, and yields the notifications of the lines."""
    server = Server(lines(line(1), {**line(2), "archived_copy": True}))
    since = datetime(2026, 1, 1, tzinfo=UTC)
    found = await ask(server, lambda client: collected(client.export(since=since)))
    assert [(each.id, each.archived_copy) for each in found] == [("n1", False), ("n2", True)]
    assert found[1].to_dict() == {**line(2), "archived_copy": True}
    assert server.requests[0].url.path == "/base/v1/export/notifications"
    assert dict(server.requests[0].url.params) == {"since": "2026-01-01T00:00:00Z"}
    assert server.scopes() == ["read"]


def collected(found: Any) -> Any:
    """All results, in a list that both kinds of client return."""
    if hasattr(found, "__aiter__"):

        async def collect() -> list[Any]:
            return [each async for each in found]

        return collect()
    return list(found)


async def test_the_problem_of_the_last_line_is_raised(ask: Ask) -> None:
    """The error of an incomplete export has its class, code and request id, and is no retry."""
    server = Server(lines(line(1), fault("storage_unavailable")))
    with pytest.raises(StorageUnavailableError) as refused:
        await ask(server, lambda client: collected(client.export()))
    assert (refused.value.status, refused.value.request_id) == (503, "req-1")
    assert len(server.requests) == 1


async def test_an_export_is_retried_until_its_first_line(ask: Ask) -> None:
    """A refusal that may pass and a lost connection are retried before the answer begins."""
    server = Server(refusal("storage_unavailable"), httpx.ConnectError, lines(line(1)))
    found = await ask(server, lambda client: collected(client.export()))
    assert [each.id for each in found] == ["n1"]
    assert len(server.waits) == 2


async def test_an_answer_of_another_server_is_unreadable(ask: Ask) -> None:
    """A page of HTML, and a last line without its end, raise UnreadableAnswerError."""
    for content in (b"<html>\n", json.dumps(line(1)).encode()):
        with pytest.raises(UnreadableAnswerError):
            await ask(Server(httpx.Response(200, content=content)), lambda client: collected(client.export()))


async def test_a_time_without_a_zone_is_refused_at_once(ask: Ask) -> None:
    """`export`, `sent` and `list` refuse a time without a zone before any request."""
    server, bare = Server(), datetime(2026, 1, 1)  # noqa: DTZ001
    for call in (
        lambda client: client.export(until=bare),
        lambda client: client.sent(since=bare),
        lambda client: client.inbox("ana").list(until=bare),
    ):
        with pytest.raises(InvalidArgumentError, match="time zone"):
            await ask(server, call)
    assert server.requests == []


async def test_a_list_takes_a_period(ask: Ask) -> None:
    """`since` and `until` of the lists are parameters of their requests, in UTC."""
    empty: dict[str, Any] = {"items": [], "next": None, "previous": None, "history": "unavailable"}
    server = Server(answer(200, empty))
    at = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert await ask(server, lambda client: client.sent(since=at, until=at)) == []
    assert dict(server.requests[0].url.params) == dict.fromkeys(("since", "until"), "2026-01-01T00:00:00Z")


async def test_a_page_says_that_the_history_is_away(ask: Ask) -> None:
    """`history` of a page is that of the answer, and `to_dict` has it only where the answer has it."""
    body: dict[str, Any] = {"items": [], "next": None, "previous": None}
    for document in (body, {**body, "history": "unavailable"}):
        page = await ask(Server(answer(200, document)), lambda client: client.sent().page())
        assert page.history == document.get("history")
        assert page.to_dict() == document


async def test_marks_of_old_items_have_their_error(ask: Ask) -> None:
    """`history_only` raises HistoryOnlyError, without a retry."""
    server = Server(refusal("history_only"))
    with pytest.raises(HistoryOnlyError):
        await ask(server, lambda client: client.inbox("ana").mark_read(["n1"]))
    assert issubclass(HistoryOnlyError, APIError)


class Cut(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A stream that breaks after its first line."""

    def __iter__(self) -> Iterator[bytes]:
        yield json.dumps(line(1), separators=(",", ":")).encode() + b"\n"
        raise httpx.RemoteProtocolError("peer closed connection")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for each in self:
            yield each


async def test_a_lost_connection_is_raised_after_its_lines() -> None:
    """A connection that breaks in the middle raises ConnectionFailedError, and the export is not repeated."""
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, stream=Cut())

    transport = httpx.MockTransport(respond)
    with Tidings("http://api", key=KEY, transport=transport) as client:
        found = client.export()
        assert next(found).id == "n1"
        with pytest.raises(ConnectionFailedError):
            next(found)
    async with AsyncTidings("http://api", key=KEY, transport=transport) as aclient:
        afound = aclient.export()
        assert (await anext(afound)).id == "n1"
        with pytest.raises(ConnectionFailedError):
            await anext(afound)
    assert len(requests) == 2


@pytest.fixture
async def filled(redis_url: str, tmp_path: Path) -> AsyncIterator[tuple[str, str, list[str], History]]:
    """A server whose tenant sent 250 notifications that are archived and 250 that are live: URL, key, ids."""
    settings = Settings(
        redis_url=redis_url,
        port=free_port(),
        drain_seconds=3,
        archive_url=f"sqlite://{tmp_path / 'history.db'}",
    )
    store = await Store.open(settings, name="test")
    assert store.archive is not None
    await store.archive.migrate()
    key = await (await populated(store)).signing_key("demo")
    assert key is not None
    history, ids = History(store), []
    for _ in range(2):
        batch = [notification("x", users=["ana"], body="y" * 2_000) for _ in range(250)]
        ids += sorted((await store.sends.send("demo", batch)).ids)
        if len(ids) == 250:
            await history.move(DAYS)
    async with serving(settings) as api:
        yield str(api.base_url), f"demo.{key.kid}.{key.secret}", ids, history
    await store.close()


async def test_paging_goes_on_into_the_history(filled: tuple[str, str, list[str], History]) -> None:
    """Iterating over an inbox and over the sent list reaches archived items, each once, and newest first."""
    url, key, ids, _ = filled

    def read() -> tuple[list[Any], list[Any]]:
        with Tidings(url, key=key) as client:
            return list(client.inbox("ana").list(page_size=60)), list(client.sent(page_size=60))

    items, sent = await asyncio.to_thread(read)
    # Within a batch, positions have the order of the batch.
    assert {item.notification.id for item in items} == set(ids)
    assert [item.position for item in items] == list(range(500, 0, -1))
    assert [item.archived_copy for item in items] == [False] * 250 + [True] * 250
    assert {each.id for each in sent} == set(ids)
    assert len(sent) == 500
    async with AsyncTidings(url, key=key) as client:
        found = [item async for item in client.inbox("ana").list(page_size=200)]
        since = found[100].notification.created_at
        period = [item async for item in client.inbox("ana").list(since=since)]
        with pytest.raises(HistoryOnlyError):
            await client.inbox("ana").mark_read(found[-1])
    assert [item.to_dict() for item in found] == [item.to_dict() for item in items]
    assert {item.notification.id for item in period} >= {item.notification.id for item in found[:101]}


async def test_an_export_of_a_real_server(filled: tuple[str, str, list[str], History]) -> None:
    """Both clients get all notifications in order, archived and live; an export may be left early."""
    url, key, ids, _ = filled

    def read() -> list[SentNotification]:
        with Tidings(url, key=key) as client:
            with closing(client.export()) as started:
                assert next(started).id == ids[0]
            return list(client.export())

    found = await asyncio.to_thread(read)
    assert [each.id for each in found] == ids
    assert [each.archived_copy for each in found] == [True] * 250 + [False] * 250
    async with AsyncTidings(url, key=key) as client:
        async with aclosing(client.export()) as begun:
            assert (await anext(begun)).id == ids[0]
        assert [each.id async for each in client.export()] == ids


async def test_an_export_keeps_its_memory(filled: tuple[str, str, list[str], History]) -> None:
    """A client that takes each notification and lets it go keeps a part of the export in memory."""
    url, key, ids, _ = filled
    async with AsyncTidings(url, key=key) as client:
        count = 0
        tracemalloc.start()
        try:
            async for _ in client.export():
                count += 1
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert count == len(ids)
    # The server runs in this process too, with a page of 200 at most.
    assert most < 4_000_000


async def test_the_command_writes_lines(filled: tuple[str, str, list[str], History], tmp_path: Path) -> None:
    """`tidings export` writes one JSON object per line, to its output or to a file, and nothing else."""
    url, key, ids, _ = filled
    code, out, err = await finished("export", "--key", key, url=url)
    assert (code, err) == (0, "")
    assert [json.loads(each)["id"] for each in out.splitlines()] == ids
    target = tmp_path / "all.ndjson"
    code, out, err = await finished("export", "--key", key, "--output", str(target), url=url)
    assert (code, out, err) == (0, "", "")
    assert [json.loads(each)["id"] for each in target.read_text().splitlines()] == ids
    code, out, _ = await finished(
        "export", "--key", key, "--since", "2001-01-01", "--until", "2001-01-02", url=url
    )
    assert (code, out) == (0, "")


def test_a_gap_says_whether_the_lists_have_it() -> None:
    """`history` of a gap is that of the frame, also in its line of text, and absent without it."""
    frame = {"type": "gap", "log": "user", "from": 1, "to": 4, "missed": 4, "reason": "expired"}
    for document, kept in ((frame, False), ({**frame, "history": True}, True)):
        gap = msgspec.json.decode(json.dumps(document), type=Gap)
        assert gap.history is kept
        assert ("lists of the API have them" in loss_in_words(gap)) is kept
        assert json.loads(msgspec.json.encode(gap)) == document
