"""The bridge as a part of `tidings-server dev`."""

import asyncio
import json
import uuid
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.bridge.queues import Queues
from tests.bridge.support import kafka_sink, kafka_source, notification, rabbitmq_source
from tests.bridge.topics import Topics
from tests.operations.support import eventually
from tests.support.brokers import Kafka, Rabbitmq
from tests.support.no_tls import NO_TLS
from tests.support.stack import Stack
from tidings import AsyncTidings


class WithBridge(Stack):
    """A `dev` with the file of a bridge."""

    def command(self) -> list[str]:
        """The command line of `dev --bridge`."""
        return [*super().command(), "--bridge", str(self.home / "bridge.toml")]


async def test_from_the_broker_to_the_reader_and_back(
    rabbitmq: Rabbitmq, kafka: Kafka, tmp_path: Path
) -> None:
    """With `dev --bridge FILE`, messages of two brokers reach a listener, and its marks reach a topic.

    `dev` serves the metrics of sources and sinks.
    """
    name = f"v{uuid.uuid4().hex[:8]}"
    (tmp_path / "bridge.toml").write_text(
        rabbitmq_source(rabbitmq, name, tenant="demo")
        + kafka_source(kafka, f"{name}.k", tenant="demo", topics=[name])
        + kafka_sink(kafka, f"{name}.read", tenant="demo", events=["notification.read"])
    )
    stack = WithBridge(tmp_path)
    async with Queues.of(rabbitmq, name) as queues, Topics.of(kafka, name, f"{name}.read") as topics:
        try:
            await asyncio.to_thread(stack.start)
            operator = f"http://127.0.0.1:{stack.ports[2]}/metrics"

            def shows(line: str) -> Callable[[], bool]:
                return lambda: line in httpx.get(operator, trust_env=False, timeout=10, verify=NO_TLS).text

            works = f'tidings_bridge_paused{{kind="sink",name="{name}.read"}} 0.0'
            await eventually(shows(works), "the sink", 30)
            read: dict[str, str] = {}
            async with (
                AsyncTidings(stack.api, key=stack.key) as tidings,
                tidings.listen(user="ana", device="laptop") as inbox,
                asyncio.timeout(60),
            ):
                await queues.publish(name, notification(1))
                await topics.produce(name, notification(2))
                async for delivery in inbox:
                    await delivery.mark_read()
                    read[delivery.notification.id] = str(delivery.notification.title)
                    if len(read) == 2:
                        break
            records = await topics.read(f"{name}.read", 2)
            for kind, each in (("source", name), ("source", f"{name}.k"), ("sink", f"{name}.read")):
                count = 2 if kind == "sink" else 1
                accepted = f'tidings_bridge_accepted_total{{kind="{kind}",name="{each}"}} {count}.0'
                await eventually(shows(accepted), "the metric", 30)
        finally:
            await asyncio.to_thread(stack.end)
    assert sorted(read.values()) == ["1", "2"]
    bodies = [json.loads(record.value) for record in records]
    assert {body["type"] for body in bodies} == {"notification.read"}
    assert {record.key for record in records} == {b"ana"}
    assert {body["data"]["notification"] for body in bodies} == set(read)
