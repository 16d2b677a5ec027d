"""A failover under running parts: they find the new primary without a restart."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.faults import FaultProxy
from tests.support.no_tls import NO_TLS
from tests.support.parts import running_parts
from tests.support.ports import free_port
from tests.support.stack import Installation, clean_environment
from tests.support.valkey import Valkey, running, wait_until


@contextmanager
def proxied(upstream: str) -> Iterator[FaultProxy]:
    """A proxy on its own event loop, for tests that wait for processes."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    proxy = FaultProxy(upstream)
    try:
        asyncio.run_coroutine_threadsafe(proxy.__aenter__(), loop).result()
        try:
            yield proxy
        finally:
            asyncio.run_coroutine_threadsafe(proxy.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Valkey, Valkey]]:
    """A primary and its replica, in sync."""
    with ExitStack() as stack:
        servers = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            server = running(tmp_path / name, free_port(), repl_diskless_sync_delay="0")
            servers.append(stack.enter_context(server))
        follow(servers[1], servers[0])
        yield servers[0], servers[1]


def follow(replica: Valkey, primary: Valkey) -> None:
    with replica.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", str(primary.port))
        wait_until(
            lambda: client.info("replication").get("master_link_status") == "up", "following the primary"
        )


def send(at: Installation, client: httpx.Client, title: str) -> str | None:
    """Send to two users; returns the id if the send was accepted."""
    headers = {"authorization": f"Bearer {at.token('service', 'send read')}", "idempotency-key": title}
    body = {"to": {"users": ["ana", "bob"], "groups": ["team"]}, "title": title}
    answer = client.post("/v1/notifications", json=body, headers=headers)
    return str(answer.json()["id"]) if answer.status_code == 202 else None


def is_stored(at: Installation, client: httpx.Client, identity: str | None) -> bool:
    headers = {"authorization": f"Bearer {at.token('service', 'send read')}"}
    answer = client.get(f"/v1/notifications/{identity}", headers=headers)
    return bool(answer.json().get("status") == "stored")


def received(at: Installation, title: str) -> subprocess.Popen[bytes]:
    """An SDK listener that stops when a notification with this title arrives."""
    program = (
        "import asyncio, json, sys\n"
        "from tidings import AsyncTidings\n"
        "url, key, realtime, token, title = json.loads(sys.argv[1])\n"
        "async def main():\n"
        "    async with AsyncTidings(url, key=key) as client:\n"
        "        async with client.listen(token=token, realtime_url=realtime) as inbox:\n"
        "            print('listening', flush=True)\n"
        "            async for delivery in inbox:\n"
        "                if delivery.notification.title == title:\n"
        "                    return\n"
        "asyncio.run(main())\n"
    )
    facts = json.dumps([at.api, at.key, at.realtime, at.token("ana"), title])
    return subprocess.Popen(
        [sys.executable, "-c", program, facts], stdout=subprocess.PIPE, env=clean_environment()
    )


def test_parts_follow_the_primary(pair: tuple[Valkey, Valkey]) -> None:
    """API, dispatchers and gateways continue after a failover that makes the old primary a replica."""
    primary, replica = pair
    with proxied(primary.url) as proxy, running_parts(proxy.url) as parts:
        at = parts.installation
        with httpx.Client(base_url=at.api, trust_env=False, timeout=10, verify=NO_TLS) as client:
            wait_until(lambda: at.ready() == 200, "being ready")
            listener = received(at, "after")
            try:
                assert listener.stdout is not None
                assert listener.stdout.readline() == b"listening\n"
                before = send(at, client, "before")
                wait_until(lambda: is_stored(at, client, before), "storing")
                # Replication is asynchronous: a failover loses the writes that the replica does not have.
                with primary.client() as commands:
                    commands.set("{tidings}/mark", "x")
                    assert commands.wait(1, 5_000) == 1
                with replica.client() as commands:
                    commands.execute_command("REPLICAOF", "NO", "ONE")
                follow(primary, replica)
                wait_until(lambda: at.ready() == 503, "being unready")
                proxy.lead_to(replica.url)
                wait_until(lambda: send(at, client, "after") is not None, "a send")
                assert listener.wait(10) == 0
                wait_until(lambda: at.ready() == 200, "being ready again")
            finally:
                listener.kill()
                listener.communicate()
