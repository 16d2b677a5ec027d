"""A real ActiveMQ Artemis for tests, with STOMP, and a client of it."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.brokers import Server
from tests.support.tree import ROOT
from tidings_workers.gateway.stomp.frames import Frame, encode
from tidings_workers.gateway.stomp.parser import Parser

_HOME = ROOT / ".venv" / "artemis" / "home"
USER, PASSWORD = "tidings", "right"
SECONDS = 30.0

_ACCEPTOR = '<acceptor name="stomp">tcp://127.0.0.1:{port}?protocols=STOMP</acceptor>'
_QUEUE = '<address name="{name}"><anycast><queue name="{name}"/></anycast></address>'


class Artemis(Server):
    """Artemis with these queues; `port` is that of STOMP."""

    def __init__(self, home: Path, *queues: str) -> None:
        super().__init__(home)
        self._instance = home / "instance"
        words = ["create", str(self._instance), "--user", USER, "--password", PASSWORD, "--require-login"]
        options = ["--silent", "--no-autotune", "--no-web", "--host", "127.0.0.1"]
        subprocess.run(self._java([*words, *options]), capture_output=True, timeout=90, check=True)
        path = self._instance / "etc" / "broker.xml"
        text = path.read_text()
        acceptors = f"<acceptors>{_ACCEPTOR.format(port=self.port)}</acceptors>"
        text = re.sub(r"<acceptors>.*</acceptors>", acceptors, text, flags=re.DOTALL)
        made = "".join(_QUEUE.format(name=name) for name in queues)
        path.write_text(text.replace("<addresses>", f"<addresses>{made}"))

    def _java(self, words: list[str], *properties: str) -> list[str]:
        options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dartemis.home={_HOME}"]
        main = "org.apache.activemq.artemis.boot.Artemis"
        return ["java", *options, *properties, "-cp", f"{_HOME}/lib/*", main, *words]

    def _command(self) -> list[str]:
        etc = f"{self._instance}/etc"
        return self._java(
            ["run"],
            f"-Dartemis.instance={self._instance}",
            f"-Dartemis.instance.etc={etc}",
            f"-Ddata.dir={self._instance}/data",
            f"-Djava.security.auth.login.config={etc}/login.config",
            f"-Dlog4j2.configurationFile={etc}/log4j2.properties",
        )


def why_no_artemis() -> str:
    """Why Artemis can't be started here; empty when it can."""
    if shutil.which("java") is None:
        return "Java is not installed (Debian: default-jre-headless)"
    return "" if (_HOME.parent / ".installed").exists() else "there is no Artemis: tools/artemis"


class StompClient:
    """A connection to a STOMP broker, which sends and receives."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._parser = Parser(1024 * 1024)

    @classmethod
    @asynccontextmanager
    async def of(cls, port: int) -> AsyncIterator["StompClient"]:
        """A client that has logged in."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            client = cls(reader, writer)
            await client._ask("CONNECT", {"accept-version": "1.2", "login": USER, "passcode": PASSWORD})
            client._parser.version = "1.2"
            yield client
        finally:
            writer.close()
            await writer.wait_closed()

    async def send(self, destination: str, body: bytes, **headers: str) -> None:
        """Send a persistent message, and return when the broker has it. `_` in a header is `-`."""
        given = {key.replace("_", "-"): text for key, text in headers.items()}
        await self._ask(
            "SEND", {"destination": destination, "persistent": "true", "receipt": "r", **given}, body
        )

    async def receive(self, destination: str) -> Frame:
        """The first message of a destination."""
        return await self._ask("SUBSCRIBE", {"id": "s", "destination": destination, "ack": "auto"})

    async def _ask(self, command: str, headers: dict[str, str], body: bytes = b"") -> Frame:
        self._writer.write(encode(command, headers.items(), body, "1.2"))
        async with asyncio.timeout(SECONDS):
            while (frame := self._parser.next_frame()) is None:
                self._parser.feed(await self._reader.read(65_536))
        assert frame.command != "ERROR", frame
        return frame
