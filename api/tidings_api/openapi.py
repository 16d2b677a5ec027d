"""The OpenAPI 3.1 document: paths and parameters from Litestar, types from msgspec, errors from the table.

Litestar's schemas of bodies allow unknown fields, and its errors are not ours. This module replaces both,
and adds the rules that a type can't express.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from inspect import cleandoc
from typing import Any, Final

import msgspec
from litestar import Litestar, Router
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig

from tidings.protocol import rest
from tidings.protocol.errors import Problem
from tidings.protocol.events import EVENT_PATTERNS
from tidings.protocol.messages import UpstreamAnswer, UpstreamRequest
from tidings.protocol.names import LOG_PATTERN
from tidings.protocol.notifications import CreateNotification, Notification, Sent
from tidings_api.field_texts import describe_fields
from tidings_api.operations import SCHEMA, complete, examples
from tidings_api.routes.health import Health
from tidings_api.samples import add_samples
from tidings_workers.egress.urls import URL_PATTERN
from tidings_workers.standard_webhooks import WHSEC_PATTERN

VERSION: Final = "1.0.0"
_REFERENCE: Final = SCHEMA + "{name}"
_TYPES: Final[tuple[Any, ...]] = (
    Problem,
    CreateNotification,
    Notification,
    Sent,
    Health,
    UpstreamRequest,
    UpstreamAnswer,
    *(item for item in vars(rest).values() if isinstance(item, type)),
)
_TEXT: Final = {"type": "string", "minLength": 1}
# Rules that the types can't express: at least one of these fields is required.
_AT_LEAST_ONE: Final = {
    "CreateNotification": {"title": _TEXT, "body": _TEXT, "data": {"type": "object"}},
    "Target": {"users": {"minItems": 1}, "groups": {"minItems": 1}, "all": {"const": True}},
}
_MARKED: Final = {"ids": {"type": "array"}, "up_to": {"type": "object"}, "all": {"const": True}}
# Rules that the types of a mark can't express: exactly one of these fields, and a category only with `all`.
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
    "AckInbox": {"positions": {"user": 12, "group:team-7": 90}, "device": "phone"},
    "AcknowledgeEvents": {"consumer": "worker", "ids": ["evt_19fa2c3d1e0_2a_17"]},
    "ChangeMembers": {"add": ["ana", "bob"], "remove": ["eve"]},
    "MarkInbox": {"state": "read", "up_to": {"user": 12, "group:team-7": 90}},
    "CreateToken": {"user": "ana", "expires_in": 3600},
    "SetUpstream": {"url": "https://shop.example/tidings"},
    "CreateWebhook": {"url": "https://shop.example/hooks", "events": ["notification.read", "user.*"]},
    "UpdateWebhook": {"events": ["*"]},
    "SnoozeInbox": {"ids": ["01a20450-7f8e-7a91-bb7e-642d00f5e00a"], "until": "2026-11-23T08:00:00.000Z"},
    "ReplayWebhook": {"since": "2026-11-22T07:00:00.000Z"},
}
_GRANT_REQUEST: Final[dict[str, Any]] = {
    "title": "GrantRequest",
    "description": "The form of a request for an access token (RFC 6749, section 4.4.2).",
    "type": "object",
    "properties": {
        "grant_type": {"const": "client_credentials"},
        "scope": {"type": "string"},
        "client_id": {"type": "string"},
        "client_secret": {"type": "string"},
    },
    "required": ["grant_type"],
}
# The requests that each scope of a key allows.
SCOPE_TEXTS: Final = {
    "send": "Send and recall notifications.",
    "read": "Every GET except those of /v1/me.",
    "groups": "Change groups and members.",
    "users": "Mark notifications for a user, disconnect users and erase them.",
    "tokens": "Create tokens for users.",
    "tenant": "Set, read and remove the upstream.",
    "events": "Read events.",
    "webhooks": "Change webhooks, and list, retry and replay their deliveries.",
}
_REQUEST_ID: Final = {
    "description": "The id of this request in logs: the X-Request-Id of the request, if it is valid.",
    "schema": {"type": "string"},
}
_ETAG: Final = {
    "description": "The tag of this content. Sent as If-None-Match, it gives 304 while nothing has changed.",
    "schema": {"type": "string"},
}


# The request that a gateway makes, and not the application: see docs/upstream.md.
_UPSTREAM_CALL: Final[dict[str, Any]] = {
    "summary": "Answer a message of a client",
    "description": "The call of a tenant's upstream, within 5 s, signed as Standard Webhooks.",
    "operationId": "answer_message",
    "parameters": [
        {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
        for name, text in (
            ("webhook-id", "The id of the message; the same when the message arrives again."),
            ("webhook-timestamp", "The time of the call, in seconds since 1970."),
            ("webhook-signature", "v1, and the base64 of the HMAC-SHA256 of id, timestamp and body."),
        )
    ],
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": _REFERENCE.format(name="UpstreamRequest")}}},
    },
    "responses": {
        "200": {
            "description": "A reply for the client, notifications to send, or both.",
            "content": {"application/json": {"schema": {"$ref": _REFERENCE.format(name="UpstreamAnswer")}}},
        },
        "204": {"description": "No reply and no notifications."},
    },
}


def describe(routers: Sequence[Router], providers: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    """The document for these routes. Values that `providers` inject are not parameters of a request."""
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
    for item in document["paths"].values():
        for operation in item.values():
            complete(operation, handlers[operation["operationId"]])
    schemas = component_schemas()
    add_samples(document["paths"], schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tidings",
            "version": VERSION,
            "summary": "Realtime notifications: one request, and its recipients see it at once.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        # Relative to this document, so that it is also right behind a proxy's prefix.
        "servers": [{"url": "."}],
        "paths": document["paths"],
        "webhooks": {"message": {"post": copy.deepcopy(_UPSTREAM_CALL)}},
        "components": {
            "schemas": schemas,
            "examples": examples(),
            "headers": {"X-Request-Id": _REQUEST_ID, "ETag": _ETAG},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A JWT signed with a key of the tenant, with the scope of the route.",
                },
                "oauth2": {
                    "type": "oauth2",
                    "description": "A token for a key: client_id is <tenant>.<kid>, client_secret the "
                    "rest of the key.",
                    "flows": {"clientCredentials": {"tokenUrl": "./v1/oauth/token", "scopes": SCOPE_TEXTS}},
                },
                "key": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "A key: <tenant>.<kid> is the user name, the secret the password.",
                },
            },
        },
    }


def component_schemas(template: str = _REFERENCE) -> dict[str, Any]:
    """The JSON Schemas of bodies and answers, sorted by name. `template` turns a name into a reference."""
    _, schemas = msgspec.json.schema_components(_TYPES, ref_template=template)
    item = {"$ref": template.format(name="CreateNotification")}
    schemas["CreateBatch"]["properties"]["notifications"]["items"] = item
    schemas["InboxItem"]["properties"]["notification"] = {"$ref": template.format(name="Notification")}
    schemas["TopicEntry"]["properties"]["notification"] = {"$ref": template.format(name="Notification")}
    schemas["SentNotification"]["properties"]["data"] = {"type": "object"}
    for name, fields in _AT_LEAST_ONE.items():
        schemas[name]["anyOf"] = [
            {"required": [field], "properties": {field: rule}} for field, rule in fields.items()
        ]
    _restrict_target(schemas["Target"])
    restrict_mark(schemas["MarkInbox"])
    upstream = schemas["SetUpstream"]["properties"]
    upstream["url"]["pattern"] = URL_PATTERN
    upstream["secret"]["anyOf"][0]["pattern"] = WHSEC_PATTERN
    for name in ("CreateWebhook", "UpdateWebhook"):
        webhook = schemas[name]["properties"]
        webhook["url"]["pattern"] = URL_PATTERN
        webhook["events"]["items"] = {"enum": EVENT_PATTERNS}
    schemas["GrantRequest"] = copy.deepcopy(_GRANT_REQUEST)
    for name, example in _EXAMPLES.items():
        schemas[name]["examples"] = [example]
    for name, schema in schemas.items():
        describe_fields(name, schema)
    return tidy_descriptions(dict(sorted(schemas.items())))


def _restrict_target(schema: dict[str, Any]) -> None:
    """Add to the schema of a target that topics stand alone."""
    for alternative in schema["anyOf"]:
        alternative["properties"]["topics"] = {"maxItems": 0}
    others: dict[str, Any] = {name: {"maxItems": 0} for name in ("users", "groups", "exclude")}
    rule = {"topics": {"minItems": 1}, "all": {"const": False}, **others}
    schema["anyOf"].append({"required": ["topics"], "properties": rule})


def restrict_mark(schema: dict[str, Any]) -> None:
    """Add the rules that the types can't express to the schema of a mark."""
    schema.update(MARK_RULES)
    schema["properties"]["up_to"]["anyOf"][0]["propertyNames"] = {"pattern": LOG_PATTERN}


def tidy_descriptions(schemas: dict[str, Any]) -> dict[str, Any]:
    """The same schemas, with the indentation of docstrings removed from their descriptions."""
    for schema in schemas.values():
        if "description" in schema:
            schema["description"] = cleandoc(schema["description"])
    return schemas
