"""Errors as answers: every exception of a handler becomes one `application/problem+json` document."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, get_args

import msgspec
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)

from tidings.protocol.errors import ERRORS, FieldError, Problem, problem
from tidings.protocol.pointers import in_words
from tidings_workers.archive import ArchiveError
from tidings_workers.logs import get_logger
from tidings_workers.refused import Refusable, Refused, refusal_of
from tidings_workers.tokens import TokenError

NO_SUCH_PATH: Final = (
    "The path of this URL does not exist on this server: check the URL. /docs lists all paths."
)
MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 1
# Answers with Retry-After, where the code is one of a request that can succeed later.
_WAITS: Final = {HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}

_log = get_logger(__name__)
_encode: Final = msgspec.json.Encoder().encode

Headers = dict[str, str]


class ProblemError(Refused):
    """A refusal with headers of its answer."""

    def __init__(
        self,
        code: str,
        detail: str,
        errors: tuple[FieldError, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code, detail, errors)
        self.headers = dict(headers or {})


def problem_of(error: Exception, request_id: str) -> tuple[Problem, Headers]:
    """The problem document of any exception, and the headers of its answer. Unknown exceptions are logged."""
    answer = _translate(error)
    if answer is None:
        _log.error("request failed", request_id=request_id, exc_info=error)
        answer = ProblemError(
            "internal_error",
            "The server has a defect. Report the id of this request: the server has logged the details.",
        )
    headers = answer.headers
    entry = ERRORS[answer.code]
    if entry.retryable and entry.status in _WAITS:
        headers.setdefault("retry-after", str(RETRY_SECONDS))
    if entry.status == HTTPStatus.UNAUTHORIZED:
        headers.setdefault("www-authenticate", _challenge(answer.code))
    return problem(answer.code, answer.detail, request_id, answer.errors), headers


def encode_problem(document: Problem) -> bytes:
    """The body of a problem answer."""
    return _encode(document)


def answer_exception(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's handler for all exceptions."""
    document, headers = problem_of(error, request.scope["state"].get("request_id", ""))
    return Response(
        encode_problem(document), status_code=document.status, headers=headers, media_type=MEDIA_TYPE
    )


def _translate(error: Exception) -> ProblemError | None:
    if isinstance(error, ProblemError):
        return error
    for kind, translate in _TRANSLATIONS.items():
        if isinstance(error, kind):
            return translate(error)
    return None


def _translate_token(error: Any) -> ProblemError:
    return ProblemError(error.code, error.detail)


def _translate_refused(error: Any) -> ProblemError:
    return ProblemError(error.code, error.detail, error.errors)


def _translate_store(error: Any) -> ProblemError:
    return _translate_refused(refusal_of(error))


def _translate_archive(error: Any) -> ProblemError:
    return ProblemError("storage_unavailable", f"The history does not answer: {_sentence(str(error))}")


def _translate_validation(error: Any) -> ProblemError:
    """Litestar's errors of path, query and header parameters, as one problem."""
    found = [
        # A parameter whose name Litestar reserves has an underscore at its end in Python.
        f"{_source(entry)} parameter {entry.get('key', '').rstrip('_')}: {in_words(entry['message'])}"
        for entry in error.extra or ()
        if isinstance(entry, dict)
    ]
    return ProblemError("invalid_request", " ".join(found) or _sentence(error.detail))


def _source(entry: dict[str, Any]) -> str:
    """The source of a parameter. Litestar gives an enum, which would format as its name, or a text."""
    source = entry.get("source", "request")
    return str(getattr(source, "value", source))


def _translate_method(error: Any) -> ProblemError:
    allowed = dict(error.headers or {}).get("allow", "")
    return ProblemError(
        "method_not_allowed", f"This path answers {allowed}.", headers={"allow": allowed} if allowed else {}
    )


def _translate_not_found(_: Any) -> ProblemError:
    return ProblemError("not_found", NO_SUCH_PATH)


def _translate_http(error: Any) -> ProblemError | None:
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return ProblemError("too_large", "The body is too large: send a smaller one.")
    if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ProblemError("malformed_request", _sentence(error.detail))
    return None


def _sentence(text: str) -> str:
    return text.rstrip(".") + "."


_TRANSLATIONS: Final[dict[type[Exception], Callable[[Any], ProblemError | None]]] = {
    TokenError: _translate_token,
    Refused: _translate_refused,
    **dict.fromkeys(get_args(Refusable), _translate_store),
    ArchiveError: _translate_archive,
    ValidationException: _translate_validation,
    MethodNotAllowedException: _translate_method,
    NotFoundException: _translate_not_found,
    HTTPException: _translate_http,
}


def _challenge(code: str) -> str:
    """The WWW-Authenticate of a 401. Without a token it names no error (RFC 6750, section 3)."""
    return 'Bearer realm="tidings"' + ("" if code == "missing_token" else ', error="invalid_token"')
