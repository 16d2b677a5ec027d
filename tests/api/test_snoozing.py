"""Snoozes by REST: lists, counts and answers; and each fault has a code and names its field."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.api.conftest import Bearer
from tests.support.realtime import running_dispatcher
from tests.support.rest import send
from tests.support.sending import eventually
from tidings_workers.config import Settings
from tidings_workers.store import Store

ME = "/v1/me/notifications"


@pytest.fixture
def sender(bearer: Bearer) -> dict[str, str]:
    return bearer("send read users")


@pytest.fixture
def ana(bearer: Bearer) -> dict[str, str]:
    return bearer("inbox", subject="ana")


@pytest.fixture
async def working(settings: Settings, store: Store) -> AsyncIterator[None]:
    """A running dispatcher."""
    async with running_dispatcher(settings):
        yield


def ahead(**of: float) -> str:
    """A time ahead of now, in RFC 3339."""
    return (datetime.now(UTC) + timedelta(**of)).isoformat(timespec="milliseconds")


async def snooze(
    api: httpx.AsyncClient, headers: dict[str, str], path: str = ME, **body: Any
) -> httpx.Response:
    """Snooze."""
    return await api.post(f"{path}/snooze", json=body, headers=headers)


async def listed(
    api: httpx.AsyncClient, headers: dict[str, str], state: str | None = None
) -> list[dict[str, Any]]:
    """The items of a list of the own inbox."""
    query = {} if state is None else {"state": state}
    found: list[dict[str, Any]] = (await api.get(ME, params=query, headers=headers)).json()["items"]
    return found


async def test_snooze_and_return(api: httpx.AsyncClient, sender: dict[str, str], ana: dict[str, str]) -> None:
    """A snoozed item is only in its own list, with its time, and in no count until the snooze is ended."""
    identity = await send(api, sender, {"users": ["ana"]})
    (item,) = await listed(api, ana)
    assert item["snoozed_until"] is None
    answer = await snooze(api, ana, ids=[identity, "nothing"], until=ahead(hours=1))
    assert answer.status_code == 200
    assert answer.json() == {
        "changed": 1,
        "counts": {"unseen": 0, "unread": 0, "version": 2},
        "unknown": ["nothing"],
    }
    assert await listed(api, ana) == []
    (item,) = await listed(api, ana, "snoozed")
    assert (item["notification"]["id"], item["state"]) == (identity, "unseen")
    until = datetime.fromisoformat(item["snoozed_until"])
    assert timedelta(minutes=59) < until - datetime.now(UTC) <= timedelta(hours=1, milliseconds=1)
    answer = await snooze(api, sender, "/v1/users/ana/notifications", ids=[identity], until=None)
    assert answer.json() == {"changed": 1, "counts": {"unseen": 1, "unread": 1, "version": 3}}
    (item,) = await listed(api, ana)
    assert item["snoozed_until"] is None
    assert await listed(api, ana, "snoozed") == []


async def test_an_item_returns(
    api: httpx.AsyncClient, sender: dict[str, str], ana: dict[str, str], working: None
) -> None:
    """At its time an item is back as unseen, without a connected client."""
    identity = await send(api, sender, {"users": ["ana"]})
    await api.post(f"{ME}/mark", json={"ids": [identity], "state": "read"}, headers=ana)
    await snooze(api, ana, ids=[identity], until=ahead(milliseconds=200))

    async def states() -> list[str]:
        return [item["state"] for item in await listed(api, ana)]

    await eventually(states, ["unseen"])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"ids": ["a"], "until": "2020-01-01T00:00:00Z"}, "#/until"),
        ({"ids": ["a"], "until": ahead(days=367)}, "#/until"),
        ({"ids": ["a"], "until": "2030-01-01T00:00:00"}, "#/until"),
        ({"ids": ["a"], "until": "tomorrow"}, "#/until"),
        ({"ids": ["a"], "until": 5}, "#/until"),
        ({"ids": ["a"]}, "#/until"),
        ({"until": None}, "#/ids"),
        ({"ids": ["a"] * 1001, "until": None}, "#/ids"),
        ({"ids": [5], "until": None}, "#/ids/0"),
        ({"ids": ["a"], "until": None, "state": "read"}, "#/state"),
    ],
    ids=["past", "far", "no-zone", "no-time", "number", "no-until", "no-ids", "many", "no-id", "unknown"],
)
async def test_faults(
    api: httpx.AsyncClient, ana: dict[str, str], body: dict[str, Any], pointer: str
) -> None:
    """A request that is not valid gets 422 invalid_request, with the place of its fault."""
    answer = await snooze(api, ana, **body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


async def test_scopes(api: httpx.AsyncClient, bearer: Bearer, ana: dict[str, str]) -> None:
    """A user's token snoozes the own inbox only, and `read` snoozes none."""
    body: dict[str, Any] = {"ids": [], "until": None}
    for path, headers in (
        ("/v1/users/ana/notifications", ana),
        ("/v1/users/ana/notifications", bearer("read send groups")),
        (ME, bearer("users")),
    ):
        answer = await snooze(api, headers, path, **body)
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    assert (await snooze(api, ana, **body)).json()["changed"] == 0
