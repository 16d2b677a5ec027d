"""A Redis whose users have few rights: all parts work with the documented rights, and with fewer."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.no_tls import NO_TLS
from tests.support.parts import running_parts
from tests.support.ports import free_port
from tests.support.rest import join, send
from tests.support.sending import eventually, notification
from tests.support.stack import Installation
from tests.support.tree import ROOT
from tests.support.valkey import Valkey, running
from tidings_workers.config import Settings
from tidings_workers.store import Store

SCOPES = "send read groups users tokens"


def documented() -> list[str]:
    """The ACL rule of docs/operations.md as words, without its name and password."""
    text = (ROOT / "docs" / "operations.md").read_text()
    found = re.search(r"^ACL SETUSER tidings on >PASSWORD (.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found
    return found[1].split()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    with running(tmp_path, free_port()) as started:
        yield started


def url_of(server: Valkey, rules: list[str]) -> str:
    """The URL of the store for a user with these rights."""
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "poor", "on", ">secret", *rules)
    return server.url.replace("redis://", "redis://poor:secret@")


async def work(at: Installation) -> None:
    """Use every function once."""
    headers = {"authorization": f"Bearer {at.token('service', SCOPES)}"}
    async with httpx.AsyncClient(base_url=at.api, trust_env=False, timeout=10, verify=NO_TLS) as api:
        await join(api, headers, "team", "ana", "bob", "eve")
        first = await send(api, headers, {"users": ["ana"]}, category="x")
        for to in (
            {"groups": ["team"], "exclude": ["eve"]},
            {"all": True},
            {"users": ["bob"], "groups": ["team"]},
        ):
            last = await send(api, headers, to)

        async def stored() -> str:
            return str((await api.get(f"/v1/notifications/{last}", headers=headers)).json()["status"])

        await eventually(stored, "stored")
        answers = [
            await api.get("/v1/users/ana/notifications", params={"category": "x"}, headers=headers),
            await api.post(
                "/v1/users/ana/notifications/mark", json={"all": True, "state": "read"}, headers=headers
            ),
            await api.get(f"/v1/notifications/{first}/receipts", headers=headers),
            await api.get("/v1/notifications", headers=headers),
            await api.get("/v1/groups/team/members", headers=headers),
            await api.get("/v1/users/ana/groups", headers=headers),
            await api.get("/v1/users/ana/presence", headers=headers),
            await api.delete(f"/v1/notifications/{first}", headers=headers),
            await api.delete("/v1/users/ana/connections", headers=headers),
            await api.delete("/v1/users/bob", headers=headers),
            await api.delete("/v1/groups/team", headers=headers),
            await api.get("/health/ready"),
        ]
    assert [answer.text for answer in answers if not answer.is_success] == []


def test_the_documented_rights_are_enough(server: Valkey) -> None:
    """All parts and the operator's commands work for a user with exactly the documented rights."""
    with running_parts(url_of(server, documented())) as parts:
        asyncio.run(work(parts.installation))
    with server.client() as client:
        refused = client.execute_command("ACL", "LOG")
    assert [entry for entry in refused if b"poor" in str(entry).encode()] == []


async def test_a_store_loads_its_scripts_without_asking_for_them(server: Valkey) -> None:
    """A user who may load scripts, but not ask which are loaded, opens a store, also for a second time."""
    rules = [rule for rule in documented() if rule != "+script|exists"]
    assert len(rules) < len(documented())
    for _ in range(2):
        store = await Store.open(Settings(redis_url=url_of(server, rules)), name="test")
        try:
            await store.sends.send("demo", [notification("x", users=["ana"])])
        finally:
            await store.close()


def test_every_command_is_documented() -> None:
    """The documented rule allows each command that scripts and modules call, also rare ones."""
    allowed = {word[1:].split("|")[0] for word in documented() if word.startswith("+")}
    called = set()
    for path in (ROOT / "workers" / "tidings_workers").rglob("*.lua"):
        called |= set(re.findall(r"redis\.p?call\(\s*['\"]([A-Za-z]+)['\"]", path.read_text()))
    for path in (ROOT / "workers" / "tidings_workers").rglob("*.py"):
        called |= set(re.findall(r"\bcall\(\s*\"([A-Z]+)\"", path.read_text()))
    assert len(called) > 30
    assert {name.lower() for name in called} - allowed == set()


@pytest.mark.parametrize(
    ("rules", "durability"),
    [
        (["~*", "+@all", "-@admin", "-@dangerous"], "memory"),
        (["~*", "+@all", "-@admin", "-@dangerous", "+info"], "everysec"),
        (["~*", "+@all", "-config"], "everysec"),
    ],
)
async def test_an_unknown_durability_is_memory(
    server: Valkey, rules: list[str], durability: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without CONFIG the store uses INFO; without both it works, says memory, and logs one warning."""
    store = await Store.open(Settings(redis_url=url_of(server, rules)), name="test")
    try:
        assert store.durability == durability
        await store.refresh()
        await store.refresh()
    finally:
        await store.close()
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == (1 if durability == "memory" else 0)
    assert all("INFO" in vars(record)["fields"]["cure"] for record in warnings)
