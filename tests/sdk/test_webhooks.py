"""The webhooks of a tenant by the SDK, on a real API, a real dispatcher and a real receiver."""

import asyncio
import inspect
import json
import pickle
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx
import pytest

from tests.api.conftest import serving
from tests.sdk.scripted import Ask, Server, answer, refusal
from tests.support.ports import free_port
from tests.support.receivers import Receiver, receiving, status
from tidings import (
    AsyncTidings,
    ConnectionFailedError,
    InvalidArgumentError,
    InvalidRequestError,
    NotFoundError,
    Pages,
    StorageUnavailableError,
    Tidings,
    WebhookDelivery,
    verify_webhook,
)
from tidings_workers.config import Settings
from tidings_workers.registry import Registry
from tidings_workers.store import Store

URL = "https://shop.example/hooks"
Call = Callable[..., Any]


class Running(NamedTuple):
    """A running service with a client of one kind, and its store. `call` runs a call of `webhooks`."""

    call: Call
    store: Store

    async def write(self) -> None:
        """Write an event."""
        assert await self.store.events.append("demo", "ana", "message.received", b'{"user":"ana"}')

    async def listed(self, webhook: str, number: int = 1, **options: Any) -> list[WebhookDelivery]:
        """Wait until there are so many deliveries."""
        async with asyncio.timeout(30):
            while True:
                found: list[WebhookDelivery] = await self.call("deliveries", webhook, **options)
                if len(found) >= number:
                    return found
                await asyncio.sleep(0.05)


@pytest.fixture(params=["blocking", "async"])
async def running(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Running]:
    settings = Settings(redis_url=redis_url, port=free_port(), drain_seconds=3, egress_networks="127.0.0.0/8")
    store = await Store.open(settings, name="test")
    registry = Registry(store.redis)
    await registry.create_tenant("demo")
    key, url = await registry.create_key("demo"), f"http://127.0.0.1:{settings.port}"

    async with serving(settings), AsyncTidings(url, key=key) as waiting:
        with Tidings(url, key=key) as blocking:

            async def call(name: str, *arguments: Any, **options: Any) -> Any:
                if request.param == "blocking":

                    def run() -> Any:
                        found = getattr(blocking.webhooks, name)(*arguments, **options)
                        return list(found) if isinstance(found, Pages) else found

                    return await asyncio.to_thread(run)
                found = getattr(waiting.webhooks, name)(*arguments, **options)
                return await found if inspect.isawaitable(found) else [each async for each in found]

            yield Running(call, store)
    await store.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


async def test_settings(running: Running) -> None:
    """A webhook is created, read, changed, rotated and deleted; only two results have a secret."""
    call = running.call
    made = await call("create", URL, "user.*", description="mine")
    assert made.secret.startswith("whsec_")
    assert made.secret not in repr(made)
    assert (made.url, made.events, made.description, made.enabled) == (URL, ("user.*",), "mine", True)
    assert made.created_at.tzinfo is not None
    found = await call("get", made.id)
    assert found.to_dict() == {name: value for name, value in made.to_dict().items() if name != "secret"}
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301 - its own
    assert await call("list") == [found]
    changed = await call("update", made.id, events=["user.online", "*"], enabled=False)
    assert (changed.events, changed.enabled, changed.url) == (("user.online", "*"), False, URL)
    assert changed.description == "mine"
    assert (await call("update", made.id, description="")).description == ""
    rotated = await call("rotate", made.id)
    assert rotated.secret != made.secret
    for _ in range(2):
        await call("delete", made.id)
    assert await call("list") == []
    for name in ("get", "update", "rotate", "test"):
        with pytest.raises(NotFoundError):
            await call(name, made.id)


async def test_deliveries(running: Running, receiver: Receiver) -> None:
    """A failed delivery is listed with its attempts and retried; a replay sends it again."""
    call = running.call
    receiver.answer = status("500 Internal Server Error")
    made = await call("create", receiver.url, ["message.received"])
    outcome = await call("test", made.id)
    assert (outcome.succeeded, outcome.status, outcome.error) == (False, 500, "status 500")
    began = datetime.now(UTC) - timedelta(seconds=1)
    await running.write()
    [pending] = await running.listed(made.id, status="pending")
    assert (pending.type, pending.status) == ("message.received", "pending")
    assert pending.next_try_at is not None
    assert pending.next_try_at > pending.timestamp >= began
    assert pending.attempts[0].status == 500
    receiver.answer = status("200 OK")
    await call("retry", made.id, pending.id)
    [succeeded] = await running.listed(made.id, status="succeeded")
    assert [attempt.status for attempt in succeeded.attempts] == [500, 200]
    assert succeeded.attempts[1].error is None
    assert json.loads(json.dumps(succeeded.to_dict()))["attempts"][1]["status"] == 200
    with pytest.raises(InvalidRequestError, match="replay"):
        await call("retry", made.id, pending.id)
    with pytest.raises(NotFoundError):
        await call("retry", made.id, "evt_1")
    number = len(receiver.received)
    await call("replay", made.id, since=began, until=datetime.now(UTC))
    await receiver.count(number + 1)
    last = receiver.received[-1]
    assert last.id == pending.id
    assert verify_webhook(last.headers, last.body, made.secret)["type"] == "message.received"
    assert (await call("test", made.id)).succeeded


async def test_pages_of_deliveries(running: Running, receiver: Receiver) -> None:
    """Deliveries are read page by page, each once, up to the limit."""
    made = await running.call("create", receiver.url, "*")
    for _ in range(7):
        await running.write()
    found = await running.listed(made.id, 7, page_size=3)
    assert len({delivery.id for delivery in found}) == 7
    assert [each.timestamp for each in await running.call("deliveries", made.id, limit=2, page_size=1)] == [
        each.timestamp for each in found[:2]
    ]


async def test_a_url_that_cannot_be_used(running: Running) -> None:
    """A refused field is an error that names it."""
    with pytest.raises(InvalidRequestError) as raised:
        await running.call("create", "http://10.0.0.1/", "*")
    assert [error.pointer for error in raised.value.errors] == ["#/url"]


WRONG: dict[str, Callable[[Any], Any]] = {
    "no type": lambda c: c.webhooks.create(URL, []),
    "no id": lambda c: c.webhooks.get("a/b"),
    "no delivery": lambda c: c.webhooks.retry("wh_1", "a/b"),
    "no status": lambda c: c.webhooks.deliveries("wh_1", status="lost"),
    "no time zone": lambda c: c.webhooks.replay("wh_1", since=datetime(2026, 1, 1)),  # noqa: DTZ001
    "an earlier end": lambda c: c.webhooks.replay(
        "wh_1", since=datetime(2026, 1, 2, tzinfo=UTC), until=datetime(2026, 1, 1, tzinfo=UTC)
    ),
}


@pytest.mark.parametrize("name", WRONG)
async def test_wrong_arguments(ask: Ask, name: str) -> None:
    """A wrong argument is an error before any request."""
    server = Server()
    with pytest.raises(InvalidArgumentError):
        await ask(server, WRONG[name])
    assert server.requests == []


@pytest.mark.parametrize("name", ["create", "rotate"])
async def test_a_lost_answer(ask: Ask, name: str) -> None:
    """A call that makes a secret is sent once when its answer is lost; another one is sent again."""
    arguments = (URL, "*") if name == "create" else ("wh_1",)
    lost = httpx.ReadError
    server = Server(lost, lost)
    with pytest.raises(ConnectionFailedError):
        await ask(server, lambda c: getattr(c.webhooks, name)(*arguments))
    assert len(server.requests) == 1
    unavailable = refusal("storage_unavailable")
    server = Server(unavailable, unavailable)
    with pytest.raises(StorageUnavailableError):
        await ask(server, lambda c: getattr(c.webhooks, name)(*arguments))
    assert len(server.requests) == 1
    server = Server(lost, answer(204))
    await ask(server, lambda c: c.webhooks.delete("wh_1"))
    assert len(server.requests) == 2
