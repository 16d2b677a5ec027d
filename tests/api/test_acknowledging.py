"""Acknowledging by REST, for clients whose connection carries nothing back."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import Bearer
from tests.support.rest import join, send
from tests.support.sending import eventually
from tidings_workers.store import Store

ACK = "/v1/me/ack"


@pytest.fixture
def sender(bearer: Bearer) -> dict[str, str]:
    return bearer("send read groups")


@pytest.fixture
def ana(bearer: Bearer) -> dict[str, str]:
    return bearer("inbox", subject="ana")


async def known(store: Store, device: str) -> dict[str, int] | None:
    """The stored positions of a device of ana; None for an unknown one."""
    resume = (await store.feeds.attach("w1", store.keys.user("demo", "ana"), device)).device
    return resume.positions if resume is not None else None


async def test_a_device_moves_forward(
    api: httpx.AsyncClient, sender: dict[str, str], ana: dict[str, str], store: Store
) -> None:
    """Positions of a device move forward only, are cut to the end of their log, and others are kept."""
    await join(api, sender, "team", "ana")
    for to in ({"users": ["ana"]}, {"groups": ["team"]}, {"all": True}) * 2:
        await send(api, sender, to)

    async def ack(**positions: int) -> None:
        named = {log.replace("_", ":"): position for log, position in positions.items()}
        answer = await api.post(ACK, json={"positions": named, "device": "phone"}, headers=ana)
        assert (answer.status_code, answer.content) == (204, b"")

    await ack(user=1, group_other=7, topic_news=3)
    # A new device begins at the ends of the logs that are not named.
    assert await known(store, "phone") == {"user": 1, "all": 2, "group:team": 2}
    await ack(user=10**15, group_team=0, nothing=1)
    assert await known(store, "phone") == {"user": 2, "all": 2, "group:team": 2}
    await ack(user=1)
    assert await known(store, "phone") == {"user": 2, "all": 2, "group:team": 2}


async def test_it_counts_as_delivered(
    api: httpx.AsyncClient, sender: dict[str, str], ana: dict[str, str]
) -> None:
    """Everything up to a position counts as delivered, once, without a device too."""
    ids = [await send(api, sender, {"users": ["ana"]}) for _ in range(3)]
    for _ in range(2):
        assert (await api.post(ACK, json={"positions": {"user": 2}}, headers=ana)).status_code == 204

    async def delivered() -> list[int]:
        answers = [(await api.get(f"/v1/notifications/{each}", headers=sender)).json() for each in ids]
        return [answer["receipts"]["delivered"] for answer in answers]

    await eventually(delivered, [1, 1, 0])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/positions"),
        ({"positions": {"user": -1}}, "#/positions/user"),
        ({"positions": {"user": "1"}}, "#/positions/user"),
        ({"positions": {}, "device": "a/b"}, "#/device"),
        ({"positions": {}, "more": 1}, "#/more"),
    ],
)
async def test_wrong_bodies(
    api: httpx.AsyncClient, ana: dict[str, str], body: dict[str, Any], pointer: str
) -> None:
    """A body that breaks a rule is 422, and names the field."""
    answer = await api.post(ACK, json=body, headers=ana)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


async def test_tickets(api: httpx.AsyncClient, ana: dict[str, str], store: Store) -> None:
    """A ticket has the token with which it was made; it is not cached, and needs the scope inbox."""
    answer = await api.post("/v1/realtime/tickets", json={}, headers=ana)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    made = answer.json()
    assert made["expires_in"] == 30
    assert f"Bearer {await store.tickets.redeem(made['ticket'])}" == next(iter(ana.values()))
    assert await store.tickets.redeem(made["ticket"]) is None
    assert (await api.post("/v1/realtime/tickets", json={"x": 1}, headers=ana)).status_code == 422
