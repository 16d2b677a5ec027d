"""Sending: accepted requests, their answers, and repetitions."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.api.conftest import Bearer

HELLO: dict[str, Any] = {"to": {"users": ["ana"]}, "title": "Hello"}


async def test_an_accepted_send_can_be_read(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """A send gets 202 with id, status, durability and Location, and can then be read as it was sent."""
    body = HELLO | {"data": {"n": 10**30}, "category": "orders", "link": "/o/1"}
    answer = await api.post("/v1/notifications", json=body, headers=bearer("send"))
    sent = answer.json()
    assert answer.status_code == 202, sent
    assert set(sent) == {"id", "status", "durability", "accepted_at"}
    assert (sent["status"], sent["durability"]) == ("accepted", "everysec")
    assert answer.headers["location"] == f"/v1/notifications/{sent['id']}"
    assert answer.headers["cache-control"] == "private, no-cache"
    found = await api.get(answer.headers["location"], headers=bearer("read"))
    record = found.json()
    assert found.status_code == 200
    assert {name: record[name] for name in body} == body
    assert record["accepted_at"] == sent["accepted_at"]
    assert record["receipts"]["recipients"] == 1


async def test_a_recall_is_idempotent(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """A recall of the same notification answers 204 each time."""
    path = (await api.post("/v1/notifications", json=HELLO, headers=bearer("send"))).headers["location"]
    for _ in range(2):
        assert (await api.delete(path, headers=bearer("send"))).status_code == 204
    assert (await api.get(path, headers=bearer("read"))).json()["status"] == "recalled"


async def test_a_notification_of_another_tenant_is_not_found(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """A notification of another tenant is a 404 for reading and recalling, and stays unchanged."""
    path = (await api.post("/v1/notifications", json=HELLO, headers=bearer("send"))).headers["location"]
    stranger = bearer("send read", tenant="other")
    assert (await api.get(path, headers=stranger)).json()["code"] == "not_found"
    assert (await api.delete(path, headers=stranger)).status_code == 404
    assert (await api.get(path, headers=bearer("read"))).json()["status"] != "recalled"


@pytest.mark.parametrize(
    ("first", "second"), [("k 1", "k 1"), ("k1", '"k1"'), ('"a\\"b"', 'a"b'), ("x" * 255, "x" * 255)]
)
async def test_a_repeated_key_repeats_the_answer(
    api: httpx.AsyncClient, bearer: Bearer, first: str, second: str
) -> None:
    """The same key, quoted or bare, with the same JSON in any order, gives the same id and sends once."""
    headers = bearer("send")
    answer = await api.post("/v1/notifications", json=HELLO, headers=headers | {"Idempotency-Key": first})
    again = await api.post(
        "/v1/notifications",
        content=b'{ "title": "Hel\\u006co", "to": {"users": ["ana"]} }',
        headers=headers | {"Idempotency-Key": second, "content-type": "application/json; charset=utf-8"},
    )
    assert again.status_code == 202, again.text
    assert again.json() == answer.json()
    assert (answer.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (
        None,
        "true",
    )


async def test_a_key_belongs_to_its_body_and_its_tenant(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """Another body under the same key is refused, and the same key of another tenant is another key."""
    key = {"Idempotency-Key": "once"}
    first = await api.post("/v1/notifications", json=HELLO, headers=bearer("send") | key)
    other = await api.post("/v1/notifications", json=HELLO | {"title": "No"}, headers=bearer("send") | key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    elsewhere = await api.post("/v1/notifications", json=HELLO, headers=bearer("send", tenant="other") | key)
    assert elsewhere.json()["id"] != first.json()["id"]


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "a\tb", "ä", '"' + "x" * 256 + '"'])
async def test_an_invalid_key_is_refused(api: httpx.AsyncClient, bearer: Bearer, key: str) -> None:
    """A key that is not 1 to 255 printable ASCII characters is refused, and nothing is sent."""
    headers: Any = [*bearer("send").items(), ("idempotency-key", key.encode())]
    answer = await api.post("/v1/notifications", json=HELLO, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_concurrent_sends_with_one_key_create_one_notification(
    api: httpx.AsyncClient, bearer: Bearer
) -> None:
    """Each of many concurrent sends with one key gets the same id or a 409, and one notification exists."""
    headers = bearer("send") | {"Idempotency-Key": "race"}
    answers = await asyncio.gather(
        *(api.post("/v1/notifications", json=HELLO, headers=headers) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1
    inbox = await api.get("/v1/users/ana/notifications", headers=bearer("read"))
    assert inbox.json()["counts"]["unseen"] == 1


async def test_each_item_of_a_batch_is_checked_separately(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """Valid items of a batch get an id and are sent, invalid ones get their problem in their place."""
    items = [HELLO, {"to": {}}, HELLO | {"body": "x" * 33_000}, HELLO | {"to": {"users": ["a b"]}}, HELLO]
    answer = await api.post("/v1/notifications/batch", json={"notifications": items}, headers=bearer("send"))
    results = answer.json()["results"]
    assert answer.status_code == 202
    assert [result.get("status") or result["error"]["code"] for result in results] == [
        "accepted", "invalid_request", "too_large", "invalid_request", "accepted",
    ]  # fmt: skip
    assert [fault["pointer"] for fault in results[1]["error"]["errors"]] == [
        "#/notifications/1/to",
        "#/notifications/1",
    ]
    assert results[3]["error"]["errors"][0]["pointer"] == "#/notifications/3/to/users/0"
    inbox = (await api.get("/v1/users/ana/notifications", headers=bearer("read"))).json()
    assert [item["notification"]["id"] for item in inbox["items"]] == [results[4]["id"], results[0]["id"]]


async def test_a_key_covers_the_whole_batch(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """A repeated batch gives the same ids and errors, and a changed one is refused."""
    headers = bearer("send") | {"Idempotency-Key": "batch"}
    body = {"notifications": [HELLO, {"to": {}}, HELLO]}
    first = await api.post("/v1/notifications/batch", json=body, headers=headers)
    again = await api.post("/v1/notifications/batch", json=body, headers=headers)
    changed = await api.post(
        "/v1/notifications/batch", json={"notifications": [HELLO, HELLO]}, headers=headers
    )
    assert again.json() == first.json()
    assert changed.json()["code"] == "idempotency_mismatch"


async def test_a_batch_has_limits(api: httpx.AsyncClient, bearer: Bearer) -> None:
    """A batch may have 1,000 notifications and 4 MB, and neither one more nor one byte more."""
    headers = bearer("send")
    full = await api.post("/v1/notifications/batch", json={"notifications": [HELLO] * 1000}, headers=headers)
    assert len(full.json()["results"]) == 1000
    over = await api.post("/v1/notifications/batch", json={"notifications": [HELLO] * 1001}, headers=headers)
    assert over.json()["errors"][0]["pointer"] == "#/notifications"
    big = await api.post(
        "/v1/notifications/batch",
        content=b'{"notifications":[]}' + b" " * (4 * 1024 * 1024),
        headers=headers | {"content-type": "application/json"},
    )
    assert (big.status_code, big.json()["code"]) == (413, "too_large")
