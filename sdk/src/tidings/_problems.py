"""Exceptions for the server's problem documents."""

from typing import Final
from urllib.parse import urljoin, urlsplit, urlunsplit

import msgspec

from tidings._api_errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    BodyTimeoutError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
    RedirectedError,
    ServerError,
    TooLargeError,
    TooManyRequestsError,
    UnprocessableError,
    UnsupportedMediaTypeError,
)
from tidings._errors import RequestInfo
from tidings._frame_errors import BY_CODE
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


_REDIRECTS: Final = range(300, 400)
_OF_ANOTHER_SERVER: Final = {404, 405, 426}
_NOT_THE_API: Final = (
    "Check that the URL is that of a Tidings API, with the path prefix of a proxy in front of it"
)


class LaxProblem(msgspec.Struct):
    """`tidings.protocol.errors.Problem` without required fields: a proxy may answer instead of the server."""

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
    hint: str | None = None,
) -> APIError:
    """The exception for a problem, chosen by its `code`, else by the HTTP status."""
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
        hint=hint,
    )


def error_of_answer(
    status: int,
    body: bytes,
    *,
    request: RequestInfo,
    request_id: str | None = None,
    retry_after: float | None = None,
    location: str | None = None,
) -> APIError:
    """The exception for an HTTP answer. Without a problem document its code is ``http_<status>``."""
    try:
        problem = msgspec.json.decode(body, type=LaxProblem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        problem = LaxProblem()
    if _REDIRECTS.start <= status < _REDIRECTS.stop and location:
        return _redirected(status, urljoin(request.url, location), request, request_id)
    # Refusals of the API have a code, so another server answers at that URL.
    hint = _NOT_THE_API if not problem.code and status in _OF_ANOTHER_SERVER else None
    return error_of(
        problem, status, request=request, request_id=request_id, retry_after=retry_after, hint=hint
    )


def _redirected(status: int, address: str, request: RequestInfo, request_id: str | None) -> APIError:
    path = urlsplit(request.url).path
    # The path of the call itself begins with the version of the API.
    own = path[path.rindex("/v1/") :] if "/v1/" in path else path
    found = urlsplit(address)
    hint = "Use the URL that leads there"
    if found.path.endswith(own):
        base = urlunsplit((found.scheme, found.netloc, found.path.removesuffix(own), "", ""))
        hint = f"Use {base} as the URL"
    return RedirectedError(
        f"The server redirects to {address}, and nothing was sent there",
        code=f"http_{status}",
        status=status,
        request_id=request_id,
        request=request,
        hint=hint,
    )
