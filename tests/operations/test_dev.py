"""`tidings-server dev` as a user runs it: one command that is ready, survives kills, and stops on request."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import redis
from msgspec import structs

from tests.operations.support import eventually, tidings_server
from tests.support.no_tls import NO_TLS
from tests.support.ports import free_port
from tests.support.stack import clean_environment, is_running
from tests.support.stomp import stomp_socket
from tidings_api.cli.diagnosis import port_findings
from tidings_api.cli.store_diagnosis import examine_store
from tidings_api.cli.stores import operator_store
from tidings_workers.config import Settings
from tidings_workers.store import Store
from tidings_workers.store.keys import TENANTS

START_SECONDS = 30.0
PARTS = ("api", "archiver", "dispatcher", "gateway")


class Dev:
    """A running `dev`: its line of JSON, and its processes."""

    def __init__(self, process: asyncio.subprocess.Process, line: str, metrics: str) -> None:
        self.process = process
        self.line = line
        self.facts: dict[str, str] = json.loads(line)
        self.metrics = metrics

    def children(self) -> dict[str, int]:
        """The child processes of the supervisor by name, Valkey included."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = {}
        for pid in task.read_text().split():
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended since
            words = command.replace(b"\0", b" ").decode().split()
            if words:
                found["valkey" if "valkey" in words[0] else words[-1]] = int(pid)
        return found

    def send(self, token: str) -> httpx.Response:
        """Send one notification by HTTP."""
        return httpx.post(
            f"{self.facts['api']}/v1/notifications",
            headers={"Authorization": f"Bearer {token}"},
            json={"to": {"users": ["ana"]}, "title": "Hello"},
            trust_env=False,
            verify=NO_TLS,
        )


def options(here: Path) -> list[str]:
    """Options with free ports and a data directory."""
    words = ["--data", str(here / "data")]
    for name in ("--port", "--realtime-port", "--operator-port"):
        words += [name, str(free_port())]
    return words


@asynccontextmanager
async def running(here: Path, words: list[str]) -> AsyncIterator[Dev]:
    """A ready `dev --json`; killed at the end if it still runs."""
    with (here / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tidings_api.cli", "dev", "--json", *words),
            cwd=here,
            env=clean_environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            line = await process.stdout.readline()
        assert line, (here / "log").read_text()
        yield Dev(process, line.decode(), f"http://127.0.0.1:{words[-1]}/metrics")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def token_of(here: Path) -> str:
    """A token from the operator's command, on the store that `dev` runs."""
    words = ("token", "--tenant", "demo", "--user", "tests", "--scope", "send", "--json")
    answer: Any = json.loads(tidings_server(*words, "--data", "data", cwd=here).stdout)
    token: str = answer["token"]
    return token


async def test_a_first_start_and_a_second(tmp_path: Path) -> None:
    """Each start prints one line with the same key and epoch, and exits 0."""
    words = options(tmp_path)
    lines = []
    for _ in range(2):
        async with running(tmp_path, words) as dev:
            assert set(dev.facts) == {"api", "realtime", "page", "tenant", "key"}
            response = await asyncio.to_thread(dev.send, token_of(tmp_path))
            assert response.status_code == 202
            assert response.json()["durability"] == "everysec"
            page = await asyncio.to_thread(
                httpx.get, dev.facts["page"], follow_redirects=True, trust_env=False, verify=NO_TLS
            )
            assert page.status_code == 200
            children = dev.children()
            assert set(children) == {*PARTS, "valkey"}
            started = time.monotonic()
            dev.process.send_signal(signal.SIGINT)
            assert await dev.process.wait() == 0
            assert time.monotonic() - started < 10
            assert not any(map(is_running, children.values()))
            assert dev.process.stdout is not None
            assert await dev.process.stdout.read() == b""
            lines.append(dev.line)
    assert lines[0] == lines[1]


async def test_each_killed_process_is_restarted(tmp_path: Path) -> None:
    """After SIGKILL of a part or the store only that process is restarted, and sending works again."""
    async with running(tmp_path, options(tmp_path)) as dev:
        token = token_of(tmp_path)
        for name in (*PARTS, "valkey"):
            before = dev.children()
            os.kill(before[name], signal.SIGKILL)
            await eventually(lambda: is_other(dev, name, before), f"the restart of {name}")  # noqa: B023 - at once
            after = dev.children()
            assert {part: after[part] for part in after if part != name} == {
                part: before[part] for part in before if part != name
            }
            await eventually(lambda: accepts(dev, token), f"sending after the death of {name}")
        scrape = await asyncio.to_thread(httpx.get, dev.metrics, trust_env=False, verify=NO_TLS)
        for name in (*PARTS, "valkey"):
            assert f'tidings_restarts_total{{process="{name}"}} 1.0' in scrape.text


def is_other(dev: Dev, name: str, before: dict[str, int]) -> bool:
    return dev.children().get(name, before[name]) != before[name]


def accepts(dev: Dev, token: str) -> bool:
    try:
        return dev.send(token).status_code == 202
    except httpx.HTTPError:
        return False


async def test_a_power_failure_gives_the_store_a_new_epoch(tmp_path: Path) -> None:
    """A boot without a clean stop gives the store a new epoch, once."""
    words, epochs = options(tmp_path), []
    for boot in ("same", "another", "same"):
        if boot == "another":
            pretend_power_failure(tmp_path / "data")
        async with running(tmp_path, words) as dev:
            epochs.append(epoch_of(tmp_path / "data"))
            dev.process.send_signal(signal.SIGTERM)
            assert await dev.process.wait() == 0
    assert epochs[0] != epochs[1]
    assert epochs[1] == epochs[2]


def pretend_power_failure(data: Path) -> None:
    state = json.loads((data / "state.json").read_text())
    (data / "state.json").write_text(json.dumps({**state, "clean": False, "boot": "another"}))


def epoch_of(data: Path) -> object:
    socket = json.loads((data / "state.json").read_text())["socket"]
    with redis.Redis(unix_socket_path=socket) as client:
        return client.hget("{tidings}/meta", "epoch")


async def test_a_directory_or_port_in_use_is_named(tmp_path: Path) -> None:
    """A second start names the user of the directory or port and the cure, and leaves nothing running."""
    words = options(tmp_path)
    async with running(tmp_path, words) as dev:
        again = tidings_server("dev", *options(tmp_path)[2:], "--data", "data", cwd=tmp_path)
        assert again.returncode == 1
        assert f"process {dev.process.pid}" in again.stderr
        assert "--data" in again.stderr
        taken = tidings_server("dev", "--data", "other", "--port", words[3], cwd=tmp_path)
        assert taken.returncode == 1
        assert f"port {words[3]}" in taken.stderr
        assert "--port" in taken.stderr
        assert not (tmp_path / "other" / "appendonlydir").exists()
        assert "Traceback" not in again.stderr + taken.stderr


async def test_one_option_moves_all_three_ports(tmp_path: Path) -> None:
    """With --port alone the realtime port is the next one, and the operator's port the one after."""
    port = await asyncio.to_thread(three_free_ports)
    async with running(tmp_path, ["--data", str(tmp_path / "data"), "--port", str(port)]) as dev:
        assert dev.facts["api"] == f"http://127.0.0.1:{port}"
        assert dev.facts["realtime"] == f"ws://127.0.0.1:{port + 1}/v1/realtime"
        url = f"http://127.0.0.1:{port + 2}/health/ready"
        assert (await asyncio.to_thread(httpx.get, url, trust_env=False, verify=NO_TLS)).is_success


def three_free_ports() -> int:
    """The first of three adjacent free ports."""
    while True:
        first = free_port()
        with contextlib.ExitStack() as stack:
            try:
                for port in (first + 1, first + 2):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
        return first


async def test_the_start_and_the_stop_name_the_data(tmp_path: Path) -> None:
    """The first line says that it starts, the last line of the start is curl, and the stop names the data."""
    with (tmp_path / "all").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tidings_api.cli", "dev", *options(tmp_path)),
            cwd=tmp_path,
            env=clean_environment(),
            stdout=output,
            stderr=output,
        )
    try:
        await eventually(lambda: "curl " in (tmp_path / "all").read_text(), "the start", START_SECONDS)
        url = f"http://127.0.0.1:{options_port(tmp_path / 'data')}/health/live"
        # One more answer of the running server, so that a late line of the start is in the file.
        assert (await asyncio.to_thread(httpx.get, url, trust_env=False, verify=NO_TLS)).is_success
        started = (tmp_path / "all").read_text().splitlines()
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert started[0] == f"starting Tidings, data in {tmp_path / 'data'}"
    assert any(line.startswith("Tidings is running, ready after ") for line in started)
    assert started[-1].startswith("curl ")
    ended = (tmp_path / "all").read_text().splitlines()
    assert ended[-1] == f"stopped; your data is in {tmp_path / 'data'}"


def options_port(data: Path) -> int:
    port: int = json.loads((data / "state.json").read_text())["addresses"]["port"]
    return port


async def test_the_key_of_dev_is_its_own(tmp_path: Path) -> None:
    """Other keys do not change the key of `dev`, and a revoked one is replaced with a line in the log."""
    words = options(tmp_path)
    keys, logs = [], []
    for more in ((), ("keys", "create", "--scope", "send", "read"), ("keys", "revoke", "k1")):
        if more:
            ended = tidings_server(*more, "--tenant", "demo", "--data", "data", cwd=tmp_path)
            assert ended.returncode == 0, ended.stderr
        async with running(tmp_path, words) as dev:
            keys.append(dev.facts["key"])
            dev.process.send_signal(signal.SIGTERM)
            assert await dev.process.wait() == 0
        logs.append((tmp_path / "log").read_text())
    assert keys[0].startswith("demo.k1.")
    assert keys[1] == keys[0]
    assert keys[2].startswith("demo.k3.")
    assert "created key" not in logs[1]
    assert "no valid key named dev: created key k3" in logs[2]


async def stopped(dev: Dev) -> None:
    """Stop it in order."""
    dev.process.send_signal(signal.SIGTERM)
    assert await dev.process.wait() == 0


async def test_guests_of_the_demo_tenant(tmp_path: Path) -> None:
    """`dev` allows guests of its tenant, also in an older store, until the operator ends it."""
    words = options(tmp_path)

    async def connects(dev: Dev) -> bool:
        port = int(dev.facts["realtime"].rpartition(":")[2].partition("/")[0])
        async with stomp_socket(port) as client:
            await client.send("CONNECT", accept_version="1.2", host="127.0.0.1")
            if (await client.next()).command == "ERROR":
                return False
            await client.subscribe("/topic/public")
        return True

    async with running(tmp_path, words) as dev:
        assert await connects(dev)
        async with operator_store(tmp_path / "data") as redis:
            store: Any = redis
            record = json.loads(await store.hget(TENANTS, "demo"))
            del record["guests"]
            record["open_topics"] = ["news"]
            await store.hset(TENANTS, "demo", json.dumps(record))
        await stopped(dev)
    async with running(tmp_path, words) as dev:
        assert await connects(dev)
        ended = tidings_server("tenants", "update", "demo", "--no-guests", "--data", "data", cwd=tmp_path)
        assert "open topics news, public, public/**; guests none" in ended.stdout
        await stopped(dev)
    async with running(tmp_path, words) as dev:
        assert not await connects(dev)


async def test_operator_commands_work_on_the_running_store(tmp_path: Path) -> None:
    """Tenants and keys can be changed while it runs, and doctor finds no fault."""
    words = options(tmp_path)
    async with running(tmp_path, words) as dev:
        made = tidings_server("tenants", "create", "acme", "--json", "--data", "data", cwd=tmp_path)
        assert msgspec.json.decode(made.stdout)["id"] == "acme"
        examined = tidings_server("doctor", "--json", "--data", "data", cwd=tmp_path)
        report = json.loads(examined.stdout)
        assert report["healthy"], report
        assert {finding["level"] for finding in report["findings"]} == {"ok"}, report
        asked = {finding["check"]: finding["detail"] for finding in report["findings"]}
        assert dev.facts["api"] in asked["api"]
        assert words[5] in asked["gateway"]
        assert words[7] in asked["operator's port"]
        assert examined.returncode == 0


async def test_doctor_detects_ports_of_another_installation(tmp_path: Path, redis_url: str) -> None:
    """A server on another store does not count as a part of this installation."""
    words = options(tmp_path)
    tidings_server("tenants", "create", "acme", cwd=tmp_path, environment={"REDIS_URL": redis_url})
    settings = structs.replace(
        Settings.from_environment({}),
        redis_url=redis_url,
        port=int(words[3]),
        realtime_port=int(words[5]),
        operator_port=int(words[7]),
    )
    await (await Store.open(settings, name="test")).close()
    report = await examine_store(settings, embedded=False)
    async with running(tmp_path, words):
        found = await port_findings(settings, report.identity)
        unknown = await port_findings(settings, None)
    assert [finding.check for finding in found] == ["api", "gateway", "operator's port"]
    assert all("another installation" in finding.detail for finding in found), found
    assert {finding.level for finding in found} == {"wrong"}
    # Without the store its identity can't be compared, which is a warning.
    assert {finding.level for finding in unknown} == {"warning"}
