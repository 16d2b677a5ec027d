"""The operations of the OpenAPI document: parameters, security, and the possible answers of each."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar.handlers import HTTPRouteHandler

from tidings.protocol.errors import ERRORS, problem
from tidings_api.authorisation import SCOPE_OPTION
from tidings_api.conditional import CONDITIONAL_OPTION
from tidings_api.conditional import HEADER as CONDITION
from tidings_api.grants import FORM
from tidings_api.problems import MEDIA_TYPE
from tidings_workers.sending import KEY_HEADER as HEADER
from tidings_workers.store.content import PostedNotification

SCHEMA: Final = "#/components/schemas/"
_REQUEST_ID: Final = {"$ref": "#/components/headers/X-Request-Id"}
_CONDITION: Final = {
    "name": CONDITION,
    "in": "header",
    "schema": {"type": "string"},
    "description": "The ETags of the answers that the client has. The answer is 304 when one is current.",
    "required": False,
}
_ERROR_HEADERS: Final[dict[int, dict[str, str]]] = {
    401: {"WWW-Authenticate": "The challenge of RFC 6750."},
    403: {"WWW-Authenticate": "The challenge of RFC 6750, with the scope that is needed."},
    409: {"Retry-After": "Seconds to wait before the next try."},
    503: {"Retry-After": "Seconds to wait before the next try."},
}
# These answer 404 when the thing that they name does not exist.
_NEEDS_EXISTING: Final = {
    "get_group",
    "get_notification",
    "get_topic",
    "get_upstream",
    "get_webhook",
    "update_webhook",
    "rotate_webhook",
    "test_webhook",
    "list_deliveries",
    "retry_delivery",
    "replay_webhook",
    "recall",
    "list_receipts",
    "disconnect_connection",
    "use_action",
    "use_own_action",
}
_USES_ACTION: Final = ("use_action", "use_own_action")
_MARKS: Final = ("mark_inbox", "mark_own_inbox")
_EXPORT: Final = "export_notifications"
_EXPORTED: Final = {"anyOf": [{"$ref": SCHEMA + name} for name in ("SentNotification", "ExportFault")]}
# An answer of 409 with one of these stays the same.
_FINAL: Final = {"action_used", "history_only"}
_GRANT: Final = "grant_token"
_GRANT_REQUEST: Final = {
    "required": True,
    "content": {FORM.decode(): {"schema": {"$ref": SCHEMA + "GrantRequest"}}},
}
_GRANT_ERRORS: Final = {
    400: "`invalid_request`, `unsupported_grant_type`, `invalid_scope`",
    401: "`invalid_client`",
}


def complete(operation: dict[str, Any], handler: HTTPRouteHandler) -> None:
    """Change Litestar's description of an operation to the behaviour of this server."""
    operation.pop("deprecated", None)
    for parameter in operation.get("parameters", ()):
        _plain(parameter)
    name = operation["operationId"]
    if handler.parsed_data_field is not None and handler.parsed_data_field.annotation is PostedNotification:
        body = operation["requestBody"]["content"]["application/json"]
        body["schema"] = {"$ref": SCHEMA + "CreateNotification"}
    scope = handler.opt[SCOPE_OPTION]
    operation["security"] = [{"token": [scope]}, {"oauth2": [scope]}] if scope else []
    if scope:
        operation["description"] = f"Needs the scope `{scope}`.\n\n{operation['description']}"
    if name == _GRANT:
        operation["requestBody"] = _GRANT_REQUEST
        operation["security"] = [{"key": []}, {}]
    responses = {
        status: _success(answer, int(status), name)
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    }
    if handler.opt.get(CONDITIONAL_OPTION):
        operation["parameters"].append(_CONDITION)
        responses["304"] = _success({}, HTTPStatus.NOT_MODIFIED, name)
        for with_tag in ("200", "304"):
            responses[with_tag]["headers"]["ETag"] = {"$ref": "#/components/headers/ETag"}
    responses |= _errors(operation, scope)
    operation["responses"] = dict(sorted(responses.items()))


def examples() -> dict[str, Any]:
    """An example of each problem that operations answer with, by its code."""
    return {
        code: {
            "summary": entry.title,
            "value": msgspec.to_builtins(problem(code, f"{entry.title}.", "5f3a9c00000001")),
        }
        for code, entry in ERRORS.items()
    }


def _plain(parameter: dict[str, Any]) -> None:
    """Make an optional parameter not nullable, and its bounds whole numbers."""
    for noise in ("deprecated", "allowEmptyValue", "allowReserved"):
        parameter.pop(noise, None)
    schema = parameter["schema"]
    schema.pop("description", None)
    for alternative in schema.pop("oneOf", ()):
        if alternative != {"type": "null"}:
            schema.update(alternative)
    if isinstance(schema.get("type"), list):
        schema["type"] = next(kind for kind in schema["type"] if kind != "null")
    if "enum" in schema:
        schema["enum"] = [value for value in schema["enum"] if value is not None]
    for bound in ("minimum", "maximum"):
        if bound in schema:
            schema[bound] = int(schema[bound])
    if parameter["name"] == HEADER:
        # The limit of length is that of the key; quotes and escapes make the header longer.
        schema.update(pattern="^[ -~]+$", minLength=1)


def _success(answer: dict[str, Any], status: int, operation: str) -> dict[str, Any]:
    headers: dict[str, Any] = {"X-Request-Id": _REQUEST_ID}
    if operation == "send":
        headers["Location"] = {
            "description": "The address of the notification.",
            "schema": {"type": "string"},
        }
    if operation in {"send", "send_batch"}:
        headers["Idempotency-Replayed"] = {
            "description": "`true` when an earlier request with this key was accepted.",
            "schema": {"const": "true"},
        }
    if operation == _EXPORT:
        # The schema is that of a line.
        answer = {"content": {kind: {"schema": _EXPORTED} for kind in answer["content"]}}
    if operation == _GRANT:
        answer = {"content": {"application/json": {"schema": {"$ref": SCHEMA + "AccessToken"}}}}
    return {**answer, "description": HTTPStatus(status).phrase, "headers": headers}


def _errors(operation: dict[str, Any], scope: str | None) -> dict[str, Any]:
    """The problems that an operation can answer with, by status."""
    by_status: dict[int, list[str]] = {}
    for code in _codes(operation, scope):
        by_status.setdefault(ERRORS[code].status, []).append(code)
    found = {str(status): _problem(status, codes) for status, codes in by_status.items()}
    if operation["operationId"] == _GRANT:
        found |= {str(status): _grant_error(status, codes) for status, codes in _GRANT_ERRORS.items()}
    return found


def _codes(operation: dict[str, Any], scope: str | None) -> list[str]:
    name, parameters = operation["operationId"], {each["name"] for each in operation.get("parameters", ())}
    codes = ["invalid_request"]  # every route refuses unknown query parameters
    if scope is not None:
        codes += ["missing_token", "invalid_token", "expired_token", "insufficient_scope"]
    if "requestBody" in operation:
        codes += ["malformed_request", "body_timeout", "too_large", "unsupported_media_type"]
        codes += ["malformed_json"] if name != _GRANT else []
    if not parameters.isdisjoint(("cursor", "after")):
        codes += ["invalid_cursor"]
    if name in _NEEDS_EXISTING:
        codes += ["not_found"]
    if "consumer" in parameters or name in {"create_webhook", "update_webhook", "rotate_webhook"}:
        codes += ["quota_exceeded"]
    if name in _USES_ACTION:
        codes += ["unknown_action", "action_used", "history_only"]
    if name in _MARKS:
        codes += ["history_only"]
    if HEADER in parameters:
        codes += ["idempotency_in_progress", "idempotency_mismatch"]
    if name != "live":
        codes += ["storage_unavailable"]
        codes += ["overloaded"] if name != "ready" else []
    return codes


def _problem(status: int, codes: Sequence[str]) -> dict[str, Any]:
    return {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in codes)}",
        "headers": _headers(_ERROR_HEADERS.get(status, {}) if _FINAL.isdisjoint(codes) else {}),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": SCHEMA + "Problem"},
                "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
            }
        },
    }


def _grant_error(status: int, codes: str) -> dict[str, Any]:
    challenge = (
        {"WWW-Authenticate": "The challenge of RFC 7617."} if status == HTTPStatus.UNAUTHORIZED else {}
    )
    return {
        "description": f"{HTTPStatus(status).phrase}: {codes}",
        "headers": _headers(challenge),
        "content": {"application/json": {"schema": {"$ref": SCHEMA + "GrantError"}}},
    }


def _headers(texts: dict[str, str]) -> dict[str, Any]:
    return {
        "X-Request-Id": _REQUEST_ID,
        **{name: {"description": text, "schema": {"type": "string"}} for name, text in texts.items()},
    }
