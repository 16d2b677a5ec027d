"""The tree of exceptions and what they say."""

import pytest

from tidings import APIError, ConnectionFailedError, FieldError, ServerError
from tidings._errors import BY_CODE, LaxProblem, RequestInfo, error_of, error_of_answer
from tidings.protocol.errors import ERRORS, Problem

REQUEST = RequestInfo("POST", "http://api/v1/notifications", "key-1")


def test_every_code_of_the_table_has_a_class_of_its_own() -> None:
    """A code that the server can answer with is an exception that can be caught by name."""
    assert BY_CODE.keys() == ERRORS.keys()
    assert len(set(BY_CODE.values())) == len(BY_CODE)


@pytest.mark.parametrize("code", ERRORS)
def test_a_class_sits_below_that_of_its_status(code: str) -> None:
    """Catching a status catches all its codes, also those that a newer server adds."""
    status = ERRORS[code].status
    unknown = type(error_of(LaxProblem(code="brand_new"), status))
    assert issubclass(BY_CODE[code], unknown if status != 409 else APIError)
    assert issubclass(BY_CODE[code], ServerError) == (status >= 500)


def test_an_error_carries_everything_and_says_it_on_one_line() -> None:
    """Code, status, fields, mend and request id are in the attributes and in the text."""
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
    assert error.request == REQUEST
    assert str(error) == (
        "Two fields are wrong [invalid_request, HTTP 422]: #/to/users/3: is not an id; "
        "#/title: is too long. Correct the fields named (request req-7)"
    )


@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad Gateway</html>", b"[]", b"\xff", b"[" * 20_000, b'{"code": 3}']
)
def test_an_answer_of_something_else_is_an_error_by_its_status(body: bytes) -> None:
    """A proxy's page is no problem document: the status alone decides."""
    error = error_of_answer(502, body, request=REQUEST, request_id="from-header")
    assert type(error) is ServerError
    assert (error.code, error.request_id) == ("http_502", "from-header")


def test_a_lost_answer_says_what_to_repeat() -> None:
    """The outcome is unknown, so the error has the idempotency key to send again with."""
    error = ConnectionFailedError("reset", request=REQUEST, tries=3)
    assert error.request.idempotency_key == "key-1"
    assert "after 3 tries" in str(error)
