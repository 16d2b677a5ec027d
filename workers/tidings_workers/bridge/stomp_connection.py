"""One connection to a broker that speaks STOMP: its frames, its receipts and its heartbeats."""

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import unquote, urlsplit

from tidings.protocol import limits
from tidings_workers.addresses import masked
from tidings_workers.bridge.brokers import ANSWER_SECONDS, CONNECT_SECONDS, BrokerError, reason_of
from tidings_workers.bridge.configuration import StompSource
from tidings_workers.bridge.tls import fault_of
from tidings_workers.gateway.stomp.frames import HEARTBEAT, Frame, StompError, Version, encode
from tidings_workers.gateway.stomp.parser import Parser

HEARTBEAT_MS: Final = 10_000
# A broker's heartbeat may be late by this factor.
PATIENCE: Final = 3
READ_BYTES: Final = 64 * 1024
# The largest list of notifications, and its headers.
FRAME_BYTES: Final = limits.BATCH_BYTES + 64 * 1024


class StompConnection:
    """A connection of one source. When it ends, each method raises BrokerError with the reason."""

    def __init__(
        self, source: StompSource, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._source = source
        self._reader, self._writer = reader, writer
        self._parser = Parser(FRAME_BYTES)
        self.version: Version = "1.2"
        self._frames: deque[Frame] = deque()
        self._wakes = asyncio.Event()
        self._drained = asyncio.Event()
        self._receipts: dict[str, asyncio.Future[None]] = {}
        self._end = ""
        self._tasks: list[asyncio.Task[None]] = []

    async def connect(self) -> None:
        """Log in. Raises BrokerError."""
        parts = urlsplit(self._source.url)
        login = self._source.login if self._source.login is not None else unquote(parts.username or "")
        passcode = (
            self._source.passcode if self._source.passcode is not None else unquote(parts.password or "")
        )
        headers = {
            "accept-version": "1.1,1.2",
            "host": unquote(parts.path) if parts.path not in {"", "/"} else "/",
            "heart-beat": f"{HEARTBEAT_MS},{HEARTBEAT_MS}",
            **({"login": login} if login else {}),
            **({"passcode": passcode} if passcode else {}),
        }
        self._write("CONNECT", headers.items())
        answer: Frame | None = None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                while answer is None:
                    answer = await self._next()
        except TimeoutError:
            raise BrokerError(
                f"{masked(self._source.url)} does not answer CONNECT: name its port for STOMP in url"
            ) from None
        if answer.command != "CONNECTED":
            raise BrokerError(
                f"{masked(self._source.url)} refuses the connection ({_text(answer)}): correct login and "
                "passcode"
            )
        self.version = "1.2" if answer.headers.get("version") == "1.2" else "1.1"
        self._parser.version = self.version
        sends, wants = _heartbeat(answer.headers.get("heart-beat", "0,0"))
        silence = PATIENCE * max(sends, HEARTBEAT_MS) / 1000 if sends else None
        self._tasks.append(asyncio.create_task(self._read(silence)))
        if wants:
            self._tasks.append(asyncio.create_task(self._beat(max(wants, HEARTBEAT_MS) / 1000)))

    async def close(self) -> None:
        """Disconnect and close. The broker has received all acknowledgements then, unless it was away."""
        with suppress(BrokerError, OSError, TimeoutError):
            if not self._end and self._tasks:
                await self._confirmed("DISCONNECT", {})
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._writer.wait_closed()

    async def _confirmed(self, command: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        receipt = secrets.token_hex(8)
        future = self._receipts[receipt] = asyncio.get_running_loop().create_future()
        try:
            self._raise_ended()
            self._write(command, {**headers, "receipt": receipt}.items(), body)
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._drain()
                await future
        except TimeoutError:
            raise BrokerError(
                f"the broker did not confirm {command} within {ANSWER_SECONDS:.0f} s: see its log"
            ) from None
        finally:
            del self._receipts[receipt]

    async def _read(self, silence: float | None) -> None:
        """Frames into the queue, until the connection ends."""
        try:
            while True:
                # A queue that is full stops the reading, and so the broker.
                while len(self._frames) > self._source.prefetch:
                    self._drained.clear()
                    await self._drained.wait()
                async with asyncio.timeout(silence):
                    frame = await self._next()
                if frame is not None:
                    self._take(frame)
        except TimeoutError:
            self._ends("the broker sent no heartbeat: see its log")
        except BrokerError as error:
            self._ends(str(error))

    def _take(self, frame: Frame) -> None:
        if frame.command == "MESSAGE":
            self._frames.append(frame)
            self._wakes.set()
        elif frame.command == "RECEIPT":
            future = self._receipts.get(frame.headers.get("receipt-id", ""))
            if future is not None and not future.done():
                future.set_result(None)
        elif frame.command == "ERROR":
            raise BrokerError(
                f"the broker refused this ({_text(frame)}): see destination {self._source.destination}"
            )

    async def _next(self) -> Frame | None:
        """The next frame; None after bytes that complete none. Raises BrokerError at the end."""
        try:
            frame = self._parser.next_frame()
            if frame is not None:
                return frame
            data = await self._reader.read(READ_BYTES)
        except StompError as error:
            if error.code == "too_large":
                raise BrokerError(f"a message is larger than {FRAME_BYTES:,} bytes: remove it") from None
            detail = error.detail.removesuffix(".")
            raise BrokerError(
                f"{masked(self._source.url)} sent a frame that is not valid ({detail}): name its port for "
                "STOMP in url, with stomps:// if it is for TLS"
            ) from None
        except OSError as error:
            if fault := fault_of(error):
                raise BrokerError(f"{masked(self._source.url)} {fault}") from None
            raise BrokerError(f"the connection ended ({reason_of(error)}): see the broker's log") from None
        if not data:
            raise BrokerError("the broker closed the connection: see its log")
        self._parser.feed(data)
        return None

    async def _beat(self, seconds: float) -> None:
        while not self._end:
            await asyncio.sleep(seconds / 2)
            if not self._writer.transport.is_closing():
                self._writer.write(HEARTBEAT)

    def _write(self, command: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> None:
        self._check_open()
        self._writer.write(encode(command, headers, body, self.version))

    async def _drain(self) -> None:
        self._check_open()
        try:
            await self._writer.drain()
        except OSError as error:
            raise BrokerError(f"the connection ended ({reason_of(error)}): see the broker's log") from None

    def _ends(self, reason: str) -> None:
        self._end = self._end or reason
        self._wakes.set()
        for future in self._receipts.values():
            if not future.done():
                future.set_exception(BrokerError(self._end))

    def _check_open(self) -> None:
        # A write to a transport that is closed is an error of the event loop.
        if self._writer.transport.is_closing():
            raise BrokerError(self._end or "the broker closed the connection: see its log")

    def _raise_ended(self) -> None:
        if self._end:
            raise BrokerError(self._end)


def _heartbeat(text: str) -> tuple[int, int]:
    """How often the broker sends a heartbeat, and wants one, in ms; 0 is never."""
    sends, _, wants = text.partition(",")
    try:
        return max(0, int(sends)), max(0, int(wants))
    except ValueError:
        return 0, 0


def _text(frame: Frame) -> str:
    body = frame.body[:300].decode(errors="replace")
    return " ".join(f"{frame.headers.get('message', frame.command)} {body}".split())
