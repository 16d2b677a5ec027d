"""Brokers with TLS, whose certificates are of a private authority."""

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.queues import Queues
from tests.bridge.support import (
    Bridges,
    arrive,
    happens,
    kafka_sink,
    kafka_source,
    notification,
    rabbitmq_sink,
    rabbitmq_source,
    stomp_source,
    table,
    works,
)
from tests.bridge.topics import Topics
from tests.operations.support import tidings_server
from tests.support.brokers import Certificates, Kafka, Rabbitmq
from tidings_workers.bridge.file import parse
from tidings_workers.store import Store


@pytest.fixture
def name() -> str:
    """A queue or topic of this test."""
    return f"e{uuid.uuid4().hex[:8]}"


def client(certificates: Certificates) -> dict[str, str]:
    """The keys of a table with a client certificate."""
    return {"ca": certificates.ca, "certificate": certificates.certificate, "key": certificates.key}


async def test_rabbitmq(rabbitmq: Rabbitmq, bridges: Bridges, store: Store, name: str) -> None:
    """Sources and sinks use amqps and stomps with an authority and a client certificate of the file."""
    url = f"amqps://guest:guest@127.0.0.1:{rabbitmq.tls}/"
    keys, stomps = client(rabbitmq.certificates), f"stomps://127.0.0.1:{rabbitmq.stomp_tls}"
    other = f"{name}.stomp"
    async with Queues.of(rabbitmq, name, other) as queues:
        await queues.declare_exchange(name, queue=f"{name}.events")
        await bridges.start(
            rabbitmq_source(rabbitmq, name, url=url, **keys),
            stomp_source(rabbitmq, other, url=stomps, **keys),
            rabbitmq_sink(rabbitmq, f"{name}.sink", exchange=name, url=url, **keys),
        )
        await queues.publish(name, notification(1))
        await arrive(store, ["1"])
        await queues.publish(other, notification(2))
        await arrive(store, ["1", "2"])
        await works(bridges, f"{name}.sink")
        await happens(store, 1)
        await bridges.until(f"{name}.sink", lambda report: report.accepted > 0, "the event")


async def test_kafka(kafka: Kafka, bridges: Bridges, store: Store, name: str) -> None:
    """A source and a sink use TLS with an authority of the file."""
    keys = {"servers": kafka.tls, "tls": True, "ca": kafka.certificates.ca}
    async with Topics.of(kafka, name, f"{name}.events") as topics:
        await bridges.start(kafka_source(kafka, name, **keys), kafka_sink(kafka, f"{name}.events", **keys))
        await topics.produce(name, notification(1))
        await arrive(store, ["1"])
        await works(bridges, f"{name}.events")
        await happens(store, 1)
        await bridges.until(f"{name}.events", lambda report: report.accepted > 0, "the event")


async def test_faults_have_their_cure(rabbitmq: Rabbitmq, kafka: Kafka, tmp_path: Path) -> None:
    """Another authority, a missing client certificate and a port without TLS are named, with a cure."""
    (tmp_path / "other").mkdir()
    other, own = {"ca": Certificates(tmp_path / "other").ca}, rabbitmq.certificates
    untrusted, wanted, plain = "name its CA in ca", "give a client certificate", "name its port for TLS"
    amqps, stomps = "amqps://guest:guest@127.0.0.1:{}/", "stomps://127.0.0.1:{}"
    tables = {
        "a": (rabbitmq_source(rabbitmq, "a", url=amqps.format(rabbitmq.tls), **other), untrusted),
        "b": (rabbitmq_source(rabbitmq, "b", url=amqps.format(rabbitmq.tls)), untrusted),
        "c": (rabbitmq_source(rabbitmq, "c", url=amqps.format(rabbitmq.tls), ca=own.ca), wanted),
        "d": (rabbitmq_source(rabbitmq, "d", url=amqps.format(rabbitmq.port), ca=own.ca), plain),
        "e": (stomp_source(rabbitmq, "e", url=stomps.format(rabbitmq.stomp_tls), **other), untrusted),
        "f": (stomp_source(rabbitmq, "f", url=stomps.format(rabbitmq.stomp_tls), ca=own.ca), wanted),
        "g": (stomp_source(rabbitmq, "g", url=stomps.format(rabbitmq.stomp), ca=own.ca), plain),
        "h": (stomp_source(rabbitmq, "h", url=f"stomp://127.0.0.1:{rabbitmq.stomp_tls}"), "stomps://"),
        "i": (kafka_source(kafka, "i", servers=kafka.tls, tls=True, **other), untrusted),
        "j": (kafka_source(kafka, "j", servers=kafka.servers, tls=True, ca=own.ca), plain),
        "k": (kafka_source(kafka, "k", servers=kafka.tls), "give tls"),
    }
    (tmp_path / "b.toml").write_text("".join(text for text, _ in tables.values()))
    words = ("bridge", "--check", "b.toml", "--json")
    done = await asyncio.to_thread(tidings_server, *words, cwd=tmp_path)
    found = {each["source"]: each["detail"] for each in json.loads(done.stdout)["results"]}
    assert {each: found[each] for each, (_, says) in tables.items() if says not in found[each]} == {}


@pytest.mark.parametrize(
    ("keys", "line", "says"),
    [
        ({"tls": True, "ca": "absent.pem"}, 9, "absent.pem can't be read"),
        ({"tls": True, "ca": "empty.pem"}, 9, "has no certificate"),
        ({"tls": True, "certificate": "empty.pem"}, 9, "name files of PEM"),
        ({"tls": True, "key": "empty.pem"}, 9, "give both"),
        ({"ca": "empty.pem"}, 8, "write tls = true"),
    ],
    ids=["absent", "no CA", "no certificate", "key alone", "no TLS"],
)
def test_files_that_cannot_be_used(
    keys: dict[str, Any], line: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of a certificate that is absent, or has none, is a fault with its line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.pem").write_text("")
    text = table(name="k", type="kafka", servers="host:1", topics=["t"], group="g", **keys)
    (fault,) = parse(text.encode(), {})[1]
    assert fault.line == line
    assert says in fault.detail
