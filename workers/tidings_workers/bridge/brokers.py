"""The face of a broker: connections that give messages or take events, and the errors of all of them."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Protocol, TypeVar

from msgspec import Struct

from tidings_workers.bridge import tls
from tidings_workers.bridge.configuration import AnySink, AnySource
from tidings_workers.bridge.messages import Message
from tidings_workers.config_checks import ConfigurationError

T = TypeVar("T")

CONNECT_SECONDS: Final = 10.0
# For one answer of a broker.
ANSWER_SECONDS: Final = 10.0


class BrokerError(Exception):
    """A connection can't begin or go on. The text names the fault, a colon, and the cure.

    It has no password.
    """


async def answered(work: Coroutine[Any, Any, T], seconds: float = ANSWER_SECONDS) -> T:
    """The result of a call of a broker's library. Raises TimeoutError after `seconds`.

    The call is a task of its own: a library that cancels it, or swallows its cancellation, stops no other
    work.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait([task], timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(_discard)
    if not task.done() or task.cancelled():
        raise TimeoutError
    return task.result()


def secured(table: AnySource | AnySink) -> ssl.SSLContext | None:
    """The context for TLS, as `tls.context_of`. Raises BrokerError."""
    try:
        return tls.context_of(table)
    except tls.InvalidTls as error:
        raise BrokerError(str(error)) from None


def unreachable(table: AnySource | AnySink, shown: str, error: BaseException, key: str) -> BrokerError:
    """The error for a connection to `shown`, which `key` names in the file, that could not begin."""
    if fault := tls.fault_of(error):
        return BrokerError(f"{shown} {fault}")
    reason = reason_of(error)
    # aiormq has an error of its own, with the text of this one.
    is_reset = isinstance(error, ConnectionResetError) or "ConnectionResetError" in reason
    if tls.is_secure(table) and is_reset:
        # The alert that asks for a certificate is lost when the broker resets the connection behind it.
        wanted = (
            "" if table.certificate else "give a client certificate in certificate and key, if it wants one, "
        )
        cure = f"{wanted}name its port for TLS, or use none"
        return BrokerError(f"{shown} ends the TLS handshake ({reason}): {cure}")
    return BrokerError(f"{shown} can't be reached ({reason}): start it, or correct {key}")


def _discard(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        task.exception()


def reason_of(error: BaseException) -> str:
    """An error of a library in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__


class BrokerConnection(Protocol):
    """An open connection of one source. Each method raises BrokerError when the connection has ended."""

    async def receive(self) -> Sequence[Message]:
        """The next messages in order, at least one and at most `prefetch` with those not acknowledged."""

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """Acknowledge all messages up to the last of these, which are the oldest that were received."""

    async def set_aside(self, message: Message, headers: Mapping[str, str]) -> None:
        """Write a message with further headers to the dead letters. On return the broker has it."""

    async def lag(self) -> int | None:
        """How many messages wait at the broker; None where it does not say. It checks the connection, too."""


class Broker(Protocol):
    """The broker of one source."""

    def connection(self) -> AbstractAsyncContextManager[BrokerConnection]:
        """An open connection; it raises BrokerError when there is none. It declares nothing at the broker."""

    async def probe(self) -> str:
        """Connect and log in, and check that the source exists, without receiving a message.

        Returns a sentence about the source. Raises BrokerError.
        """


class Outgoing(Struct, frozen=True):
    """An event for a broker. `at` is Unix ms, `user` whom it is about, if anybody, and `body` JSON."""

    id: str
    type: str
    at: int
    user: str | None
    body: bytes


class SinkConnection(Protocol):
    """An open connection of one sink."""

    async def publish(self, event: Outgoing) -> None:
        """Write an event. On return the broker has it, and somebody will receive it.

        Calls of different users may be made at the same time; those of one user keep their order only one
        after another. Raises BrokerError: the broker may have it then.
        """

    async def check(self) -> None:
        """Raise BrokerError when the connection has ended, or its topic or exchange does not exist."""


class SinkBroker(Protocol):
    """The broker of one sink."""

    def connection(self) -> AbstractAsyncContextManager[SinkConnection]:
        """An open connection; it raises BrokerError when there is none. It declares nothing at the broker."""

    async def probe(self) -> str:
        """Connect and log in, and check that the topic or exchange exists, without writing.

        Returns a sentence about it. Raises BrokerError.
        """


# Per kind and type: the module, and the library and the extra that it needs.
_MODULES: Final[dict[tuple[str, str], tuple[str, str, str]]] = {
    ("source", "rabbitmq"): ("tidings_workers.bridge.rabbitmq", "aio_pika", "rabbitmq"),
    ("source", "kafka"): ("tidings_workers.bridge.kafka", "aiokafka", "kafka"),
    ("source", "stomp"): ("tidings_workers.bridge.stomp", "", ""),
    ("sink", "rabbitmq"): ("tidings_workers.bridge.rabbitmq_sink", "aio_pika", "rabbitmq"),
    ("sink", "kafka"): ("tidings_workers.bridge.kafka_sink", "aiokafka", "kafka"),
}


def check_extra(table: AnySource | AnySink) -> None:
    """Raise ConfigurationError when the library of a source or sink is not installed. Imports nothing."""
    _, library, extra = _MODULES[table.kind, table.type]
    if library and find_spec(library) is None:
        raise ConfigurationError(
            f"the {table.kind} {table.name} of type {table.type} needs an extra that is not installed: "
            f"pip install 'tidings-server[{extra}]'"
        )


def open_broker(source: AnySource) -> Broker:
    """The broker of a source. Its library is imported now.

    Raises ConfigurationError when an extra is not installed.
    """
    broker: Broker = _opened(source)
    return broker


def open_sink(sink: AnySink) -> SinkBroker:
    """The broker of a sink, as `open_broker`."""
    broker: SinkBroker = _opened(sink)
    return broker


def _opened(table: AnySource | AnySink) -> Any:
    check_extra(table)
    module, _, _ = _MODULES[table.kind, table.type]
    make: Callable[[AnySource | AnySink], Any] = import_module(module).broker
    return make(table)
