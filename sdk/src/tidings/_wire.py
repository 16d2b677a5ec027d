"""Connections to the server: timeouts, TLS and proxy, the same for HTTP and for WebSockets."""

import os
import ssl
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Literal

import httpx

from tidings._calls.call import Answer
from tidings._errors import ConfigurationError
from tidings._exchange import Failure
from tidings._reasons import reason_of, timed_out

TIMEOUT_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 5.0
# A call to a server nearby takes milliseconds: with more at a time, calls would only wait at the server.
MAX_CONNECTIONS: Final = 16
KEPT_SECONDS: Final = 30.0

Proxy = str | Literal[True]


class Wire:
    """The options of a client's connections. Raises ConfigurationError for options that cannot be used.

    `timeout` is in seconds, for each try. At most `max_connections` are open at a time. `proxy` is the URL of
    a proxy, or True for the proxy of the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`).
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        max_connections: int,
        ssl_context: ssl.SSLContext | None,
        proxy: Proxy | None,
    ) -> None:
        self.timeout = timeout
        self.timeouts = timeouts(timeout)
        if max_connections < 1:
            raise ConfigurationError(f"max_connections must be 1 or more, not {max_connections}")
        self.max_connections = max_connections
        try:
            _ = isinstance(proxy, str) and httpx.Proxy(proxy)
        except (ValueError, httpx.InvalidURL) as error:
            raise ConfigurationError(f"The proxy {proxy!r} cannot be used: {error}") from None
        self.proxy = proxy
        self._given = ssl_context
        self._secure = url.startswith("https:")
        if self._secure:
            _ = self.ssl_context
        if proxy is not None:
            self._check_proxy()

    def _check_proxy(self) -> None:
        try:
            with httpx.Client(**self.httpx_options()):
                pass
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise ConfigurationError(f"The proxy cannot be used: {str(error).rstrip('.')}") from None
        if isinstance(self.proxy, str) and not httpx.URL(self.proxy).host:
            raise ConfigurationError(f"The proxy {self.proxy!r} must name a host, as http://proxy:3128")

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """The trusted certificates: given, else of `SSL_CERT_FILE` and `SSL_CERT_DIR`, else the usual ones.

        The usual ones are Mozilla's list and those of the system.
        """
        if self._given is not None:
            return self._given
        for name, exists in (("SSL_CERT_FILE", os.path.isfile), ("SSL_CERT_DIR", os.path.isdir)):
            if (path := os.environ.get(name)) and not exists(path):
                raise ConfigurationError(f"{name} names {path!r}, which does not exist. Correct or unset it")
        try:
            context = httpx.create_ssl_context()
            context.load_default_certs()
        except OSError as error:
            raise ConfigurationError(
                f"The certificates of SSL_CERT_FILE or SSL_CERT_DIR cannot be read: {reason_of(error).text}. "
                "Give a file in PEM format"
            ) from error
        return context

    def httpx_options(self) -> dict[str, Any]:
        """The keywords of an `httpx.Client` or `httpx.AsyncClient` with one connection."""
        # Loading all authorities takes longer than a call, so plain HTTP gets an empty context.
        unused = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return {
            "timeout": self.timeouts,
            "limits": httpx.Limits(
                max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEPT_SECONDS
            ),
            "verify": self.ssl_context if self._secure or self.proxy is not None else unused,
            "proxy": self.proxy if isinstance(self.proxy, str) else None,
            "trust_env": self.proxy is True,
            "headers": {"User-Agent": user_agent()},
        }


def timeouts(seconds: float) -> httpx.Timeout:
    """`seconds` for each of reading, writing and waiting for a pooled connection."""
    if not seconds > 0:
        raise ConfigurationError(f"timeout must be more than 0 seconds, not {seconds}")
    return httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))


def timeouts_of(seconds: float | None, default: httpx.Timeout) -> httpx.Timeout:
    """The timeouts of one call: its own, or the client's."""
    return default if seconds is None else timeouts(seconds)


def user_agent() -> str:
    """The User-Agent of requests and handshakes."""
    try:
        return f"tidings-python/{version('tidings')}"
    except PackageNotFoundError:
        return "tidings-python"


def answer_of(response: httpx.Response) -> Answer:
    """The answer of a response whose body was read."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content)


_TIMEOUTS: Final[dict[type[httpx.TimeoutException], str]] = {
    httpx.ConnectTimeout: "connect",
    httpx.ReadTimeout: "read",
    httpx.WriteTimeout: "write",
    httpx.PoolTimeout: "pool",
}


def failure_of(error: httpx.RequestError, limits: httpx.Timeout) -> Failure:
    """The reason why a try got no answer. `limits` are the timeouts of the try, in seconds."""
    for kind, name in _TIMEOUTS.items():
        if isinstance(error, kind):
            return Failure(timed_out(name, limits.as_dict().get(name)), error, timed_out=True)
    return Failure(reason_of(error), error)
