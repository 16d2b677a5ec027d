"""From the server's problem documents to exceptions."""

from typing import Final

import msgspec

from tidings._errors import (
    BY_CODE,
    APIError,
    AuthenticationError,
    BadRequestError,
    BodyTimeoutError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
    RequestInfo,
    ServerError,
    TooLargeError,
    TooManyRequestsError,
    UnprocessableError,
    UnsupportedMediaTypeError,
)
from tidings.protocol.errors import FieldError, Problem

_BY_STATUS: Final[dict[int, type[APIError]]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: MethodNotAllowedError,
    408: BodyTimeoutError,
    413: TooLargeError,
    415: UnsupportedMediaTypeError,
    422: UnprocessableError,
    429: TooManyRequestsError,
}


class LaxProblem(msgspec.Struct):
    """`tidings.protocol.errors.Problem` with nothing required: a proxy may answer in our place."""

    detail: str = ""
    title: str = ""
    code: str = ""
    request_id: str | None = None
    errors: tuple[FieldError, ...] = ()


def error_of(
    problem: Problem | LaxProblem,
    status: int,
    *,
    request: RequestInfo | None = None,
    request_id: str | None = None,
    retry_after: float | None = None,
) -> APIError:
    """The exception for a problem: by its `code`, else by the HTTP status."""
    fallback = ServerError if status >= 500 else APIError  # noqa: PLR2004
    kind = BY_CODE.get(problem.code) or _BY_STATUS.get(status, fallback)
    return kind(
        problem.detail or problem.title or "The server gave no reason",
        code=problem.code or f"http_{status}",
        status=status,
        errors=problem.errors,
        request_id=problem.request_id or request_id,
        retry_after=retry_after,
        request=request,
    )


def error_of_answer(
    status: int,
    body: bytes,
    *,
    request: RequestInfo,
    request_id: str | None = None,
    retry_after: float | None = None,
) -> APIError:
    """The exception for an HTTP answer; one that is no problem document gets the code ``http_<status>``."""
    try:
        problem = msgspec.json.decode(body, type=LaxProblem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        problem = LaxProblem()
    return error_of(problem, status, request=request, request_id=request_id, retry_after=retry_after)
