"""`doctor`: each fault of an installation is reported with its cause and a cure."""

import asyncio
import json
import resource
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
import redis
from msgspec import structs

from tests.operations.support import tidings_server
from tests.support.faults import FaultProxy
from tests.support.ports import free_port
from tests.support.tls import PrivateCA
from tests.support.valkey import Valkey, running, wait_until
from tidings_api.cli.diagnosis import host_findings, port_findings
from tidings_api.cli.findings import Finding
from tidings_api.cli.store_diagnosis import examine_store
from tidings_workers.config import Settings
from tidings_workers.operator import Health, operator_port
from tidings_workers.store import Store
from tidings_workers.store.keys import LAYOUT

Spoil = Callable[[Valkey], str | None]
Levels = dict[str, Literal["ok", "warning", "wrong"]]

SOUND: Levels = {"store": "ok", "version": "ok", "eviction": "ok", "durability": "ok", "clock": "ok"}


@pytest.fixture
def tcp(short_directory: Path) -> Iterator[Valkey]:
    """A server on a port, which may be broken."""
    home = Path(tempfile.mkdtemp(dir=short_directory))
    with running(home, free_port(), save="3600 1") as server:
        yield server


async def findings(url: str) -> dict[str, Finding]:
    """The findings about the store of this URL; each one that is not ok has a cure."""
    settings = structs.replace(Settings.from_environment({}), redis_url=url)
    report = await examine_store(settings, embedded=False)
    assert all(finding.cure for finding in report.findings if finding.level != "ok")
    return {finding.check: finding for finding in report.findings}


def levels(found: dict[str, Finding]) -> Levels:
    return {check: finding.level for check, finding in found.items()}


async def test_a_store_that_nothing_has_used_is_judged_before_the_first_start(tcp: Valkey) -> None:
    """Version, eviction, durability and clock of an empty store are known, and nothing is written to it.

    No part works on it yet, so its identity is empty, not unknown.
    """
    found = await findings(tcp.url)
    assert levels(found) == {**SOUND, "layout": "warning"}
    with tcp.client() as client:
        assert client.dbsize() == 0
        client.config_set("appendonly", "no")
    found = await findings(tcp.url)
    settings = structs.replace(Settings.from_environment({}), redis_url=tcp.url)
    assert (await examine_store(settings, embedded=False)).identity == ""
    assert levels(found) == {**SOUND, "durability": "wrong", "layout": "warning"}
    assert "CONFIG SET appendonly yes" in found["durability"].cure


async def test_a_store_that_evicts_and_loses_data_is_wrong(tcp: Valkey) -> None:
    """Settings that lose data, and missing parts, are findings for a used store."""
    with tcp.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("appendonly", "no")
        facts = {"layout": LAYOUT, "partitions": "8", "epoch": "e", "secret": "00"}
        client.hset("{tidings}/meta", mapping=facts)
    assert levels(await findings(tcp.url)) == {
        **SOUND,
        "eviction": "wrong",
        "durability": "wrong",
        "partitions": "warning",
        "dispatcher": "wrong",
        "gateways": "wrong",
    }


async def test_another_layout_is_named(tcp: Valkey) -> None:
    """A store of another layout is not opened, and the cure names the version to run."""
    with tcp.client() as client:
        client.hset("{tidings}/meta", mapping={"layout": "99", "partitions": "8", "secret": "00"})
    found = await findings(tcp.url)
    assert levels(found) == {**SOUND, "layout": "wrong"}
    assert "layout 99" in found["layout"].detail


def no_server(tcp: Valkey) -> str:
    tcp.stop()
    return tcp.url


def hanging(tcp: Valkey) -> str:
    tcp.pause()
    return tcp.url


def no_password(tcp: Valkey) -> str:
    with tcp.client() as client:
        client.execute_command("ACL", "SETUSER", "default", ">right")
    return tcp.url


def wrong_password(tcp: Valkey) -> str:
    return no_password(tcp).replace("redis://", "redis://:wrong@")


def no_command(tcp: Valkey) -> str:
    with tcp.client() as client:
        client.execute_command("ACL", "SETUSER", "poor", "on", ">p", "~*", "+@all", "-evalsha", "-eval")
    return tcp.url.replace("redis://", "redis://poor:p@")


def tls_to_plain(tcp: Valkey) -> str:
    return tcp.url.replace("redis://", "rediss://")


def cluster_seed_away(tcp: Valkey) -> str:
    return no_server(tcp).replace("redis://", "redis+cluster://")


def no_cluster(tcp: Valkey) -> str:
    return tcp.url.replace("redis://", "redis+cluster://")


def unknown_host(tcp: Valkey) -> str:
    return tcp.url.replace("127.0.0.1", "nowhere.invalid")


@pytest.mark.parametrize(
    ("spoil", "cause", "cure"),
    [
        (no_server, "Nothing accepts connections", "Start it"),
        (hanging, "does not answer in time", "firewall"),
        (unknown_host, "has no address", "Correct the host in REDIS_URL"),
        (no_password, "asks for a password", "Put user and password into REDIS_URL"),
        (wrong_password, "refuses the user or the password", "Put user and password into REDIS_URL"),
        (no_command, "forbids the user a command", "docs/operations.md"),
        (tls_to_plain, "", "redis://"),
        (cluster_seed_away, "Nothing accepts connections", "Start it"),
        (no_cluster, "is not a cluster", "Write redis:// or rediss://"),
    ],
)
async def test_a_store_that_can_t_be_used_is_one_finding(
    tcp: Valkey, spoil: Spoil, cause: str, cure: str
) -> None:
    """A store that does not answer is one finding with its cause and cure, and no password is shown."""
    found = await findings(spoil(tcp) or "")
    assert levels(found) == {"store": "wrong"}
    assert cause in found["store"].detail
    assert cure in found["store"].cure
    assert ":wrong@" not in found["store"].detail


async def test_plain_to_a_tls_port(tcp: Valkey, tmp_path: Path) -> None:
    """redis:// to a port with TLS is a finding that names the right scheme."""
    async with FaultProxy(tcp.url, tls=PrivateCA(tmp_path).server(tmp_path)) as proxy:
        found = await findings(proxy.url.replace("rediss://", "redis://"))
    assert levels(found) == {"store": "wrong"}
    assert "rediss://" in found["store"].cure


async def test_a_private_authority(tcp: Valkey, tmp_path: Path) -> None:
    """A certificate of a private CA is refused, and the cure says how to name that CA."""
    async with FaultProxy(tcp.url, tls=PrivateCA(tmp_path).server(tmp_path)) as proxy:
        found = await findings(proxy.url)
    assert levels(found) == {"store": "wrong"}
    assert "ssl_ca_certs" in found["store"].cure


async def test_a_node_of_a_cluster_named_as_a_single_server(cluster_url: str) -> None:
    """The URL of a cluster's node without +cluster is a finding that names the right scheme."""
    found = await findings(cluster_url.replace("+cluster", ""))
    assert levels(found) == {"store": "wrong"}
    assert "redis+cluster://" in found["store"].cure


def full_disk(tcp: Valkey) -> None:
    (tcp.directory / "dump.rdb").mkdir()
    with tcp.client() as client:
        client.bgsave()
        wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "the failure")


def full_memory(tcp: Valkey) -> None:
    with tcp.client() as client:
        client.config_set("maxmemory", "1")


def replica(tcp: Valkey) -> None:
    with tcp.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))


@pytest.mark.parametrize(
    ("spoil", "cause", "cure"),
    [
        (full_disk, "can't write to its disk", "Free space"),
        (full_memory, "memory", "maxmemory"),
        (replica, "is a replica", "primary"),
    ],
)
async def test_a_store_that_takes_no_writes_is_still_checked(
    tcp: Valkey, spoil: Spoil, cause: str, cure: str
) -> None:
    """The refusal of writes is a finding, and version, eviction, durability and clock are still reported."""
    spoil(tcp)
    found = await findings(tcp.url)
    assert {**SOUND, "store": "wrong"}.items() <= levels(found).items()
    assert cause in found["store"].detail
    assert cure in found["store"].cure
    if spoil is full_disk:
        (tcp.directory / "dump.rdb").rmdir()


async def test_a_missing_permission_affects_only_its_check(tcp: Valkey) -> None:
    """Without INFO version and eviction are unknown; all other checks are reported."""
    with tcp.client() as client:
        client.execute_command("ACL", "SETUSER", "poor", "on", ">p", "~*", "+@all", "-info")
    found = await findings(tcp.url.replace("redis://", "redis://poor:p@"))
    assert levels(found) == {**SOUND, "version": "warning", "eviction": "warning", "layout": "warning"}
    assert "info" in found["version"].detail


async def test_each_primary_of_a_cluster_is_checked(cluster_url: str) -> None:
    """Version and eviction are checked on every primary, and one with another policy is named."""
    with redis.RedisCluster.from_url(cluster_url.replace("+cluster", "")) as client:
        _, _, odd = sorted(client.get_primaries(), key=lambda node: node.port)
        client.config_set("maxmemory-policy", "allkeys-lru", target_nodes=odd)
        try:
            found = await findings(cluster_url)
        finally:
            client.config_set("maxmemory-policy", "noeviction", target_nodes=odd)
    assert sum(check.startswith("version") for check in found) == 3
    assert [check for check, level in levels(found).items() if level == "wrong"] == [f"eviction {odd.name}"]


@pytest.mark.parametrize(
    ("limit", "connections", "level"),
    [(1_024, None, "wrong"), (20_000, None, "ok"), (20_000, "200000", "warning"), (20_000, "10000", "ok")],
)
def test_open_files_are_a_finding_where_they_limit(
    monkeypatch: pytest.MonkeyPatch, limit: int, connections: str | None, level: str
) -> None:
    """The usual limit of open files is ok, and one below the configured connections is a finding."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    environ = {} if connections is None else {"TIDINGS_GATEWAY_CONNECTIONS": connections}
    found = {each.check: each for each in host_findings(Settings.from_environment(environ), environ)}
    assert found["open files"].level == level
    assert found["environment"].level == "ok"


@asynccontextmanager
async def listening(answer: bytes | None) -> AsyncIterator[int]:
    """A port that answers each connection with these bytes; with None it never answers."""
    waiting = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if answer is None:
            await waiting.wait()
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", port := free_port())
    try:
        yield port
    finally:
        waiting.set()
        server.close()


@pytest.mark.parametrize(
    ("answer", "cause", "cure"),
    [
        (None, "does not answer within", "see its log"),
        (b"-ERR unknown command\r\n", "does not speak HTTP", "TIDINGS_PORT"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "not like this version of Tidings",
            "TIDINGS_PORT",
        ),
        (b"HTTP/1.1 503 Away\r\nContent-Length: 2\r\n\r\nno", "answers 503: no", "its log"),
    ],
)
async def test_a_port_that_is_not_ours_is_named(answer: bytes | None, cause: str, cure: str) -> None:
    """A port with a wrong answer or with none is a finding with a cure."""
    async with listening(answer) as port:
        settings = structs.replace(
            Settings.from_environment({}), port=port, realtime_port=free_port(), operator_port=free_port()
        )
        api, gateway, operator = await port_findings(settings, "0123456789abcdef")
    assert (api.level, cause in api.detail, cure in api.cure) == ("wrong", True, True), api
    for dead in (gateway, operator):
        assert (dead.level, dead.detail.startswith("nothing answers")) == ("wrong", True)


async def test_the_operator_s_port_names_its_store(redis_url: str) -> None:
    """Parts on one store name the same identity, which shows neither its secret nor its epoch."""
    settings = structs.replace(Settings.from_environment({}), redis_url=redis_url, operator_port=free_port())
    store = await Store.open(settings, name="test")
    identity = store.identity
    assert store.secret.hex() not in identity
    assert store.epoch not in identity
    await store.close()
    assert (await examine_store(settings, embedded=False)).identity == identity
    health = Health()
    health.serving, health.store = True, identity
    async with operator_port("127.0.0.1", settings.operator_port, health):
        *_, own = await port_findings(settings, identity)
        *_, other = await port_findings(settings, "0" * 16)
        *_, unused = await port_findings(settings, "")
        *_, unknown = await port_findings(settings, None)
    assert (own.level, other.level, unused.level, unknown.level) == ("ok", "wrong", "wrong", "warning")
    assert "another installation" in other.detail
    assert unused.detail == other.detail


def test_the_command_prints_findings_and_counts(tmp_path: Path) -> None:
    """A missing store is a finding and not an error of the command, and the last line has the counts."""
    url = f"redis+cluster://127.0.0.1:{free_port()}"
    ended = tidings_server(
        *("doctor", "--no-ports"), cwd=tmp_path, environment={"REDIS_URL": url, "TIDINGS_TYPO": "1"}
    )
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "WRONG    store" in ended.stdout
    assert "warning  environment: TIDINGS_TYPO is set" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "wrong: 1, warnings: 1, ok: 1"


@pytest.mark.parametrize("words", [(), ("--data", "nothing-here")])
def test_no_store_at_all_is_a_finding(tmp_path: Path, words: tuple[str, ...]) -> None:
    """In a directory without a store the finding says how to create one, and none is created."""
    ended = tidings_server("doctor", "--json", *words, cwd=tmp_path)
    assert ended.returncode == 1
    (found,) = (each for each in json.loads(ended.stdout)["findings"] if each["check"] == "store")
    assert found["detail"].startswith("there is no store in ")
    assert "tidings-server dev" in found["cure"]
    assert list(tmp_path.iterdir()) == []
