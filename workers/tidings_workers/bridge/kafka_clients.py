"""Clients of Kafka: their options, their start, and their errors with a cure. Sources and sinks share it."""

import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from aiokafka.errors import (
    GroupAuthorizationFailedError,
    IllegalStateError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
)
from aiokafka.helpers import create_ssl_context

from tidings_workers.bridge.brokers import ANSWER_SECONDS, CONNECT_SECONDS, BrokerError, answered, reason_of
from tidings_workers.bridge.configuration import KafkaSink, KafkaSource

# The library logs a line per try while a broker is away; the status of the table has the fault.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)

FAULTS: Final = (KafkaError, OSError, TimeoutError, IllegalStateError)


def options(table: KafkaSource | KafkaSink) -> dict[str, Any]:
    """The options of each client of a source or sink."""
    protocol = ("SASL_" if table.user else "") + ("SSL" if table.tls else "PLAINTEXT")
    return {
        "bootstrap_servers": _servers(table),
        "client_id": f"tidings-bridge-{table.name}",
        "request_timeout_ms": int(ANSWER_SECONDS * 1000),
        "retry_backoff_ms": 1_000,
        "security_protocol": protocol,
        "ssl_context": create_ssl_context() if table.tls else None,
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
        shown = ", ".join(_servers(table))
        reason = reason_of(error)
        if table.user is None:
            detail = f"{shown} can't be reached ({reason}): start it, or correct servers"
        else:
            # The library gives the same error for both.
            detail = (
                f"{shown} can't be reached, or refuses the user or the password ({reason}): start it, or "
                "correct servers, user, password and mechanism"
            )
        raise BrokerError(detail) from None
    return client


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
