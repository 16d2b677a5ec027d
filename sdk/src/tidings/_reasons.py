"""The reason why no answer arrived, in the same words for HTTP and WebSockets. No I/O."""

import os
import re
import socket
import ssl
from collections.abc import Iterator

import msgspec

_CHECK = "Check that the server runs and that the URL is right"
_CHECK_API = "Check that the URL is that of the API, not that of the realtime port or of another server"
_CHECK_CA = (
    "For your own CA set SSL_CERT_FILE to the file of its certificate, or give the client an ssl_context"
)
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
_ERRNO = re.compile(r"\[Errno (\d+)\]")


class Reason(msgspec.Struct, frozen=True):
    """The fault and the cure: two sentences without their full stops."""

    text: str
    advice: str = _CHECK


def reason_of(error: BaseException) -> Reason:
    """The reason behind an error of a connection. Libraries wrap the error of the system: look inside."""
    causes = tuple(_causes(error))
    for cause in causes:
        if (reason := _known(cause)) is not None:
            return reason
    texts = [str(cause) for cause in causes if str(cause)]
    if any("disconnected without sending a response" in text for text in texts):
        return Reason("the server closed the connection without an answer", _CHECK_API)
    if found := _ERRNO.search("\n".join(texts)):
        return Reason(_of_system(int(found[1])))
    return Reason((texts or [type(error).__name__])[0].rstrip("."))


def timed_out(kind: str, seconds: float | None) -> Reason:
    """The reason of a timeout: `connect`, `read`, `write` or `pool`."""
    within = "in time" if seconds is None else f"within {seconds:g} s"
    match kind:
        case "connect":
            return Reason(f"no connection {within}")
        case "pool":
            return Reason(
                f"all connections of this client were in use, and none became free {within}",
                "Make fewer calls at once, or allow more connections",
            )
        case "write":
            return Reason(
                f"the request could not be sent {within}", "Send less at once, or raise the timeout"
            )
        case _:
            return Reason(f"the server did not answer {within}", "Check that it runs, or raise the timeout")


def _known(cause: BaseException) -> Reason | None:
    match cause:
        case ssl.SSLCertVerificationError():
            return Reason(f"its certificate is not trusted ({cause.verify_message})", _CHECK_CA)
        case ssl.SSLEOFError():
            return Reason("the server closed the connection during the TLS handshake")
        case ssl.SSLError():
            if cause.reason in _NOT_TLS:
                return Reason(
                    "the server does not speak TLS on this port", "Check http:// and https:// of the URL"
                )
            return Reason(f"TLS failed: {cause.reason or cause}".rstrip("."))
        case socket.gaierror():
            return Reason("the name of the server was not found", "Check the host of the URL")
        case OSError(errno=int(number)):
            return Reason(_of_system(number))
        case _:
            return None


def _of_system(number: int) -> str:
    return os.strerror(number).lower()


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all errors that it was raised from, the outermost first."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        found = waiting.pop(0)
        if id(found) in seen:
            continue
        seen.add(id(found))
        # Non-blocking TLS raises these all the time.
        if not isinstance(found, ssl.SSLWantReadError | ssl.SSLWantWriteError):
            yield found
        inner = found.exceptions if isinstance(found, BaseExceptionGroup) else ()
        waiting += [
            *inner,
            *(linked for linked in (found.__cause__, found.__context__) if linked is not None),
        ]
