"""A store that cannot be used gives an error with a reason and a cure."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.support.faults import FaultProxy
from tests.support.ports import free_port
from tests.support.tls import PrivateCA
from tests.support.valkey import Valkey, running, wait_until
from tidings_workers.config import Settings
from tidings_workers.store import StorageUnavailable, Store


@pytest.fixture
def tcp(short_directory: Path) -> Iterator[Valkey]:
    """A server on a port."""
    home = Path(tempfile.mkdtemp(dir=short_directory))
    with running(home, free_port(), save="3600 1") as server:
        yield server


async def refusal(url: str) -> StorageUnavailable:
    """The error of opening the store of this URL."""
    settings = msgspec.structs.replace(Settings.from_environment({}), redis_url=url)
    with pytest.raises(StorageUnavailable) as caught:
        await Store.open(settings, name="test")
    error = caught.value
    # Operators read it: it has sentences, and no words of Python.
    assert str(error).endswith(".")
    assert error.cure.endswith(".")
    assert "Error" not in str(error)
    return error


@pytest.mark.parametrize("scheme", ["redis", "rediss", "redis+cluster", "rediss+cluster"])
async def test_nothing_listens(scheme: str) -> None:
    """The error names a closed port, whatever the scheme."""
    port = free_port()
    error = await refusal(f"{scheme}://:secret@127.0.0.1:{port}")
    assert error.reason == "refused"
    assert str(port) in str(error)
    assert "secret" not in str(error)


async def test_no_socket(short_directory: Path) -> None:
    """A missing unix socket is reported as refused."""
    assert (await refusal(f"unix://{short_directory / 'nothing'}")).reason == "refused"


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
async def test_unknown_host(scheme: str) -> None:
    """The error names a host without an address."""
    error = await refusal(f"{scheme}://nowhere.invalid:6379")
    assert error.reason == "unknown-host"
    assert "nowhere.invalid" in str(error)


async def test_wrong_password(tcp: Valkey) -> None:
    """A missing and a wrong password have their own cure, and the error shows no password."""
    with tcp.client() as client:
        client.execute_command("ACL", "SETUSER", "default", ">right")
    wrong = tcp.url.replace("redis://", "redis://:wrong@")
    for error in (await refusal(tcp.url), await refusal(wrong)):
        assert error.reason == "auth"
        assert "REDIS_URL" in error.cure
        assert ":wrong@" not in str(error)
    assert str(await refusal(tcp.url)) == f"The store at {tcp.url} asks for a password."


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
async def test_a_port_of_something_else(scheme: str) -> None:
    """A port with another protocol is reported as no Redis, with a cure about REDIS_URL."""

    async def speak_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(speak_http, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        error = await refusal(f"{scheme}://127.0.0.1:{port}")
    assert error.reason == "not-redis"
    assert str(port) in str(error)
    assert "REDIS_URL" in error.cure


async def test_forbidden_command(tcp: Valkey) -> None:
    """The error names the command that the user lacks."""
    with tcp.client() as client:
        client.execute_command("ACL", "SETUSER", "poor", "on", ">p", "~*", "+@all", "-hset", "-hsetnx")
    error = await refusal(tcp.url.replace("redis://", "redis://poor:p@"))
    assert error.reason == "no-permission"
    assert "hsetnx" in str(error)


async def test_cluster_and_single_are_distinguished(tcp: Valkey, cluster_url: str) -> None:
    """A cluster named as a single server, and the reverse, have a cure with the right scheme."""
    error = await refusal(tcp.url.replace("redis://", "redis+cluster://"))
    assert (error.reason, "redis://" in error.cure) == ("not-a-cluster", True)
    error = await refusal(cluster_url.replace("redis+cluster://", "redis://"))
    assert (error.reason, "redis+cluster://" in error.cure) == ("is-a-cluster", True)


async def test_a_replica_is_named(tcp: Valkey) -> None:
    """A replica is reported as one."""
    with tcp.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))
    assert (await refusal(tcp.url)).reason == "readonly"


async def test_a_failing_disk_is_named(tcp: Valkey) -> None:
    """A server that cannot save is reported, with a cure about its disk."""
    in_the_way = tcp.directory / "dump.rdb"
    in_the_way.mkdir()
    with tcp.client() as client:
        client.bgsave()
        wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "the failure")
    error = await refusal(tcp.url)
    assert (error.reason, "disk" in error.cure) == ("disk", True)
    in_the_way.rmdir()


async def test_full_memory_is_named(tcp: Valkey) -> None:
    """A server at its maxmemory is reported as full."""
    with tcp.client() as client:
        client.config_set("maxmemory", "1")
    assert (await refusal(tcp.url)).reason == "out-of-memory"


async def test_tls_to_a_plain_port(tcp: Valkey) -> None:
    """rediss:// to a port without TLS has a cure that names the other scheme."""
    error = await refusal(tcp.url.replace("redis://", "rediss://"))
    assert "redis://" in error.cure


async def test_plain_to_a_tls_port(tcp: Valkey, tmp_path: Path) -> None:
    """redis:// to a port with TLS has a cure that names the other scheme."""
    async with FaultProxy(tcp.url, tls=PrivateCA(tmp_path).server(tmp_path)) as proxy:
        error = await refusal(proxy.url.replace("rediss://", "redis://"))
    assert "rediss://" in error.cure


async def test_an_unknown_authority(tcp: Valkey, tmp_path: Path) -> None:
    """A certificate of a private CA is refused with a cure that names the CA's parameter, which works."""
    authority = PrivateCA(tmp_path)
    async with FaultProxy(tcp.url, tls=authority.server(tmp_path)) as proxy:
        error = await refusal(proxy.url)
        assert (error.reason, "ssl_ca_certs" in error.cure) == ("tls", True)
        settings = Settings(redis_url=f"{proxy.url}?ssl_ca_certs={authority.ca}")
        await (await Store.open(settings, name="test")).close()


async def test_a_client_certificate(tcp: Valkey, tmp_path: Path) -> None:
    """A server that requires a client certificate gets the one that the URL names."""
    authority = PrivateCA(tmp_path)
    tls = authority.server(tmp_path, asks_clients=True)
    certificate, key = authority.certify(tmp_path, "client")
    async with FaultProxy(tcp.url, tls=tls) as proxy:
        trusting = f"{proxy.url}?ssl_ca_certs={authority.ca}"
        await refusal(trusting)
        settings = Settings(redis_url=f"{trusting}&ssl_certfile={certificate}&ssl_keyfile={key}")
        await (await Store.open(settings, name="test")).close()
