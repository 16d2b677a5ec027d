"""Sending more messages than fit into one request, with both clients."""

import json
import pickle
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from tests.sdk.gateway import KEY
from tests.sdk.scripted import Server, answer, refusal
from tidings import (
    APIError,
    AsyncTidings,
    BatchResult,
    InvalidArgumentError,
    SendProgress,
    StorageUnavailableError,
    Tidings,
)
from tidings.protocol import limits


class Accepting:
    """An API that accepts every batch, answers with titles as ids, and keeps the requests."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.keys: list[str] = []
        self.lost = 0
        self._lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request, as a transport of httpx."""
        titles = [message["title"] for message in json.loads(request.content)["notifications"]]
        with self._lock:
            self.keys.append(request.headers["Idempotency-Key"])
            self.batches.append(titles)
            lost, self.lost = self.lost > 0, max(self.lost - 1, 0)
        if lost:
            raise httpx.ReadError("it broke")
        results = [{"id": f"n{title}", "status": "accepted"} for title in titles]
        return httpx.Response(202, json={"results": results})


def message(number: int, **more: Any) -> dict[str, Any]:
    return {"to_users": ["ana"], "title": str(number), **more}


def blocking(api: Any, messages: Any, **options: Any) -> list[BatchResult]:
    with Tidings("http://api", key=KEY, transport=httpx.MockTransport(api)) as client:
        client._sleep = lambda _: None
        return list(client.send_many(messages, **options))


async def in_loop(api: Any, messages: Any, **options: Any) -> list[BatchResult]:
    async with AsyncTidings("http://api", key=KEY, transport=httpx.MockTransport(api)) as client:

        async def sleep(_: float) -> None:
            pass

        client._sleep = sleep
        return [result async for result in client.send_many(messages, **options)]


@pytest.fixture(params=["blocking", "async"])
def send_many(request: pytest.FixtureRequest) -> Any:
    async def run(api: Any, messages: Any, **options: Any) -> list[BatchResult]:
        if request.param == "blocking":
            return blocking(api, messages, **options)
        return await in_loop(api, messages, **options)

    return run


async def test_any_number_is_sent_in_order(send_many: Any) -> None:
    """2,500 messages of a generator are sent in three requests, and each result has its index."""
    api = Accepting()
    results = await send_many(api, (message(number) for number in range(2_500)))
    assert [(result.index, result.id) for result in results] == [(n, f"n{n}") for n in range(2_500)]
    assert sorted(len(batch) for batch in api.batches) == [500, 1_000, 1_000]


async def test_large_messages_fill_a_request_sooner(send_many: Any) -> None:
    """No request is larger than 4 MB."""
    api = Accepting()
    results = await send_many(api, (message(number, body="x" * 30_000) for number in range(300)))
    assert all(result.ok for result in results)
    assert sorted(len(batch) for batch in api.batches) == [22, 139, 139]


async def test_each_message_is_accepted_or_refused_alone(send_many: Any) -> None:
    """A message that is not valid has an error as its result, and the others are sent."""
    api = Accepting()
    bad = [
        {"to_users": ["a b"], "title": "id"},
        {"user": "ana", "title": "key"},
        "no dict",
        {"title": "target"},
    ]
    results = await send_many(api, [message(0), *bad, message(5)])
    assert [result.ok for result in results] == [True, False, False, False, False, True]
    assert [result.index for result in results] == list(range(6))
    assert all(isinstance(result.error, InvalidArgumentError) for result in results[1:5])
    assert "Did you mean 'to_users'?" in str(results[2].error)
    assert api.batches == [["0", "5"]]
    assert [result.status for result in results[:2]] == ["accepted", "refused"]


async def test_nothing_is_sent_where_nothing_is_valid(send_many: Any) -> None:
    """A batch with only invalid messages sends no request."""
    api = Accepting()
    results = await send_many(api, [{"title": "no target"}] * 3)
    assert [result.ok for result in results] == [False] * 3
    assert api.batches == []


async def test_a_lost_answer_repeats_its_batch_under_its_key(send_many: Any) -> None:
    """Each batch has its own idempotency key, which is the same on every try."""
    api = Accepting()
    api.lost = 2
    results = await send_many(api, (message(number) for number in range(2_000)), concurrency=1)
    assert [result.id for result in results] == [f"n{number}" for number in range(2_000)]
    assert len(api.keys) == 4
    assert len(set(api.keys)) == 2


async def test_an_interrupted_run_can_be_repeated(send_many: Any) -> None:
    """The same messages with the same key make the same batches with the same keys."""
    api = Accepting()
    for _ in range(2):
        await send_many(api, (message(n) for n in range(1_500)), concurrency=1, idempotency_key="import-7")
    assert api.keys == ["import-7:0", "import-7:1000"] * 2
    assert api.batches[:2] == api.batches[2:]


async def test_a_refused_batch_raises_after_the_results_before_it(send_many: Any) -> None:
    """A refusal of a whole batch is raised after the results of the batches before it."""
    results = [{"id": str(number), "status": "accepted"} for number in range(1_000)]
    server = Server(answer(202, {"results": results}), refusal("insufficient_scope"))
    with pytest.raises(APIError, match="insufficient_scope"):
        await send_many(server, (message(number) for number in range(1_001)), concurrency=1)


def test_no_more_is_read_than_can_be_sent() -> None:
    """An endless generator is read at most a few batches ahead of the results that are taken."""
    read = 0

    def endless() -> Iterator[dict[str, Any]]:
        nonlocal read
        while True:
            read += 1
            yield message(read)

    with Tidings("http://api", key=KEY, transport=httpx.MockTransport(Accepting())) as client:
        results = client.send_many(endless(), concurrency=2)
        assert read == 0
        assert next(results).id == "n1"
        assert read <= 3_000
        results.close()  # type: ignore[attr-defined]


async def test_an_async_iterable_is_accepted() -> None:
    """The async client sends the messages of an async generator."""

    async def rows() -> AsyncIterator[dict[str, Any]]:
        for number in range(1_001):
            yield message(number)

    api = Accepting()
    results = await in_loop(api, rows())
    assert [result.index for result in results] == list(range(1_001))
    assert len(api.batches) == 2


async def test_progress_may_be_a_callable(send_many: Any) -> None:
    """A callable gets the numbers of answered, refused and all messages after each batch."""
    progress: list[SendProgress] = []
    messages = [message(number) for number in range(1_999)] + [{"title": "no target"}]
    await send_many(Accepting(), messages, progress=progress.append)
    assert progress == [SendProgress(1_000, 0, 2_000), SendProgress(2_000, 1, 2_000)]


def test_progress_is_shown_with_rich(capsys: pytest.CaptureFixture[str]) -> None:
    """`progress=True` shows a bar on stderr, and nothing on stdout."""
    blocking(Accepting(), [message(number) for number in range(1_500)], progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "1500/1500" in err


def test_progress_is_text_without_rich(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `tidings[cli]` the progress is a line of text."""
    monkeypatch.setitem(__import__("sys").modules, "rich.console", None)
    blocking(Accepting(), [*(message(number) for number in range(1_500)), {}], progress=True)
    assert capsys.readouterr().err == "1,500 of 1,501 sent, 1 refused\n"


@pytest.mark.parametrize(
    "options", [{"concurrency": 0}, {"idempotency_key": ""}, {"idempotency_key": "x" * 255}]
)
def test_wrong_options_are_refused_at_once(options: dict[str, Any]) -> None:
    """Wrong options raise in the call, not at the first result."""
    with Tidings("http://api", key=KEY) as client, pytest.raises(InvalidArgumentError):
        client.send_many([], **options)


def test_too_many_messages_for_a_batch_names_send_many() -> None:
    """`send_batch` refuses 1,001 messages, and the error names `send_many`."""
    with Tidings("http://api", key=KEY) as client, pytest.raises(InvalidArgumentError, match="send_many"):
        client.send_batch([message(number) for number in range(limits.BATCH_NOTIFICATIONS + 1)])


def test_a_result_is_plain_and_pickles() -> None:
    """A result can be pickled and turned into a dict, its error included."""
    (good, bad) = blocking(Accepting(), [message(0), {"title": "no target"}])
    assert good.to_dict() == {"index": 0, "id": "n0", "status": "accepted"}
    assert pickle.loads(pickle.dumps(good)) == good  # noqa: S301 - our own
    assert bad.to_dict()["error"]["code"] == "invalid_argument"
    assert str(pickle.loads(pickle.dumps(bad)).error) == str(bad.error)  # noqa: S301


def test_a_long_outage_is_raised() -> None:
    """An outage longer than the retries ends the iteration with its error."""
    with pytest.raises(StorageUnavailableError):
        blocking(Server(*(refusal("storage_unavailable") for _ in range(9))), [message(0)])


@pytest.mark.parametrize("messages", [{"to_users": ["ana"], "title": "Hi"}, "Hi"])
async def test_a_single_message_is_no_batch(messages: Any) -> None:
    """A single message instead of a list raises, and its keys are not taken for messages."""
    with Tidings("http://api", key=KEY) as client:
        with pytest.raises(InvalidArgumentError, match="The messages are not a list"):
            client.send_batch(messages)
        with pytest.raises(InvalidArgumentError, match="The messages are not a list"):
            list(client.send_many(messages))
    async with AsyncTidings("http://api", key=KEY) as client:
        with pytest.raises(InvalidArgumentError, match="The messages are not a list"):
            await client.send_batch(messages)
        with pytest.raises(InvalidArgumentError, match="The messages are not a list"):
            [result async for result in client.send_many(messages)]
