"""The OpenAPI 3.1 document: paths and parameters from Litestar, types from msgspec, errors from the table.

Litestar's own schemas of bodies know nothing of unknown fields being refused, and its errors are not
ours; so both are put in here, as is what a type can't say.
"""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from inspect import cleandoc
from typing import Any, Final

import msgspec
from litestar import Litestar, Router
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig

from tidings.protocol import rest
from tidings.protocol.errors import ERRORS, Problem, problem
from tidings.protocol.names import LOG_PATTERN
from tidings.protocol.notifications import CreateNotification, Notification, Sent
from tidings_api.authorisation import SCOPE_OPTION
from tidings_api.conditional import CONDITIONAL_OPTION
from tidings_api.conditional import HEADER as CONDITION
from tidings_api.idempotency import HEADER
from tidings_api.problems import MEDIA_TYPE
from tidings_api.routes.health import Health
from tidings_workers.store.content import PostedNotification

VERSION: Final = "1.0.0"
_REFERENCE: Final = "#/components/schemas/{name}"
_PREFIX: Final = "#/components/schemas/"
_TYPES: Final[tuple[Any, ...]] = (
    Problem,
    CreateNotification,
    Notification,
    Sent,
    Health,
    *(item for item in vars(rest).values() if isinstance(item, type) and item.__module__ == rest.__name__),
)
_TEXT: Final = {"type": "string", "minLength": 1}
# What the types can't say: at least one of these.
_AT_LEAST_ONE: Final = {
    "CreateNotification": {"title": _TEXT, "body": _TEXT, "data": {"type": "object"}},
    "Target": {"users": {"minItems": 1}, "groups": {"minItems": 1}, "all": {"const": True}},
}
_MARKED: Final = {"ids": {"type": "array"}, "up_to": {"type": "object"}, "all": {"const": True}}
# What the types of a mark can't say: exactly one of these, and a category only with the last.
MARK_RULES: Final[dict[str, Any]] = {
    "oneOf": [{"required": [field], "properties": {field: rule}} for field, rule in _MARKED.items()],
    "if": {"required": ["category"], "properties": {"category": _TEXT}},
    "then": {"required": ["all"], "properties": {"all": _MARKED["all"]}},
}
_EXAMPLES: Final = {
    "CreateNotification": {
        "to": {"users": ["ana"], "groups": ["team-7"]},
        "category": "orders",
        "title": "On its way",
        "body": "Parcel 4711 arrives tomorrow",
        "data": {"order": 4711},
        "link": "https://shop.example/o/4711",
        "actions": [{"id": "track", "label": "Track", "link": "https://shop.example/t/4711"}],
        "expires_in": 86400,
    },
    "ChangeMembers": {"add": ["ana", "bob"], "remove": ["eve"]},
    "MarkInbox": {"state": "read", "up_to": {"user": 12, "group:team-7": 90}},
    "CreateToken": {"user": "ana", "expires_in": 3600},
}
_REQUEST_ID: Final = {
    "description": "Names this request in logs; the client's own X-Request-Id when it sent a plain one.",
    "schema": {"type": "string"},
}
_ETAG: Final = {
    "description": "Names this content: send it as If-None-Match to be told only of another.",
    "schema": {"type": "string"},
}
_CONDITION: Final = {
    "name": CONDITION,
    "in": "header",
    "schema": {"type": "string"},
    "description": "The ETags of the answers that the client has: 304 when one of them is still right.",
    "required": False,
}
_ERROR_HEADERS: Final[dict[int, dict[str, str]]] = {
    401: {"WWW-Authenticate": "The challenge of RFC 6750."},
    403: {"WWW-Authenticate": "The challenge of RFC 6750, with the scope that is needed."},
    409: {"Retry-After": "Seconds after which to try again."},
    503: {"Retry-After": "Seconds after which to try again."},
}
# Only realtime, or only other paths and methods, answer with these.
_NOT_IN_OPERATIONS: Final = {"unknown_type", "origin_refused", "method_not_allowed", "internal_error"}


def describe(routers: Sequence[Router], providers: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    """The document for these routes; what `providers` inject is no parameter."""
    handlers: dict[str, HTTPRouteHandler] = {}

    def operation_id(handler: HTTPRouteHandler, method: Any, path: Any) -> str:  # noqa: ARG001  Litestar's call
        handlers[handler.handler_name] = handler
        return handler.handler_name

    app = Litestar(
        route_handlers=routers,
        dependencies={name: Provide(provider) for name, provider in providers.items()},
        openapi_config=OpenAPIConfig(
            title="Tidings",
            version=VERSION,
            use_handler_docstrings=True,
            operation_id_creator=operation_id,
        ),
        logging_config=None,
    )
    document = app.openapi_schema.to_schema()
    for path, item in document["paths"].items():
        for operation in item.values():
            _complete(operation, handlers[operation["operationId"]], path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tidings",
            "version": VERSION,
            "summary": "Realtime notifications: one request, and the people it names see it at once.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": document["paths"],
        "components": {
            "schemas": component_schemas(),
            "responses": _error_responses(),
            "headers": {"X-Request-Id": _REQUEST_ID, "ETag": _ETAG},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A JWT by a key of the tenant, with the scope that is needed.",
                }
            },
        },
    }


def component_schemas(template: str = _REFERENCE) -> dict[str, Any]:
    """The JSON Schemas of all bodies and answers, by name; `template` makes references of names."""
    _, schemas = msgspec.json.schema_components(_TYPES, ref_template=template)
    item = {"$ref": template.format(name="CreateNotification")}
    schemas["CreateBatch"]["properties"]["notifications"]["items"] = item
    schemas["InboxItem"]["properties"]["notification"] = {"$ref": template.format(name="Notification")}
    schemas["SentNotification"]["properties"]["data"] = {"type": "object"}
    for name, fields in _AT_LEAST_ONE.items():
        schemas[name]["anyOf"] = [
            {"required": [field], "properties": {field: rule}} for field, rule in fields.items()
        ]
    restrict_mark(schemas["MarkInbox"])
    for name, example in _EXAMPLES.items():
        schemas[name]["examples"] = [example]
    return tidy_descriptions(schemas)


def restrict_mark(schema: dict[str, Any]) -> None:
    """Puts what the types can't say into the schema of a mark."""
    schema.update(MARK_RULES)
    schema["properties"]["up_to"]["anyOf"][0]["propertyNames"] = {"pattern": LOG_PATTERN}


def tidy_descriptions(schemas: dict[str, Any]) -> dict[str, Any]:
    """The schemas with the indentation of docstrings taken out of their descriptions."""
    for schema in schemas.values():
        if "description" in schema:
            schema["description"] = cleandoc(schema["description"])
    return schemas


def _complete(operation: dict[str, Any], handler: HTTPRouteHandler, path: str) -> None:
    operation.pop("deprecated", None)
    if handler.parsed_data_field is not None and handler.parsed_data_field.annotation is PostedNotification:
        body = operation["requestBody"]["content"]["application/json"]
        body["schema"] = {"$ref": _REFERENCE.format(name="CreateNotification")}
    for parameter in operation.get("parameters", ()):
        _plain(parameter)
    scope = handler.opt[SCOPE_OPTION]
    operation["security"] = [{"token": [scope]}] if scope else []
    if scope:
        operation["description"] = f"Needs the scope `{scope}`.\n\n{operation['description']}"
    responses = {
        status: _success(answer, int(status), operation["operationId"])
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    }
    if handler.opt.get(CONDITIONAL_OPTION):
        operation["parameters"].append(_CONDITION)
        responses["304"] = _success({}, HTTPStatus.NOT_MODIFIED, operation["operationId"])
        for told in ("200", "304"):
            responses[told]["headers"]["ETag"] = {"$ref": "#/components/headers/ETag"}
    for status in sorted(_statuses(operation, path, secured=scope is not None)):
        responses[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    operation["responses"] = responses


def _plain(parameter: dict[str, Any]) -> None:
    """A parameter that may be left out is not one that may be null, and bounds are whole numbers."""
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
        # In a header the limit is on the key; quoting may add to it.
        schema.update(pattern="^[ -~]+$", minLength=1)


def _success(answer: dict[str, Any], status: int, operation: str) -> dict[str, Any]:
    headers: dict[str, Any] = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
    if operation == "send":
        headers["Location"] = {"description": "Where the notification is.", "schema": {"type": "string"}}
    if operation in {"send", "send_batch"}:
        headers["Idempotency-Replayed"] = {
            "description": "`true` when the request had been accepted before.",
            "schema": {"const": "true"},
        }
    return {**answer, "description": HTTPStatus(status).phrase, "headers": headers}


def _statuses(operation: dict[str, Any], path: str, *, secured: bool) -> set[int]:
    """The error statuses that an operation can answer with."""
    statuses = {400, 422, 503}
    if secured:
        statuses |= {401, 403}
    if "{" in path:
        statuses |= {404}
    if "requestBody" in operation:
        statuses |= {408, 413, 415}
    if any(parameter["name"] == HEADER for parameter in operation.get("parameters", ())):
        statuses |= {409}
    return statuses


def _error_responses() -> dict[str, Any]:
    """One component per status, with an example for each of its codes."""
    by_status: dict[int, list[str]] = {}
    for code, entry in ERRORS.items():
        if code not in _NOT_IN_OPERATIONS:
            by_status.setdefault(entry.status, []).append(code)
    return {
        f"Problem{status}": {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in codes)}",
            "headers": {
                "X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"},
                **{
                    name: {"description": text, "schema": {"type": "string"}}
                    for name, text in _ERROR_HEADERS.get(status, {}).items()
                },
            },
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": _PREFIX + "Problem"},
                    "examples": {
                        code: {
                            "value": msgspec.to_builtins(
                                problem(code, f"{ERRORS[code].title}.", "5f3a9c00000001")
                            )
                        }
                        for code in codes
                    },
                }
            },
        }
        for status, codes in sorted(by_status.items())
    }
