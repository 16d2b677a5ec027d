"""The operator's commands: plain output, scriptable, and never a traceback."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import redis
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from tests.operations.support import eventually, tidings_server
from tests.support.no_tls import NO_TLS
from tests.support.ports import free_port
from tests.support.stack import clean_environment
from tests.support.valkey import Valkey

PUBLIC = serialization.PublicFormat.SubjectPublicKeyInfo


def test_tenants_and_keys_on_a_store_that_does_not_run(tmp_path: Path) -> None:
    """From create to delete, each command starts the store and finds the results of the previous one."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return tidings_server(*words, "--json", "--data", "data", cwd=tmp_path)

    created = json.loads(run("tenants", "create", "acme", "--origin", "https://shop.example").stdout)
    assert (created["archive"], created["archive_retention"]) == (True, 365)
    assert (created["id"], created["origins"]) == ("acme", ["https://shop.example"])
    run(
        "tenants", "update", "acme", "--retention", "forever", "--category-retention", "orders.=365", "chat=7"
    )
    updated = json.loads(run("tenants", "update", "acme", "--sessions", "replace").stdout)
    assert updated == created | {
        "retention_days": None,
        "category_retention": {"orders.": 365, "chat": 7},
        "sessions": "replace",
    }
    assert created["guests"] is False
    assert json.loads(run("tenants", "update", "acme", "--guests").stdout)["guests"] is True
    assert json.loads(run("tenants", "update", "acme", "--sessions", "many").stdout)["guests"] is True
    assert json.loads(run("tenants", "update", "acme", "--no-guests").stdout) == created | {
        **updated,
        "sessions": "many",
    }
    url = "https://shop.example/tidings"
    with_upstream = json.loads(run("tenants", "update", "acme", "--upstream", url).stdout)["upstream"]
    assert with_upstream["url"] == url
    assert with_upstream["secret"].startswith("whsec_")
    tenants = run("tenants", "list").stdout
    assert json.loads(tenants)["tenants"][0]["upstream"] == {"url": url}
    assert "begins with https://" in run("tenants", "update", "acme", "--upstream", "ftp://a").stderr
    assert with_upstream["secret"] not in run("tenants", "update", "acme", "--sessions", "many").stdout
    assert json.loads(run("tenants", "update", "acme", "--no-upstream").stdout)["upstream"] is None
    key = json.loads(run("keys", "create", "--tenant", "acme", "--scope", "send", "--scope", "inbox").stdout)
    assert key["key"].startswith(f"acme.{key['kid']}.")
    token = json.loads(run("token", "--tenant", "acme", "--user", "ana").stdout)
    assert token["token"].count(".") == 2
    listed = run("keys", "list", "--tenant", "acme")
    assert json.loads(listed.stdout)["keys"][0]["scopes"] == ["send", "inbox"]
    assert key["key"].split(".")[2] not in listed.stdout
    assert run("keys", "revoke", key["kid"], "--tenant", "acme").returncode == 0
    refused = run("token", "--tenant", "acme", "--user", "ana")
    assert refused.returncode == 1
    assert "keys create --tenant acme" in refused.stderr
    assert run("tenants", "delete", "acme", "--yes").returncode == 0
    assert json.loads(run("tenants", "list").stdout) == {"tenants": []}


def test_a_public_key_is_registered_and_a_private_one_refused(tmp_path: Path, redis_url: str) -> None:
    """The PEM of a public key gets a kid; a private key is refused and not shown."""
    store = {"REDIS_URL": redis_url}
    private = ed25519.Ed25519PrivateKey.generate()
    (tmp_path / "public.pem").write_bytes(
        private.public_key().public_bytes(serialization.Encoding.PEM, PUBLIC)
    )
    (tmp_path / "private.pem").write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    tidings_server("tenants", "create", "acme", cwd=tmp_path, environment=store)
    words = ("keys", "create", "--tenant", "acme", "--alg", "EdDSA", "--json", "--public-key")
    made = tidings_server(*words, "public.pem", cwd=tmp_path, environment=store)
    assert json.loads(made.stdout) == {"tenant": "acme", "kid": "k1", "alg": "EdDSA"}
    refused = tidings_server(*words, "private.pem", cwd=tmp_path, environment=store)
    assert refused.returncode == 1
    assert (tmp_path / "private.pem").read_text().splitlines()[1] not in refused.stderr


@pytest.mark.parametrize(
    ("words", "environment", "code", "says"),
    [
        (("api",), {}, 78, "REDIS_URL is not set"),
        (("gateway",), {"REDIS_URL": "http://x"}, 78, "redis://"),
        (("config",), {"TIDINGS_PORT": "x"}, 78, "TIDINGS_PORT"),
        (("tenants", "list"), {}, 1, "there is no store in"),
        (("tenants", "list", "--data", "mistyped"), {}, 1, "there is no store in"),
        (("keys", "create", "--tenant", "x", "--data", "mistyped"), {}, 1, "there is no store in"),
        (("token", "--tenant", "x", "--user", "u"), {"TIDINGS_DATA": "mistyped"}, 1, "there is no store in"),
        (
            ("tenants", "list"),
            {"REDIS_URL": "unix:///nowhere/s"},
            1,
            "correct host, port or path in REDIS_URL",
        ),
        (("tenants", "update", "x"), {}, 2, "say what to change"),
        (("tenants", "update", "x", "--retention", "12"), {}, 2, "7, 30, 90, 365 days, forever or default"),
        (("tenants", "create", "x", "--category-retention", "chat"), {}, 2, "orders.=365"),
        (("tenants", "create", "x", "--sessions", "one"), {}, 2, "many, replace, reject"),
        (("tenants", "update", "x", "--session-limit", "-1"), {}, 2, "a number or none"),
        (("tenants", "update", "x", "--topic-retention", "day"), {}, 2, "a number of seconds or default"),
        (("tenants", "update", "x", "--archive-retention", "year"), {}, 2, "--archive-retention"),
        (("tenants", "update", "x", "--open-topic", "a", "--no-open-topics"), {}, 2, "exclude each other"),
        (("tenants", "update", "x", "--upstream", "https://a", "--no-upstream"), {}, 2, "exclude each other"),
        (("tenants", "delete", "x"), {}, 2, "confirm it with --yes"),
        (("token", "--tenant", "x", "--user", "u", "--scope", "x"), {}, 2, "there is no scope x"),
        (("dev", "--port", "70000"), {}, 2, "65535"),
        (("dev", "--port", "65535"), {}, 2, "--realtime-port"),
        (("dev", "--port", "65534"), {}, 2, "--operator-port"),
        (("dev", "--port", "8001", "--realtime-port", "8001"), {}, 1, "dev --realtime-port 9001"),
        (
            ("dev", "--port", "8001", "--realtime-port", "8001"),
            {"TIDINGS_MAKE": "1"},
            1,
            'make run ARGS="--realtime-port 9001"',
        ),
    ],
)
def test_a_mistake_is_one_clear_line(
    tmp_path: Path, words: tuple[str, ...], environment: dict[str, str], code: int, says: str
) -> None:
    """Wrong usage and wrong configuration give their exit code and one line with the cure."""
    ended = tidings_server(*words, cwd=tmp_path, environment=environment)
    assert ended.returncode == code
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    assert not (tmp_path / "mistyped").exists()


def test_config_shows_every_setting_and_no_password(tmp_path: Path) -> None:
    """`config` shows each variable with value, default and meaning, and hides passwords of URLs."""
    environment = {"REDIS_URL": "redis://ana:s3cret@host/0", "TIDINGS_PORT": "9000"}
    ended = tidings_server("config", "--json", cwd=tmp_path, environment=environment)
    settings = {entry["variable"]: entry for entry in json.loads(ended.stdout)["settings"]}
    assert settings["TIDINGS_PORT"]["value"] == 9000
    assert settings["TIDINGS_PORT"]["default"] == 8000
    assert all(entry["meaning"] for entry in settings.values())
    assert "s3cret" not in ended.stdout
    assert "s3cret" not in tidings_server("config", cwd=tmp_path, environment=environment).stdout


@pytest.mark.parametrize("part", ["api", "archiver", "dispatcher", "gateway"])
async def test_a_part_serves_its_operator_and_stops_gracefully(
    tmp_path: Path, redis_url: str, part: str
) -> None:
    """A single part is ready and measured on its operator's port, and exits 0 on SIGTERM."""
    operator = free_port()
    environment = clean_environment(
        REDIS_URL=redis_url,
        TIDINGS_PORT=str(free_port()),
        TIDINGS_REALTIME_PORT=str(free_port()),
        TIDINGS_OPERATOR_PORT=str(operator),
        TIDINGS_ARCHIVE_URL=f"sqlite://{tmp_path}/history.db",
    )
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tidings_api.cli", part), env=environment, cwd=tmp_path, stderr=log
        )

    def ready() -> bool:
        try:
            return httpx.get(
                f"http://127.0.0.1:{operator}/health/ready", trust_env=False, verify=NO_TLS
            ).is_success
        except httpx.HTTPError:
            return False

    try:
        await eventually(ready, f"starting the {part}", 20)
        metrics = await asyncio.to_thread(
            httpx.get, f"http://127.0.0.1:{operator}/metrics", trust_env=False, verify=NO_TLS
        )
        assert "tidings_accepted_total" in metrics.text
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {line["process"] for line in lines} == {part}


async def test_a_part_warns_of_a_server_that_breaks_promises(tmp_path: Path, valkey: Valkey) -> None:
    """At its start a part logs the faults of the server that `doctor` finds, with the cure."""
    with valkey.client() as client:
        client.config_set("appendonly", "no")
    environment = clean_environment(REDIS_URL=valkey.url, TIDINGS_OPERATOR_PORT=str(free_port()))
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tidings_api.cli", "dispatcher"),
            env=environment,
            cwd=tmp_path,
            stderr=output,
        )
    try:
        await eventually(lambda: "the store is not suitable" in log.read_text(), "the warning", 20)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (warned,) = (line for line in lines if line["event"] == "the store is not suitable")
    assert (warned["level"], warned["check"]) == ("warning", "durability")
    assert "appendonly yes" in warned["cure"]


async def test_a_part_that_hangs_exits_after_the_drain(tmp_path: Path) -> None:
    """A part that swallows its cancellation or blocks the loop exits with code 1 after the drain."""
    read, write = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HANGING),
        cwd=tmp_path,
        env=clean_environment(TIDINGS_READY_FD=str(write)),
        pass_fds=(write,),
    )
    os.close(write)
    assert await asyncio.to_thread(os.read, read, 1) == b"r"
    os.close(read)
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        assert await process.wait() == 1


HANGING = """
import asyncio, time
from tidings_api.cli import parts
from tidings_workers.config import Settings
async def run(settings, stop, ready):
    ready()
    await stop.wait()
    await asyncio.sleep(0)
    time.sleep(3600)
asyncio.run(parts._serve(Settings(redis_url="unix:///nowhere", drain_seconds=0), run))
"""


def test_a_store_that_is_locked_is_used_where_it_runs(tmp_path: Path) -> None:
    """While another command has the directory's lock, commands use that command's server."""
    tidings_server("tenants", "create", "acme", "--data", "data", cwd=tmp_path)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=tmp_path, stdout=subprocess.PIPE, env=clean_environment()
    )
    assert holder.stdout is not None
    try:
        socket = holder.stdout.readline().decode().strip().removeprefix("unix://")
        assert "acme" in tidings_server("tenants", "list", "--data", "data", cwd=tmp_path).stdout
        with redis.Redis(unix_socket_path=socket) as client:
            assert client.ping()
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


HOLDER = """
import asyncio
from pathlib import Path
from tidings_workers.data_directory import DataDirectory
from tidings_workers.embedded import EmbeddedValkey
async def main():
    valkey = EmbeddedValkey(DataDirectory.acquire(Path("data")), "everysec")
    await valkey.start()
    print(valkey.url, flush=True)
    await valkey.wait()
asyncio.run(main())
"""


def test_the_archive_of_a_tenant_is_set_and_shown(tmp_path: Path, redis_url: str) -> None:
    """`update` and `list` show how long the archive keeps what, and each option can be reset."""

    def run(*words: str) -> str:
        ended = tidings_server("tenants", *words, cwd=tmp_path, environment={"REDIS_URL": redis_url})
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    run("create", "acme")
    rules = ("--archive-retention", "730", "--category-archive-retention", "audit.=forever", "chat=30")
    assert "; archive 730d audit.=forever chat=30d; " in run("update", "acme", *rules)
    assert "  730d audit.=forever chat=30d  " in run("list")
    assert "; archive none; " in run("update", "acme", "--no-archive")
    shown = json.loads(run("list", "--json"))["tenants"][0]
    assert shown["archive"] is False
    assert shown["category_archive_retention"] == {"audit.": None, "chat": 30}
    more = ("--archive", "--archive-retention", "default", "--category-archive-retention", "chat=default")
    assert "; archive 365d audit.=forever; " in run("update", "acme", *more)
