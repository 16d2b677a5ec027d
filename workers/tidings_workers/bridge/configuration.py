"""The tables of the bridge's file, sources and sinks. Pure."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from tidings_workers.webhook_endpoints import matching

Text = Annotated[str, Meta(min_length=1, max_length=1_000)]
Servers = Annotated[tuple[Text, ...], Meta(min_length=1, max_length=100)] | Text
Format = Literal["notification", "data"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

Kind = Literal["source", "sink"]


class Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of every table.

    For TLS, `ca` is a file with the only authorities to trust; without it, those of the machine are trusted.
    `certificate` and `key` are files of a client certificate. All are PEM.
    """

    name: Text
    tenant: Text
    type: str
    ca: Text | None = None
    certificate: Text | None = None
    key: Text | None = None

    @property
    def kind(self) -> Kind:
        """The name of the table."""
        raise NotImplementedError


class Source(Table, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of every source. `prefetch`: the most messages that are in the bridge, not acknowledged.

    `dead_letter`: the queue, topic or destination for messages that are not valid.
    """

    format: Format = "notification"
    prefetch: Annotated[int, Meta(ge=1, le=10_000)] = 100
    dead_letter: Text | None = None
    scope: Literal["send"] = "send"

    @property
    def kind(self) -> Kind:
        """The name of its table."""
        return "source"


class RabbitmqSource(Source, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A queue of RabbitMQ. `url`: amqp:// or amqps://, with user, password and virtual host."""

    url: Text
    queue: Text


class KafkaSource(Source, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Topics of Kafka, which the bridges of one `group` share. With `user` and `password` it uses SASL."""

    servers: Servers
    topics: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=1_000)]
    group: Text
    user: Text | None = None
    password: Text | None = None
    mechanism: Mechanism = "PLAIN"
    tls: bool = False


class StompSource(Source, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A destination of a broker that speaks STOMP. `url`: stomp:// or stomps://."""

    url: Text
    destination: Text
    login: Text | None = None
    passcode: Text | None = None


class Sink(Table, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of every sink. `events`: types of events, or patterns as ``user.*`` and ``*``."""

    events: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=100)]

    @property
    def kind(self) -> Kind:
        """The name of its table."""
        return "sink"

    @property
    def types(self) -> frozenset[str]:
        """The types of events that it gets."""
        return matching(self.events)


class RabbitmqSink(Sink, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An exchange of RabbitMQ. `url`: amqp:// or amqps://, with user, password and virtual host."""

    url: Text
    exchange: Text


class KafkaSink(Sink, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A topic of Kafka. With `user` and `password` it uses SASL."""

    servers: Servers
    topic: Text
    user: Text | None = None
    password: Text | None = None
    mechanism: Mechanism = "PLAIN"
    tls: bool = False


AnySource = RabbitmqSource | KafkaSource | StompSource
AnySink = RabbitmqSink | KafkaSink

SOURCES: Final[dict[str, type[AnySource]]] = {
    "rabbitmq": RabbitmqSource,
    "kafka": KafkaSource,
    "stomp": StompSource,
}
SINKS: Final[dict[str, type[AnySink]]] = {"rabbitmq": RabbitmqSink, "kafka": KafkaSink}
