"""Users through the API: presence, closing connections, and erasing."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from tests.api.conftest import Bearer
from tests.support.ports import free_port
from tests.support.realtime import Realtime, running_gateway
from tests.support.sending import eventually
from tidings_workers.config import Settings


@pytest.fixture
async def realtime(settings: Settings, bearer: Bearer) -> AsyncIterator[Realtime]:
    """A running gateway."""
    port = free_port()

    def token(user: str, *, tenant: str = "demo") -> str:
        return bearer("inbox", tenant=tenant, subject=user)["authorization"].removeprefix("Bearer ")

    async with running_gateway(replace(settings, realtime_port=port)):
        yield Realtime(port, token)


async def test_presence(api: httpx.AsyncClient, bearer: Bearer, realtime: Realtime) -> None:
    """A user is online with devices and times, offline with the last time seen, or was never connected."""
    path, reading = "/v1/users/ana/presence", bearer("read")

    async def look() -> Any:
        answer = await api.get(path, headers=reading)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, no-cache")
        return answer.json()

    assert await look() == {"online": False, "connections": [], "last_seen_at": None}
    began = datetime.now(UTC).replace(microsecond=0)
    async with realtime.user("ana", device="phone") as phone, realtime.user("ana") as tab:
        seen = await look()
        assert seen["online"]
        assert [(row["connection"], row["device"]) for row in seen["connections"]] == [
            (phone.frames[0]["connection"], "phone"),
            (tab.frames[0]["connection"], None),
        ]
        times = [seen["last_seen_at"], *(row["connected_at"] for row in seen["connections"])]
        assert all(began <= datetime.fromisoformat(time) <= datetime.now(UTC) for time in times)
        other = await api.get(path, headers=bearer("read", tenant="other"))
        assert not other.json()["online"]

    async def offline() -> bool:
        return not (await look())["online"]

    await eventually(offline, True)
    assert began <= datetime.fromisoformat((await look())["last_seen_at"]) <= datetime.now(UTC)


async def test_disconnecting_a_user(api: httpx.AsyncClient, bearer: Bearer, realtime: Realtime) -> None:
    """All connections of the user are closed with 4005 before the answer, and a repetition does nothing."""
    async with realtime.user("ana") as phone, realtime.user("ana") as tab, realtime.user("bob") as bob:
        for _ in range(2):
            answer = await api.delete("/v1/users/ana/connections", headers=bearer("users"))
            assert (answer.status_code, answer.content) == (204, b"")
            seen = (await api.get("/v1/users/ana/presence", headers=bearer("read"))).json()
            assert not seen["online"]
            assert seen["last_seen_at"] is not None
        assert [await client.closed() for client in (phone, tab)] == [4005, 4005]
        assert await bob.settle() == []


async def test_disconnecting_one_connection(
    api: httpx.AsyncClient, bearer: Bearer, realtime: Realtime
) -> None:
    """One connection is closed by its id; afterwards, and for another tenant, it is not found."""
    async with realtime.user("ana") as phone, realtime.user("ana") as tab:
        path = f"/v1/connections/{phone.frames[0]['connection']}"
        for where, tenant, status in (
            (path, "other", 404),
            ("/v1/connections/nothing", "demo", 404),
            (path, "demo", 204),
            (path, "demo", 404),
        ):
            answer = await api.delete(where, headers=bearer("users", tenant=tenant))
            assert answer.status_code == status
            assert status == 204 or answer.json()["code"] == "not_found"
        assert await phone.closed() == 4005
        assert await tab.settle() == []


async def test_erasing(api: httpx.AsyncClient, bearer: Bearer, realtime: Realtime) -> None:
    """Clients are closed with 4005 and all data is removed before the answer, and a resume gets a gap."""
    sending, reading, users = bearer("send"), bearer("read"), bearer("users")
    await api.put("/v1/groups/team/members/ana", headers=bearer("groups"))
    for to in ({"users": ["ana"]}, {"users": ["ana", "bob"]}, {"groups": ["team"]}):
        body = {"to": to, "title": "hello"}
        assert (await api.post("/v1/notifications", json=body, headers=sending)).status_code == 202

    async def inbox() -> Any:
        return (await api.get("/v1/users/ana/notifications", headers=reading)).json()

    async def count() -> int:
        return len((await inbox())["items"])

    await eventually(count, 3)
    before = await inbox()
    resume = {"epoch": before["epoch"], "positions": {}}
    async with realtime.user("ana", device="phone", resume=resume) as phone, realtime.user("ana") as tab:
        await phone.until("caught_up")
        await phone.send("ack", positions={"user": 2, "group:team": 1})
        await tab.send("mark", ids=[before["items"][0]["notification"]["id"]], state="read")
        await tab.expect("state")
        answer = await api.delete("/v1/users/ana", headers=users)
        assert answer.status_code == 200
        erased = answer.json()
        assert datetime.fromisoformat(erased.pop("erased_at")) <= datetime.now(UTC)
        assert erased == {
            "user": "ana", "notifications": 2, "marks": 1, "memberships": 1, "devices": 1, "connections": 2,
        }  # fmt: skip
        assert [await client.closed() for client in (phone, tab)] == [4005, 4005]
    after = await inbox()
    assert (after["items"], after["positions"]) == ([], {"user": 2, "all": 0})
    assert after["counts"]["version"] > before["counts"]["version"]
    seen = (await api.get("/v1/users/ana/presence", headers=reading)).json()
    assert seen == {"online": False, "connections": [], "last_seen_at": None}
    again = (await api.delete("/v1/users/ana", headers=users)).json()
    assert {name: again[name] for name in erased if name != "user"} == dict.fromkeys(list(erased)[1:], 0)
    async with realtime.user("ana", resume=resume) as ana:
        gap = await ana.expect("gap")
        assert gap == {"type": "gap", "log": "user", "from": 1, "to": 2, "missed": 2, "reason": "trimmed"}
        await ana.expect("caught_up")
        body = {"to": {"users": ["ana"]}, "title": "anew"}
        await api.post("/v1/notifications", json=body, headers=sending)
        frame = await ana.expect("notification")
        assert (frame["position"], frame["notification"]["title"]) == (3, "anew")
