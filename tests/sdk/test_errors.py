"""The tree of exceptions, and their texts."""

import asyncio
import socket

import httpx
import pytest

from tests.sdk.gateway import KEY
from tests.sdk.scripted import Ask, Server
from tidings import (
    APIError,
    AsyncTidings,
    ConnectionFailedError,
    FieldError,
    ServerError,
    Tidings,
    TimedOutError,
)
from tidings._errors import RequestInfo
from tidings._frame_errors import BY_CODE
from tidings._problems import LaxProblem, error_of, error_of_answer
from tidings._reasons import reason_of
from tidings.protocol.errors import ERRORS, Problem

REQUEST = RequestInfo("POST", "http://api/v1/notifications", "key-1")


def test_every_code_of_the_table_has_a_class_of_its_own() -> None:
    """Each error code of the protocol has its own exception class."""
    assert BY_CODE.keys() == ERRORS.keys()
    assert len(set(BY_CODE.values())) == len(BY_CODE)


@pytest.mark.parametrize("code", ERRORS)
def test_a_class_sits_below_that_of_its_status(code: str) -> None:
    """The class of a status catches all its codes, also codes of a newer server."""
    status = ERRORS[code].status
    unknown = type(error_of(LaxProblem(code="brand_new"), status))
    assert issubclass(BY_CODE[code], unknown if status != 409 else APIError)
    assert issubclass(BY_CODE[code], ServerError) == (status >= 500)


def test_an_error_has_all_parts_in_its_attributes_and_text() -> None:
    """Code, status, fields, hint and request id are in the attributes, and on one line in the text."""
    problem = Problem(
        type="/problems/invalid_request",
        title="The request is not valid",
        status=422,
        detail="Two fields are wrong.",
        code="invalid_request",
        request_id="req-7",
        errors=(FieldError("#/to/users/3", "is not an id"), FieldError("#/title", "is too long")),
    )
    error = error_of(problem, 422, request=REQUEST)
    assert (error.code, error.status, error.request_id) == ("invalid_request", 422, "req-7")
    assert error.errors == problem.errors
    assert error.hint == error.mend == "Correct these fields"
    assert error.request == REQUEST
    assert str(error) == (
        "Two fields are wrong [invalid_request, HTTP 422]: #/to/users/3: is not an id; "
        "#/title: is too long. Correct these fields (request req-7)"
    )


@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad Gateway</html>", b"[]", b"\xff", b"[" * 20_000, b'{"code": 3}']
)
def test_an_answer_of_another_server_is_an_error_by_its_status(body: bytes) -> None:
    """The status chooses the exception for an answer that is no problem document."""
    error = error_of_answer(502, body, request=REQUEST, request_id="from-header")
    assert type(error) is ServerError
    assert (error.code, error.request_id) == ("http_502", "from-header")


def test_a_lost_answer_says_what_to_repeat() -> None:
    """The error of a lost answer has the idempotency key to repeat the send."""
    error = ConnectionFailedError("reset", request=REQUEST, tries=3)
    assert error.request.idempotency_key == "key-1"
    assert "after 3 tries" in str(error)


def closed_port() -> socket.socket:
    """A port that refuses connections while the socket exists."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    return bound


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_both_clients_say_the_same_of_a_port_that_refuses(host: str) -> None:
    """Both clients name the error of the system in the same words, and keep its cause."""
    texts = set()
    with closed_port() as bound:
        url = f"http://{host}:{bound.getsockname()[1]}"
        with Tidings(url, key=KEY, retries=0) as client, pytest.raises(ConnectionFailedError) as raised:
            await asyncio.to_thread(client.get, "n1")
        texts.add(str(raised.value))
        assert isinstance(raised.value.__cause__, httpx.ConnectError)
        async with AsyncTidings(url, key=KEY, retries=0) as aclient:
            with pytest.raises(ConnectionFailedError) as raised:
                await aclient.get("n1")
        texts.add(str(raised.value))
        assert isinstance(raised.value.__cause__, httpx.ConnectError)
    (text,) = texts
    assert "got no answer: connection refused. Check that the server runs" in text


async def test_a_socket_that_is_refused_says_the_same() -> None:
    """A live inbox names a refused connection in the words of a call."""
    with closed_port() as bound:
        url = f"ws://127.0.0.1:{bound.getsockname()[1]}/v1/realtime"
        async with AsyncTidings("http://api", token="mine", retries=0) as client:
            with pytest.raises(ConnectionFailedError, match=r"got no answer: connection refused\."):
                await client.listen(realtime_url=url).__aenter__()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (httpx.ConnectTimeout, "no connection within 5 s. Check that the server runs"),
        (httpx.ReadTimeout, "the server did not answer within 7 s. Check that it runs, or raise the timeout"),
        (httpx.WriteTimeout, "the request could not be sent within 7 s"),
        (httpx.PoolTimeout, "all connections of this client were in use, and none became free within 7 s"),
    ],
)
async def test_a_timeout_says_what_took_too_long(
    ask: Ask, error: type[httpx.RequestError], text: str
) -> None:
    """The text of a timeout names its phase (connect, send, answer, wait for a connection) and its limit."""
    with pytest.raises(TimedOutError) as raised:
        await ask(Server(error), lambda c: c.get("n1"), timeout=7, retries=0)
    assert text in str(raised.value)


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        (socket.gaierror(-2, "Name or service not known"), "the name of the server was not found"),
        (ConnectionResetError(104, "x"), "connection reset by peer"),
        (OSError("Multiple exceptions: [Errno 111] x, [Errno 111] y"), "connection refused"),
        (ExceptionGroup("x", [ConnectionRefusedError(111, "y")]), "connection refused"),
        (
            httpx.RemoteProtocolError("Server disconnected without sending a response."),
            "the server closed the connection without an answer",
        ),
    ],
)
def test_a_reason_is_found_inside_the_errors_of_libraries(cause: Exception, text: str) -> None:
    """The text has the error of the system, and not the words of the library around it."""
    wrapped = OSError("outer words")
    wrapped.__cause__ = cause
    assert reason_of(cause).text == reason_of(wrapped).text == text
