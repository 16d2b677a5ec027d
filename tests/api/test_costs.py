"""Each byte of a request costs a bounded time, for any value."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import httpx
import msgspec
import pytest

from tests.api.conftest import Bearer
from tests.support.costly import MOST_PER_BYTE, VALUES, cost_per_byte
from tidings.protocol import limits
from tidings.protocol.rest import ChangeMembers, CreateBatch, CreateToken, MarkInbox
from tidings_api.assets import _accepts_gzip
from tidings_api.bodies import read_body
from tidings_api.conditional import Condition
from tidings_api.demo.routes import TokenRequest
from tidings_api.idempotency import idempotency
from tidings_api.routes import notifications, sent
from tidings_workers import sending
from tidings_workers.refused import Refused
from tidings_workers.store import StoredNotification
from tidings_workers.store.content import Content, PostedNotification, data_of
from tidings_workers.store.records import parse_record
from tidings_workers.strict_json import BodyDecoder

BYTES = 31_000

_notification = BodyDecoder(PostedNotification)


def finish(work: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine that only rarely pauses, without the cost of an event loop."""
    with suppress(StopIteration):
        while True:
            work.send(None)


def posted(body: bytes) -> None:
    decoded = _notification.decode(body)
    sending.check(decoded)
    data_of(decoded)


def keyed(body: bytes) -> None:
    finish(idempotency("k", "notifications", (_notification.decode(body),)))


def batch(body: bytes) -> None:
    raws = BodyDecoder(CreateBatch, undecoded_parts=True).decode(body).notifications
    for index, raw in enumerate(raws):
        notifications._item(index, raw)


def decoding(type_: type[Any]) -> Callable[[bytes], None]:
    decoder = BodyDecoder(type_)

    def decode(body: bytes) -> None:
        decoder.decode(body)

    return decode


GOOD = b'"to":{"users":["ana"]},"title":"x"'
# Every decoder of bodies, with the places where a client may put any value.
PLACES: dict[str, tuple[Callable[[bytes], None], bytes]] = {
    "data": (posted, b'{%b,"data":{"a":VALUE}}' % GOOD),
    "data with a key": (keyed, b'{%b,"data":{"a":VALUE}}' % GOOD),
    "data that is no object": (posted, b'{%b,"data":VALUE}' % GOOD),
    "title": (posted, b'{"to":{"users":["ana"]},"title":VALUE}'),
    "users": (posted, b'{"to":{"users":VALUE},"title":"x"}'),
    "target": (posted, b'{"to":VALUE}'),
    "priority": (posted, b'{%b,"priority":VALUE}' % GOOD),
    "actions": (posted, b'{%b,"actions":VALUE}' % GOOD),
    "unknown field": (posted, b'{%b,"nope":VALUE}' % GOOD),
    "the whole body": (posted, b"VALUE"),
    "behind the JSON": (posted, b"{%b} VALUE" % GOOD),
    "cut off": (posted, b'{%b,"data":{"a":VALUE' % GOOD),
    "an item of a batch": (batch, b'{"notifications":[{%b,"data":{"a":VALUE}}]}' % GOOD),
    "an item that is too large": (
        batch,
        b'{"notifications":[{%b,"body":"%b","data":{"a":VALUE}}]}' % (GOOD, b"x" * 32_768),
    ),
    "items": (batch, b'{"notifications":VALUE}'),
    "beside the items": (batch, b'{"notifications":[],"nope":VALUE}'),
    "ids to mark": (decoding(MarkInbox), b'{"state":"read","ids":VALUE}'),
    "a state": (decoding(MarkInbox), b'{"state":VALUE}'),
    "positions": (decoding(MarkInbox), b'{"state":"read","up_to":VALUE}'),
    "a position": (decoding(MarkInbox), b'{"state":"read","up_to":{"user":VALUE}}'),
    "members": (decoding(ChangeMembers), b'{"add":VALUE}'),
    "a user": (decoding(CreateToken), b'{"user":VALUE}'),
    "seconds": (decoding(CreateToken), b'{"user":"ana","expires_in":VALUE}'),
    "a role": (decoding(TokenRequest), b'{"role":VALUE}'),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", VALUES)
def test_a_body_costs_a_bounded_time_for_each_byte(value: str, place: str) -> None:
    """A costly value costs a bounded time per byte, at every place and whether it is decoded or refused."""
    run, body = PLACES[place]
    text = body.replace(b"VALUE", VALUES[value](BYTES))

    def attempt() -> None:
        with suppress(Refused):
            run(text)

    assert cost_per_byte(attempt, len(text)) < MOST_PER_BYTE


LISTS = {
    "members before one that is wrong": (ChangeMembers, b'{"add":[%b1]}' % (b'"user-1",' * 9_999)),
    "members behind one that is wrong": (ChangeMembers, b'{"add":[1%b]}' % (b',"user-1"' * 9_999)),
    "members of which many are wrong": (
        ChangeMembers,
        b'{"add":[%b1]}' % (b'1,"user-1","user-2","user-3",' * 2_000),
    ),
    "positions before one that is wrong": (
        MarkInbox,
        b'{"state":"read","up_to":{%b"x":-1}}' % b"".join(b'"group:%d":1,' % n for n in range(4_000)),
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_fault_in_a_long_list_is_found_in_a_bounded_time_for_each_byte(name: str) -> None:
    """The error that names the wrong items of a list costs a bounded time per byte, for any length."""
    type_, body = LISTS[name]
    decode = decoding(type_)

    def attempt() -> None:
        with pytest.raises(Refused):
            decode(body)

    assert cost_per_byte(attempt, len(body)) < MOST_PER_BYTE


@pytest.mark.parametrize("value", VALUES)
def test_a_notification_that_is_listed_costs_a_bounded_time_for_each_byte(value: str) -> None:
    """Listing a notification with costly data costs a bounded time per byte."""
    content = b'{"id":"x","title":"x","data":{"a":%b},"priority":"normal","created_at":"x"}'
    text = content % VALUES[value](BYTES)
    try:
        msgspec.json.decode(text, type=Content)
    except (msgspec.DecodeError, RecursionError):
        return  # such data is never stored
    stored = StoredNotification("x", "stored", b"{}", text, 0, 0, 1, 0, 0, 0, 1)
    assert cost_per_byte(lambda: msgspec.json.encode(sent.as_sent(stored)), len(text)) < MOST_PER_BYTE


HEADERS = {
    "quotes": b'"' * 60_001,
    "weak tags": b"W/" * 30_000,
    "tags": b'"a",' * 15_000,
    "commas": b"," * 60_000,
    "offers": b"gzip;q=0," * 6_000,
    "zeros": b"gzip;q=0." + b"0" * 60_000,
    "blanks": b"gzip" + b" " * 60_000,
    "backslashes": b'"' + b"\\" * 60_000,
}


@pytest.mark.parametrize("value", HEADERS)
def test_a_header_costs_a_bounded_time_for_each_byte(value: str) -> None:
    """Parsing any header costs a bounded time per byte."""
    text = HEADERS[value]

    def attempt() -> None:
        Condition([text]).is_met('W/"x"')
        _accepts_gzip([(b"accept-encoding", text)])
        with suppress(Refused):
            finish(idempotency(text.decode(), "x", ()))

    assert cost_per_byte(attempt, len(text)) < MOST_PER_BYTE


async def test_data_arrives_as_it_was_sent(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """`data` is the sender's own JSON: every answer has its numbers and texts unchanged."""
    data = '{"a":[1e308,-0,1.0,5e-324,12345678901234567890123],"b":"\\u0000\\ud83d\\ude00","a ":{"x":"y"}}'
    spaced = data.replace(",", ",\n\t\r ")
    headers = bearer("send read")
    answer = await api.post(
        "/v1/notifications",
        content=f'{{"to":{{"users":["ana"]}},"data":{spaced}}}',
        headers=headers | {"content-type": "application/json"},
    )
    assert answer.status_code == 202, answer.text
    one = await api.get(answer.headers["location"], headers=headers)
    listed = await api.get("/v1/notifications", headers=headers)
    inbox = await api.get("/v1/users/ana/notifications", headers=headers)
    for text in (one.text, listed.text, inbox.text):
        assert f'"data":{data}'.replace(",", ", ") in text


@pytest.mark.parametrize("value", ["numbers 1e308", "nested objects"])
async def test_other_requests_run_during_a_large_batch(
    api: httpx.AsyncClient, bearer: Bearer, value: str
) -> None:
    """A batch of 4 MB of costly items does not block the event loop for long."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            began = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - began)

    item = b'{%b,"data":{"a":%b}}' % (GOOD, VALUES[value](BYTES))
    body = b'{"notifications":[%b]}' % b",".join([item] * (4_000_000 // len(item)))
    headers = bearer("send") | {"content-type": "application/json", "idempotency-key": "k"}
    watching = asyncio.create_task(watch())
    answer = await api.post("/v1/notifications/batch", content=body, headers=headers)
    watching.cancel()
    assert answer.status_code == 202
    # Client and server share this loop, so the work of both on the whole body counts.
    assert longest < 1


async def test_a_body_in_many_pieces_is_read_in_time_that_grows_with_its_length() -> None:
    """Reading a body of 4 MB in pieces of 64 bytes costs a bounded time per byte."""
    pieces = limits.BATCH_BYTES // 64

    async def read() -> None:
        left = pieces

        async def receive() -> Any:
            nonlocal left
            left -= 1
            return {"type": "http.request", "body": b"x" * 64, "more_body": left > 0}

        assert len(await read_body(receive, {}, limits.BATCH_BYTES)) == limits.BATCH_BYTES

    began = time.thread_time()
    await read()
    assert (time.thread_time() - began) * 1e6 / limits.BATCH_BYTES < MOST_PER_BYTE


def test_data_is_stored_in_one_line() -> None:
    """`data` in several lines is stored in one line, because a record has one line per part."""
    decoded = _notification.decode(b'{%b,"data":{\n\t"a":\r\n1}}' % GOOD)
    assert bytes(data_of(decoded)) == b'{"a":1}'  # type: ignore[arg-type]
    record = b"s" + b"0" * 52 + b'{}\n{"id":"x"}'
    assert parse_record("x", record).content == b'{"id":"x"}'
