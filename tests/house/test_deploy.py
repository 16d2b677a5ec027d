"""The files in deploy/ fit the server: its settings, its ports, and the programs that read them."""

import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from msgspec import structs

from tests.support.parts import running_parts
from tests.support.ports import free_port
from tests.support.stack import Stack, running_stack
from tests.support.tls import PrivateCA
from tests.support.tree import ROOT, tracked
from tests.support.valkey import wait_until
from tidings_workers.archive.urls import PostgresqlUrl, parse
from tidings_workers.config import Settings, variable_of

# schemathesis installs it; it has no types.
yaml: Any = import_module("yaml")

DEPLOY = ROOT / "deploy"
PARTS = ("api", "dispatcher", "gateway", "archiver")
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")


def test_every_variable_is_a_setting() -> None:
    """Each variable in a file or text of deploy/ is a setting of the server."""
    known = {variable_of(field.name) for field in structs.fields(Settings)} | {"TIDINGS_KEY", "TIDINGS_URL"}
    for name in tracked("deploy"):
        named = set(re.findall(r"\bTIDINGS_[A-Z_]*[A-Z]\b", (ROOT / name).read_text()))
        starred = set(re.findall(r"\bTIDINGS_[A-Z_]*(?=_\*|\*)", (ROOT / name).read_text()))
        assert named - starred <= known, name


def test_the_settings_of_systemd_can_be_read() -> None:
    """The server accepts the values in the files of settings, and the parts' operator ports differ."""
    ports = set()
    for part in PARTS:
        variables: dict[str, str] = {}
        for name in ("tidings", part):
            path = DEPLOY / "systemd" / f"{name}.env"
            if path.exists():
                lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
                variables |= dict(line.split("=", 1) for line in lines)
        ports.add(Settings.from_environment(variables).operator_port)
    assert len(ports) == len(PARTS)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("part", PARTS)
def test_systemd_accepts_the_unit(part: str, tmp_path: Path) -> None:
    """`systemd-analyze verify` reports nothing for a unit of each part."""
    text = (DEPLOY / "systemd" / "tidings@.service").read_text()
    installed = Path(sys.executable).with_name("tidings-server")
    assert "/opt/tidings/bin/tidings-server" in text
    (tmp_path / "tidings@.service").write_text(
        text.replace("/opt/tidings/bin/tidings-server", str(installed))
    )
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / f"tidings@{part}.service"],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "tidings" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_kubernetes_probes_and_times_fit() -> None:
    """Probes use the routes and the port of the operator, and the pod has time for its drain."""
    settings = Settings()
    known = {"realtime": settings.realtime_port, "operator": settings.operator_port}
    for part, served in (("gateway", ("realtime", "operator")), ("archiver", ("operator",))):
        pod = pod_of(part)
        (container,) = pod["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports == {name: known[name] for name in served}
        for probe, path in (("livenessProbe", "/health/live"), ("readinessProbe", "/health/ready")):
            assert container[probe]["httpGet"] == {"path": path, "port": "operator"}
        before = (
            int(container["lifecycle"]["preStop"]["exec"]["command"][1]) if "lifecycle" in container else 0
        )
        assert pod["terminationGracePeriodSeconds"] > before + settings.drain_seconds + 2
        assert pod["enableServiceLinks"] is False
        assert {"REDIS_URL", "TIDINGS_ARCHIVE_URL"} <= {each["name"] for each in container["env"]}


def pod_of(part: str) -> Any:
    """The pod of a part in the file for Kubernetes."""
    deployments = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    (found,) = (each for each in deployments if each["metadata"]["name"] == f"tidings-{part}")
    return found["spec"]["template"]["spec"]


def test_every_part_of_compose_has_the_archive() -> None:
    """All parts have the URL of the PostgreSQL of the file, whose user, database and volume are the same."""
    stack = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = stack["services"]
    parts = {name: each for name, each in services.items() if each["image"] == "tidings-server"}
    assert {each["command"][0] for each in parts.values()} == {*PARTS, "bridge"}
    (url,) = {each["environment"]["TIDINGS_ARCHIVE_URL"] for each in parts.values()}
    own = re.sub(r"^\$\{TIDINGS_ARCHIVE_URL:-(.*)\}$", r"\1", url).replace(
        password := "${POSTGRES_PASSWORD:-tidings}", "secret"
    )
    place = parse(own)
    assert isinstance(place, PostgresqlUrl)
    database = services["postgres"]
    assert database["environment"] == {
        "POSTGRES_USER": place.user,
        "POSTGRES_DB": place.shown.rpartition("/")[2],
        "POSTGRES_PASSWORD": password,
    }
    assert place.shown.startswith("postgresql://postgres")
    (volume,) = database["volumes"]
    assert volume.partition(":")[0] in stack["volumes"]
    assert "ports" not in database
    assert parts["archiver"]["depends_on"].keys() == {"valkey", "postgres"}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A `dev` for this test only."""
    with running_stack(tmp_path) as running:
        yield running


@contextmanager
def nginx(home: Path, api: int, gateways: Sequence[int]) -> Iterator[tuple[int, PrivateCA]]:
    """Nginx with the file of deploy/ in front of the ports of an API and gateways, with TLS on a port."""
    assert NGINX is not None
    home.mkdir()
    authority, port = PrivateCA(home), free_port()
    certificate, key = authority.certify(home, "server")
    text = (DEPLOY / "nginx" / "tidings.conf").read_text()
    places = {
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "server 127.0.0.1:8000;": f"server 127.0.0.1:{api};",
        "server 127.0.0.1:8001;": " ".join(f"server 127.0.0.1:{gateway};" for gateway in gateways),
    }
    for name in ("api", "realtime"):
        places[f"/etc/ssl/tidings/{name}.pem"] = str(certificate)
        places[f"/etc/ssl/tidings/{name}.key"] = str(key)
    for there, here in places.items():
        assert there in text, there
        text = text.replace(there, here)
    (home / "tidings.conf").write_text(text)
    temporary = "".join(
        f"{kind}_temp_path {home}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (home / "nginx.conf").write_text(
        f"daemon off;\npid {home}/pid;\nerror_log {home}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}include {home}/tidings.conf;\n}}\n"
    )
    command = [NGINX, "-p", str(home), "-c", str(home / "nginx.conf")]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=30, check=False)
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: (home / "pid").exists() and (home / "pid").read_text().strip() != "", "nginx")
        yield port, authority
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: nginx)")
async def test_nginx_passes_requests_and_sockets(stack: Stack, tmp_path: Path) -> None:
    """Behind the nginx of deploy/ a request is answered over TLS, and a WebSocket is opened and welcomed."""
    api_port, gateway, _ = stack.ports
    with nginx(tmp_path / "nginx", api_port, [gateway]) as (port, authority):
        trust = ssl.create_default_context(cafile=str(authority.ca))
        api = {"host": "api.example.com", "authorization": f"Bearer {stack.token('test', 'read')}"}
        async with httpx.AsyncClient(verify=trust, trust_env=False, headers=api) as client:
            asked = await client.get(f"https://127.0.0.1:{port}/v1/users/ana/notifications")
        assert asked.status_code == 200
        async with websockets.connect(
            f"wss://realtime.example.com:{port}/v1/realtime",
            host="127.0.0.1",
            port=port,
            ssl=without_names(trust),
            proxy=None,
            additional_headers={"Authorization": f"Bearer {stack.token('ana')}"},
        ) as socket:
            await socket.send('{"type":"connect"}')
            assert '"type":"welcome"' in str(await socket.recv())


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: nginx)")
async def test_nginx_keeps_a_sockjs_session_on_its_gateway(redis_url: str, tmp_path: Path) -> None:
    """Behind the nginx of deploy/ a session of SockJS over HTTP has one of two gateways, and ends with it."""
    with running_parts(redis_url) as parts:
        ports = [gateway.port for gateway in parts.gateways]
        with nginx(tmp_path / "nginx", httpx.URL(parts.installation.api).port or 0, ports) as (
            port,
            authority,
        ):
            options: dict[str, Any] = {
                "base_url": f"https://127.0.0.1:{port}/ws",
                "headers": {"Host": "realtime.example.com"},
                "verify": ssl.create_default_context(cafile=str(authority.ca)),
            }
            async with (
                httpx.AsyncClient(trust_env=False, timeout=20, **options) as client,
                AsyncExitStack() as stack,
            ):
                assert (await client.get("/info")).json()["websocket"] is True
                sessions = [
                    await stack.enter_async_context(
                        sockjs_session(client, f"/000/s{number}", parts.installation.token("ana"), streams)
                    )
                    for number, streams in enumerate([True, False] * 8)
                ]
                parts.gateways[0].kill()
                after = [(await client.post(f"{url}/xhr_send", json=["\n"])).status_code for url in sessions]
                assert set(after) == {204, 404}


@asynccontextmanager
async def sockjs_session(
    client: httpx.AsyncClient, url: str, token: str, streams: bool
) -> AsyncIterator[str]:
    """The address of a session that is connected with STOMP, and got its answers by several requests."""

    async def ask(command: str) -> None:
        assert (await client.post(f"{url}/xhr_send", json=[command])).status_code == 204

    if not streams:
        assert (await client.post(f"{url}/xhr")).text == "o\n"
        for command, answer in stomp_steps(token):
            await ask(command)
            assert answer in (await client.post(f"{url}/xhr")).text
        yield url
        return
    async with client.stream("POST", f"{url}/xhr_streaming") as stream:
        lines = stream.aiter_lines()
        assert [await anext(lines), await anext(lines)] == ["h" * 2048, "o"]
        for command, answer in stomp_steps(token):
            await ask(command)
            assert answer in await anext(lines)
        yield url


def stomp_steps(token: str) -> list[tuple[str, str]]:
    """Frames of a client, and the command that answers each."""
    subscribe = "SUBSCRIBE\nid:1\nreceipt:{}\ndestination:/user/queue/notifications\n\n\0"
    return [
        (f"CONNECT\naccept-version:1.2\npasscode:{token}\n\n\0", "CONNECTED"),
        (subscribe.format("r"), "RECEIPT"),
        ("UNSUBSCRIBE\nid:1\nreceipt:u\n\n\0", "RECEIPT"),
    ]


def without_names(trust: ssl.SSLContext) -> ssl.SSLContext:
    """The same trust for a certificate of an address, under the name that nginx serves."""
    trust.check_hostname = False
    return trust
