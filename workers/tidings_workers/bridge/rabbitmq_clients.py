"""Connections to RabbitMQ, and their errors with a cure. Sources and sinks share it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import aio_pika
import aiormq
from aio_pika.abc import AbstractConnection

from tidings_workers.addresses import masked
from tidings_workers.bridge.brokers import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    BrokerError,
    reason_of,
    secured,
    unreachable,
)
from tidings_workers.bridge.configuration import RabbitmqSink, RabbitmqSource

# The libraries log each fault, and the status of the table has it.
for _library in ("aio_pika", "aiormq"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)

FAULTS: Final = (
    aiormq.exceptions.AMQPError,
    aiormq.exceptions.ChannelInvalidStateError,
    OSError,
    TimeoutError,
    asyncio.InvalidStateError,
)


@asynccontextmanager
async def connected(table: RabbitmqSource | RabbitmqSink) -> AsyncIterator[AbstractConnection]:
    """A plain connection, in which nothing is restored. Raises BrokerError when there is none."""
    connection = await _connect(table)
    try:
        yield connection
    finally:
        with suppress(*FAULTS, asyncio.CancelledError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await connection.close()


async def _connect(table: RabbitmqSource | RabbitmqSink) -> AbstractConnection:
    shown = masked(table.url)
    name = f"tidings-bridge {table.name}"
    context = secured(table)
    try:
        return await aio_pika.connect(
            table.url,
            timeout=CONNECT_SECONDS,
            client_properties={"connection_name": name},
            ssl_context=context,
        )
    except (
        aiormq.exceptions.AuthenticationError,
        aiormq.exceptions.ProbableAuthenticationError,
    ):
        raise BrokerError(f"{shown} refuses the user or the password: correct them in url") from None
    except (aiormq.exceptions.ConnectionNotAllowed, aiormq.exceptions.InvalidFrameError):
        raise BrokerError(
            f"{shown} has no such virtual host, or the user may not use it: correct url"
        ) from None
    except FAULTS as error:
        raise unreachable(table, shown, error, "url") from None


def explained(error: BaseException, place: str, key: str) -> str:
    """A fault and its cure. `place` is as ``queue orders``, and `key` names it in the file."""
    if isinstance(error, aiormq.exceptions.ChannelAccessRefused):
        return f"the user may not use the {place}: allow it at the broker"
    if isinstance(error, aiormq.exceptions.ChannelNotFoundEntity):
        return f"the {place} does not exist: declare it, or correct {key}"
    if isinstance(error, TimeoutError):
        return f"RabbitMQ does not answer within {ANSWER_SECONDS:.0f} s: see its log"
    return f"the connection ended ({reason_of(error)}): see the log of RabbitMQ"
