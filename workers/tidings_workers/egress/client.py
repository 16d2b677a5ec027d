"""The client for HTTP requests to URLs of tenants.

A request resolves the host, checks every address, and connects to a checked address: a name that changes its
address in between reaches nothing else. TLS verifies the host's name. It follows no redirect, uses no proxy
of the environment, and decodes no compression. Bytes are counted at the socket, so heads, interim answers and
chunk sizes count as well as the body.
"""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import httpcore
from msgspec import Struct

from tidings.protocol import limits
from tidings_workers.egress.addresses import Networks, RefusedAddress, check_addresses
from tidings_workers.egress.connections import Connections
from tidings_workers.egress.resolver import Resolver
from tidings_workers.egress.urls import read_url

ANSWER_BYTES: Final = limits.UPSTREAM_ANSWER_BYTES
# Of bytes before the next piece of the body: the head with the interim answers before it, the sizes of
# chunks, or the trailers. A line of them costs 10 us, so they take at most 40 ms.
HEAD_BYTES: Final = 16 * 1024
# One read costs 40 us and one piece 20 us, whatever their size. A server that writes less than 128 bytes at a
# time is refused.
PIECES: Final = 2_048
# The parser gets no more at once, so that the limit of the head is in effect within it.
READ_BYTES: Final = 4 * 1024
SECONDS: Final = 10.0
_TOO_MUCH: Final = (
    f"The answer is larger than {ANSWER_BYTES // 1024} KB, its head is larger than {HEAD_BYTES // 1024} KB, "
    "or the server writes too few bytes at a time."
)
# Of one host, how many addresses one connect tries, and how long each but the last.
ADDRESSES: Final = 4
ADDRESS_SECONDS: Final = 1.5


class EgressError(Exception):
    """There is no answer that can be used. The text names no address and no part of the answer."""


class Unreachable(EgressError):
    """No connection, or it broke before the head of an answer: the request may be sent once more."""


class Late(EgressError):
    """The whole answer did not arrive in time."""


class Answer(Struct, frozen=True):
    """An answer: its status, its body, of whatever content type, and its header Retry-After, or ''."""

    status: int
    body: bytes
    retry_after: str = ""


class _TooMuch(Exception):
    """The server sent more bytes than an answer may have, or too few at a time."""


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that counts the reads, and the bytes they had, since its last write.

    That write was a part of a request.
    """

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._reads = self._bytes = self._before_piece = 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        data = await self._inner.read(min(max_bytes, READ_BYTES), timeout)
        self._reads += 1
        self._bytes += len(data)
        self._before_piece += len(data)
        if self._bytes > ANSWER_BYTES + HEAD_BYTES or self._before_piece > HEAD_BYTES or self._reads > PIECES:
            raise _TooMuch
        return data

    def piece_arrived(self) -> None:
        """The bytes so far had the head, or a piece of the body."""
        self._before_piece = 0

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self._reads = self._bytes = self._before_piece = 0
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        try:
            inner = await self._inner.start_tls(ssl_context, server_hostname, timeout)
        except asyncio.CancelledError:
            # httpcore closes it after errors only.
            await self._inner.aclose()
            raise
        return _Stream(inner)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.AsyncNetworkBackend):
    """Connects to the addresses of a host that may be reached."""

    def __init__(self, resolver: Resolver, allowed: Networks) -> None:
        self._resolver = resolver
        self._allowed = allowed
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            found = await self._resolver.resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        failure: Exception = httpcore.ConnectError("the host has no address")
        addresses = check_addresses(found, self._allowed)[:ADDRESSES]
        for address in addresses:
            limit = timeout if address == addresses[-1] else ADDRESS_SECONDS
            try:
                stream = await self._inner.connect_tcp(address, port, limit, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream)
        raise failure

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Endpoint:
    """One URL, with its open connections."""

    def __init__(self, url: httpcore.URL, host: bytes, connections: Connections) -> None:
        self._connections = connections
        self._url = url
        self._host = host

    async def post(self, headers: Mapping[str, str], body: bytes, seconds: float = SECONDS) -> Answer:
        """POST a body, and read the answer, of at most 256 KB, within `seconds` in all.

        Raises Unreachable, Late, or EgressError.
        """
        started = False
        try:
            async with asyncio.timeout(seconds):
                fields = [(b"Host", self._host), (b"Content-Length", b"%d" % len(body))]
                fields += [(name.encode(), value.encode()) for name, value in headers.items()]
                request = httpcore.Request("POST", self._url, headers=fields, content=body)
                async with self._connections.stream(request) as response:
                    started = True
                    return await _read(response)
        except TimeoutError:
            raise Late(f"No whole answer arrived within {seconds:g} seconds.") from None
        except RefusedAddress:
            raise EgressError("The host of the URL has an address that is not allowed.") from None
        except _TooMuch:
            raise EgressError(_TOO_MUCH) from None
        except ssl.SSLError:
            raise EgressError("The certificate of the host cannot be verified.") from None
        except httpcore.UnsupportedProtocol:
            raise EgressError("The URL begins with neither https:// nor http://.") from None
        except httpcore.ConnectError as error:
            if _is_certificate(error):
                raise EgressError("The certificate of the host cannot be verified.") from None
            raise Unreachable("The host of the URL cannot be reached.") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            if started:
                raise EgressError("The answer was cut off, or is not valid HTTP.") from None
            raise Unreachable("The connection ended without a valid answer.") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()


class Egress:
    """Makes the endpoints of one process. `allowed`: the networks that may be reached beside public ones."""

    def __init__(self, allowed: Networks) -> None:
        self._resolver = Resolver()
        self._backend = _Backend(self._resolver, allowed)
        # With the authorities of the system. Loading them takes 20 ms.
        self._tls = ssl.create_default_context()

    def endpoint(self, url: str, connections: int) -> Endpoint:
        """The endpoint of a URL, with at most this many connections at a time. Raises InvalidUrl."""
        address = read_url(url)
        target = httpcore.URL(
            scheme=address.scheme, host=address.host, port=address.port, target=address.target
        )
        pool = Connections(target.origin, connections, self._backend, self._tls)
        return Endpoint(target, address.authority.encode(), pool)

    def close(self) -> None:
        """Start no further look-up of a host."""
        self._resolver.close()


async def _read(response: httpcore.Response) -> Answer:
    body, pieces = bytearray(), 0
    stream = response.extensions["network_stream"]
    assert isinstance(stream, _Stream)  # noqa: S101 - the backend makes no others
    stream.piece_arrived()
    async for piece in response.aiter_stream():
        body += piece
        pieces += 1
        stream.piece_arrived()
        if len(body) > ANSWER_BYTES or pieces > PIECES:
            raise _TooMuch
    return Answer(response.status, bytes(body), _retry_after(response))


def _retry_after(response: httpcore.Response) -> str:
    if response.status < HTTPStatus.MULTIPLE_CHOICES:
        return ""
    values = [value for name, value in response.headers if name.lower() == b"retry-after"]
    return values[0].decode("ascii", "replace") if values else ""


def _is_certificate(error: BaseException) -> bool:
    """Whether a failed connect reached the host, and TLS failed."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
