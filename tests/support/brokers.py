"""Real brokers for tests: RabbitMQ with its STOMP plugin, and Kafka. A test may kill and restart them."""

import base64
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path

from tests.support.ports import free_port
from tests.support.tls import PrivateCA
from tests.support.tree import ROOT
from tests.support.valkey import wait_until

START_SECONDS = 90.0

_RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_JARS = ROOT / ".venv" / "kafka"

_RABBITMQ_CONF = """listeners.tcp.1 = 127.0.0.1:{port}
stomp.listeners.tcp.1 = 127.0.0.1:{stomp}
listeners.ssl.1 = 127.0.0.1:{tls}
stomp.listeners.ssl.1 = 127.0.0.1:{stomp_tls}
ssl_options.cacertfile = {home}/ca.pem
ssl_options.certfile = {home}/server.pem
ssl_options.keyfile = {home}/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
loopback_users.guest = true
log.console = true
log.console.level = warning
log.file = false
vm_memory_high_watermark.absolute = 256MB
disk_free_limit.absolute = 50MB
collect_statistics = none
"""
_KAFKA_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},\
  SASL_PLAINTEXT://127.0.0.1:{sasl},SSL://127.0.0.1:{tls}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{sasl},SSL://127.0.0.1:{tls}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL
listener.name.ssl.ssl.keystore.type=PEM
listener.name.ssl.ssl.keystore.location={home}/both.pem
listener.name.ssl.ssl.truststore.type=PEM
listener.name.ssl.ssl.truststore.location={home}/ca.pem
listener.name.ssl.ssl.client.auth=requested
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\\
  org.apache.kafka.common.security.plain.PlainLoginModule required user_tidings="right";
log.dirs={home}/data
num.partitions=3
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
log.cleaner.enable=false
auto.create.topics.enable=false
"""
_LOG4J = """rootLogger.level = ERROR
rootLogger.appenderRef.c.ref = c
appender.c.type = Console
appender.c.name = c
appender.c.layout.type = PatternLayout
appender.c.layout.pattern = %m%n
"""


class Certificates:
    """A private authority in a directory: `ca`, and a client's `certificate` and `key`.

    The server's are `server.pem` and `server.key`, and together `both.pem`.
    """

    def __init__(self, home: Path) -> None:
        authority = PrivateCA(home)
        self.ca = str(authority.ca)
        certificate, key = authority.certify(home, "server")
        (home / "both.pem").write_bytes(key.read_bytes() + certificate.read_bytes())
        self.certificate, self.key = map(str, authority.certify(home, "client"))


class Server:
    """One broker and its directory, which survives `kill` and `start`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.certificates = Certificates(home)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return when it accepts clients."""
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), env=self._environment(), stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self._accepts, f"the start of {self.home / 'log'}", START_SECONDS)

    def kill(self) -> None:
        """SIGKILL to the broker and its children."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(20)

    def _accepts(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError((self.home / "log").read_text()[-3000:])
        return all(map(_listens, self._ports()))

    def _ports(self) -> Sequence[int]:
        return [self.port]

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _environment(self) -> dict[str, str]:
        return dict(os.environ)


class Rabbitmq(Server):
    """RabbitMQ; `url` is that of AMQP, `stomp` the port of STOMP.

    Its ports `tls` and `stomp_tls` need a client certificate of its authority: see `Certificates`.
    """

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.stomp, self.tls, self.stomp_tls = free_port(), free_port(), free_port()
        self._epmd, self._distribution = free_port(), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/"
        ports = {"port": self.port, "stomp": self.stomp, "tls": self.tls, "stomp_tls": self.stomp_tls}
        (home / "rabbitmq.conf").write_text(_RABBITMQ_CONF.format(home=home, **ports))
        (home / "enabled_plugins").write_text("[rabbitmq_stomp].")

    def kill(self) -> None:
        """SIGKILL, also to the name server of its own."""
        super().kill()
        epmd = [shutil.which("epmd") or "epmd", "-port", str(self._epmd), "-kill"]
        relaxed = {**os.environ, "ERL_EPMD_RELAXED_COMMAND_CHECK": "1"}
        subprocess.run(epmd, env=relaxed, capture_output=True, timeout=20, check=False)
        wait_until(lambda: not _listens(self._epmd), "the end of epmd", 20)

    def _ports(self) -> Sequence[int]:
        return [self.port, self.stomp, self.tls, self.stomp_tls]

    def _command(self) -> list[str]:
        return [str(_RABBITMQ)]

    def _environment(self) -> dict[str, str]:
        home = str(self.home)
        return {
            **os.environ,
            "HOME": home,
            "RABBITMQ_NODENAME": f"t{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf",
            "RABBITMQ_MNESIA_BASE": f"{home}/mnesia",
            "RABBITMQ_LOG_BASE": f"{home}/logs",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_PID_FILE": f"{home}/pid",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd),
            # `epmd -kill` works while it believes that the node is alive.
            "ERL_EPMD_RELAXED_COMMAND_CHECK": "1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none"
            ),
        }


class Kafka(Server):
    """Kafka with one node; `servers` names it, `sasl` needs the user `tidings` with the password `right`.

    `tls` needs TLS.
    """

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        ports = {"port": self.port, "controller": free_port(), "sasl": free_port(), "tls": free_port()}
        self.servers = f"127.0.0.1:{self.port}"
        self.sasl, self.tls = f"127.0.0.1:{ports['sasl']}", f"127.0.0.1:{ports['tls']}"
        (home / "server.properties").write_text(_KAFKA_PROPERTIES.format(home=home, **ports))
        (home / "log4j2.properties").write_text(_LOG4J)
        # Behind a first byte of 0 it begins with no hyphen, which would be an option.
        identity = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        self._run("kafka.tools.StorageTool", "format", "-t", identity, "-c", "server.properties")

    def _java(self, *words: str) -> list[str]:
        options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        logs = "-Dlog4j2.configurationFile=file:log4j2.properties"
        return ["java", *options, logs, "-cp", f"{_JARS}/*", *words]

    def _run(self, *words: str) -> None:
        subprocess.run(self._java(*words), cwd=self.home, capture_output=True, timeout=60, check=True)

    def _command(self) -> list[str]:
        return [
            "sh",
            "-c",
            'cd "$0" && exec "$@"',
            str(self.home),
            *self._java("kafka.Kafka", "server.properties"),
        ]


def why_no_rabbitmq() -> str:
    """Why RabbitMQ can't be started here; empty when it can."""
    return "" if _RABBITMQ.exists() else "RabbitMQ is not installed (Debian: rabbitmq-server)"


def why_no_kafka() -> str:
    """Why Kafka can't be started here; empty when it can."""
    if shutil.which("java") is None:
        return "Java is not installed (Debian: default-jre-headless)"
    return "" if (_JARS / ".installed").exists() else "there are no jars of Kafka: make kafka"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
