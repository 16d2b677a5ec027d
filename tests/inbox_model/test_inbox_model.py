"""After any series of steps, inboxes equal a simple model."""

import asyncio
import os
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import redis.asyncio
import uvloop
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.inbox_model.application import Application
from tests.inbox_model.choices import USERS
from tests.inbox_model.scene import Scene
from tests.inbox_model.snoozing import SnoozingMachine
from tests.inbox_model.soak import SoakMachine
from tests.support.no_tls import NO_TLS
from tests.support.parts import Parts, running_parts
from tests.support.stack import START_SECONDS, Installation
from tests.support.valkey import wait_until
from tidings_workers.registry import Registry

# A few hundred steps by default; `make soak` sets more.
EXAMPLES = int(os.environ.get("INBOX_MODEL_EXAMPLES", "12"))
STEPS = int(os.environ.get("INBOX_MODEL_STEPS", "25"))
SOAK = "INBOX_MODEL_EXAMPLES" in os.environ
SECONDS_PER_STEP = 2
CONNECTIONS = 12

PROFILE = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    # Shrinking takes minutes, because each example runs on real servers. The script of steps is readable
    # without it.
    phases=[Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if SOAK else [])],
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


class Stage:
    """Running parts, and a new tenant for each example."""

    def __init__(self, runner: asyncio.Runner, redis_url: str, parts: Parts) -> None:
        self._runner, self._redis_url, self._parts = runner, redis_url, parts
        self._client = runner.run(self._opened())
        self._tenants = 0

    async def _opened(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=CONNECTIONS)
        return httpx.AsyncClient(limits=limits, timeout=10, trust_env=False, verify=NO_TLS)

    def run(self, step: Coroutine[Any, Any, None]) -> None:
        """Carry out a step."""
        self._runner.run(step)

    def scene(self) -> Scene:
        """A scene with a new tenant."""
        self._tenants += 1
        key = self._runner.run(self._key(f"tenant-{self._tenants}"))
        installation = Installation(self._parts.installation.api, "", key)
        ports = [gateway.port for gateway in self._parts.gateways]
        return Scene(Application(self._client, installation), ports, USERS, thorough=SOAK)

    def replace_gateway(self, gateway: int) -> None:
        """Kill a gateway, and start another in its place."""
        process = self._parts.gateways[gateway]
        process.kill()
        process.start()
        wait_until(process.ready, "the start of a gateway", START_SECONDS)

    async def _key(self, tenant: str) -> str:
        async with redis.asyncio.Redis.from_url(self._redis_url) as commands:
            registry = Registry(commands)
            await registry.create_tenant(tenant)
            return await registry.create_key(tenant)

    def close(self) -> None:
        """Close what `scene` opened."""
        self._runner.run(self._client.aclose())


@contextmanager
def running_stage(redis_url: str) -> Iterator[Stage]:
    """Two dispatchers, two gateways and an API on one store."""
    with running_parts(redis_url) as parts, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stage = Stage(runner, redis_url, parts)
        try:
            yield stage
        finally:
            stage.close()


@pytest.mark.timeout(60 + EXAMPLES * STEPS * SECONDS_PER_STEP)
def test_inboxes_equal_the_model(redis_url: str) -> None:
    """After any steps, lists, counts, receipts and received frames equal those of the model."""
    with running_stage(redis_url) as stage:
        machine = SoakMachine if SOAK else SnoozingMachine
        machine.stage = stage
        run_state_machine_as_test(machine, settings=PROFILE)
