"""Clients of Kafka: their options, their start, and their errors with a cure. Sources and sinks share it."""

import asyncio
import logging
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from aiokafka.conn import collect_hosts
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    IllegalStateError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
)

from tidings_workers.bridge.brokers import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    BrokerError,
    answered,
    reason_of,
    secured,
    unreachable,
)
from tidings_workers.bridge.configuration import KafkaSink, KafkaSource

# The library logs a line per try while a broker is away; the status of the table has the fault.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)

FAULTS: Final = (KafkaError, OSError, TimeoutError, IllegalStateError)

# A server that accepts a client sends nothing before a request.
_QUIET_SECONDS: Final = 0.5


def options(table: KafkaSource | KafkaSink) -> dict[str, Any]:
    """The options of each client of a source or sink."""
    protocol = ("SASL_" if table.user else "") + ("SSL" if table.tls else "PLAINTEXT")
    return {
        "bootstrap_servers": _servers(table),
        "client_id": f"tidings-bridge-{table.name}",
        "request_timeout_ms": int(ANSWER_SECONDS * 1000),
        "retry_backoff_ms": 1_000,
        "security_protocol": protocol,
        "ssl_context": secured(table),
        "sasl_mechanism": table.mechanism,
        "sasl_plain_username": table.user,
        "sasl_plain_password": table.password,
    }


async def started(table: KafkaSource | KafkaSink, client: Any) -> Any:
    """The client, started. Raises BrokerError."""
    try:
        await answered(client.start(), CONNECT_SECONDS)
    except FAULTS as error:
        await stop(client)
        raise await _why_not(table, error) from None
    return client


async def _why_not(table: KafkaSource | KafkaSink, error: BaseException) -> BrokerError:
    """Why a client did not start. The library has one error for all faults, so each server is tried here."""
    shown, context = ", ".join(_servers(table)), secured(table)
    for host, port, _ in collect_hosts(_servers(table), randomize=False):
        try:
            await _connects(host, port, context)
        except (OSError, TimeoutError) as fault:
            error = fault
            continue
        if table.user is None:
            return BrokerError(
                f"{shown} accepts connections, but does not answer: correct servers, or give tls, or "
                "user and password, as its listener needs them"
            )
        return BrokerError(
            f"{shown} refuses the user or the password, or has no {table.mechanism}: correct user, password, "
            "mechanism, or tls"
        )
    return unreachable(table, shown, error, "servers")


async def _connects(host: str, port: int, context: ssl.SSLContext | None) -> None:
    """Connect and close again. Raises OSError or TimeoutError."""
    async with asyncio.timeout(CONNECT_SECONDS):
        reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        # With TLS 1.3 a server that misses a client certificate says so after the handshake.
        with suppress(TimeoutError):
            async with asyncio.timeout(_QUIET_SECONDS if context else 0):
                await reader.read(1)
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await writer.wait_closed()


async def stop(client: Any) -> None:
    """Stop a client, whatever its state."""
    with suppress(*FAULTS):
        await answered(client.stop())


def check_topics(found: Iterable[str], wanted: Iterable[tuple[str, str]]) -> None:
    """Raise BrokerError for the first wanted topic that is not found. Each has the key that names it."""
    existing = set(found)
    for key, topic in wanted:
        if topic not in existing:
            raise BrokerError(f"the topic {topic} does not exist: create it, or correct {key}")


def explained(error: BaseException) -> str:
    """A fault and its cure."""
    if isinstance(error, BrokerError):
        return str(error)
    if isinstance(error, (TopicAuthorizationFailedError, GroupAuthorizationFailedError)):
        return f"the user may not do this ({reason_of(error)}): allow topics and group at the broker"
    if isinstance(error, (MessageSizeTooLargeError, RecordTooLargeError)):
        return f"the topic takes no message of this size ({reason_of(error)}): raise its max.message.bytes"
    if isinstance(error, TimeoutError):
        return f"Kafka does not answer within {ANSWER_SECONDS:.0f} s: see its log"
    return f"Kafka failed ({reason_of(error)}): see its log"


def _servers(table: KafkaSource | KafkaSink) -> list[str]:
    return [table.servers] if isinstance(table.servers, str) else list(table.servers)
