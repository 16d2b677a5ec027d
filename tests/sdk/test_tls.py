"""Certificates of a private authority, and proxies: one setting for HTTP, the socket and the command."""

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import serve
from websockets.typing import Subprotocol

from tests.sdk.answering import answering
from tests.sdk.gateway import KEY, Gateway, Peer
from tests.support.certificates import Authority
from tidings import AsyncTidings, ConfigurationError, ConnectionFailedError, Tidings
from tidings.protocol.frames import SUBPROTOCOL

UNTRUSTED = "its certificate is not trusted.*SSL_CERT_FILE"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return Authority(tmp_path)


async def welcome(peer: Peer) -> None:
    await peer.welcome()
    await peer.deliver(1)


@asynccontextmanager
async def secure_gateway(authority: Authority) -> AsyncIterator[str]:
    """The URL of a gateway behind TLS."""
    gateway = Gateway([welcome])
    async with serve(
        gateway._serve,
        "127.0.0.1",
        0,
        ssl=authority.server_context(),
        subprotocols=[Subprotocol(SUBPROTOCOL)],
    ) as server:
        yield f"wss://localhost:{next(iter(server.sockets)).getsockname()[1]}/v1/realtime"


async def first_of(url: str, **options: Any) -> int:
    """The position of the first delivery of a live inbox at that URL."""
    async with (
        AsyncTidings("http://api", token="mine", retries=0, **options) as client,
        client.listen(realtime_url=url) as inbox,
    ):
        return (await anext(aiter(inbox))).position


async def test_an_unknown_authority_is_refused(authority: Authority) -> None:
    """Without a setting HTTP and WebSocket raise an error that names the setting."""
    with answering(authority.server) as url:
        with (
            Tidings(url, key=KEY, retries=0) as client,
            pytest.raises(ConnectionFailedError, match=UNTRUSTED),
        ):
            await asyncio.to_thread(client.send, to_users="ana", title="a")
        async with AsyncTidings(url, key=KEY, retries=0) as aclient:
            with pytest.raises(ConnectionFailedError, match=UNTRUSTED):
                await aclient.send(to_users="ana", title="a")
    async with secure_gateway(authority) as url:
        with pytest.raises(ConnectionFailedError, match=UNTRUSTED):
            await first_of(url)


@pytest.mark.parametrize("way", ["SSL_CERT_FILE", "SSL_CERT_DIR", "ssl_context"])
async def test_one_setting_covers_http_and_the_socket(
    authority: Authority, way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The environment variable or the option alone works for both clients and for a live inbox."""
    options: dict[str, Any] = {}
    if way == "ssl_context":
        options["ssl_context"] = authority.client_context()
    elif way == "SSL_CERT_FILE":
        monkeypatch.setenv(way, str(authority.ca))
    else:
        directory = tmp_path / "authorities"
        directory.mkdir()
        (directory / f"{subject_hash(authority.ca)}.0").write_bytes(authority.ca.read_bytes())
        monkeypatch.setenv(way, str(directory))
    with answering(authority.server) as url:
        with Tidings(url, key=KEY, retries=0, **options) as client:
            assert (await asyncio.to_thread(client.send, to_users="ana", title="a")).id == "a"
        async with AsyncTidings(url, key=KEY, retries=0, **options) as aclient:
            assert (await aclient.send(to_users="ana", title="b")).id == "b"
    async with secure_gateway(authority) as url:
        assert await first_of(url, **options) == 1


def subject_hash(certificate: Path) -> str:
    """The file name of a certificate in a directory of authorities."""
    command = ["openssl", "x509", "-noout", "-hash", "-in", str(certificate)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


async def test_the_command_trusts_the_same(authority: Authority) -> None:
    """`tidings send` trusts the private authority that SSL_CERT_FILE names."""
    with answering(authority.server) as url:
        done = await asyncio.to_thread(
            subprocess.run,
            [str(Path(sys.executable).with_name("tidings")), "send", "--user", "ana", "hi"],
            env=os.environ | {"SSL_CERT_FILE": str(authority.ca), "TIDINGS_URL": url, "TIDINGS_KEY": KEY},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", [Tidings, AsyncTidings])
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_missing_file_is_named(
    authority: Authority, kind: type[Any], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client for https raises for a missing file, and a client for http ignores the setting."""
    monkeypatch.setenv(variable, "/nowhere/ca.pem")
    with pytest.raises(ConfigurationError, match=f"{variable} names '/nowhere/ca.pem', which does not exist"):
        kind("https://api", key=KEY)
    kind("http://api", key=KEY)


def test_a_file_that_is_no_certificate_is_an_error_of_configuration(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error for a file that is no certificate names the variable and the format."""
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(wrong))
    with pytest.raises(ConfigurationError, match=r"SSL_CERT_FILE.*PEM"):
        Tidings("https://api", key=KEY)


async def test_a_server_without_tls_is_named(authority: Authority) -> None:
    """The error for https:// with a port that speaks plain HTTP names the cause."""
    with answering() as url:
        secure = url.replace("http:", "https:")
        choices: list[dict[str, Any]] = [{}, {"ssl_context": ssl.create_default_context()}]
        for options in choices:
            async with AsyncTidings(secure, key=KEY, retries=0, timeout=5, **options) as client:
                with pytest.raises(ConnectionFailedError) as raised:
                    await client.send(to_users="ana", title="a")
            assert "https" in str(raised.value)


class ProxyServer:
    """Forwards requests and CONNECT tunnels to their destination, and counts both."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, *_ = head.decode().split()
        self.asked.append(f"{method} {target}")
        host = target if method == "CONNECT" else target.split("/")[2]
        name, _, port = host.partition(":")
        upstream_reader, upstream = await asyncio.open_connection(name, int(port))
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            upstream.write(head.replace(f"http://{host}".encode(), b"", 1))
        await asyncio.gather(_pipe(reader, upstream), _pipe(upstream_reader, writer))

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator["ProxyServer"]:
        """A running proxy on a free port."""
        proxy = cls()
        async with await asyncio.start_server(proxy._serve, "127.0.0.1", 0) as server:
            proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield proxy


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.mark.parametrize("way", ["given", "environment"])
async def test_a_proxy_is_used_for_http_and_the_socket(
    authority: Authority, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The URL of a proxy, or True for that of the environment, applies to every connection of a client."""
    async with ProxyServer.running() as proxy, Gateway.playing(welcome) as gateway:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        options: dict[str, Any] = {"proxy": proxy.url if way == "given" else True}
        with answering() as url:
            async with AsyncTidings(url, key=KEY, retries=0, **options) as client:
                assert (await client.send(to_users="ana", title="a")).id == "a"
            with Tidings(url, key=KEY, retries=0, **options) as blocking:
                assert (await asyncio.to_thread(blocking.send, to_users="ana", title="b")).id == "b"
        assert await first_of(gateway.url, **options) == 1
    assert [asked.split()[0] for asked in proxy.asked] == ["POST", "POST", "CONNECT"]


async def test_the_environments_proxy_is_not_used_by_default(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only `proxy=True` uses the proxy of the environment."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with answering() as url:
        async with AsyncTidings(url, key=KEY, retries=0) as client:
            assert (await client.send(to_users="ana", title="a")).id == "a"


@pytest.mark.parametrize("proxy", ["nonsense", "ftp://proxy:1", "http://"])
@pytest.mark.parametrize("kind", [Tidings, AsyncTidings])
def test_an_invalid_proxy_is_refused(kind: type[Any], proxy: str) -> None:
    """A client with an invalid proxy raises when it is made."""
    with pytest.raises(ConfigurationError, match="proxy"):
        kind("http://api", key=KEY, proxy=proxy)
