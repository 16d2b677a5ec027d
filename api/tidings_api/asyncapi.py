"""The AsyncAPI 3 document of the realtime protocol, and the JSON Schema of all wire types."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from tidings.protocol import frames, limits, messages, notifications, rest
from tidings.protocol.closing import CLOSE_CODES
from tidings.protocol.errors import Problem
from tidings.protocol.names import DEVICE_PATTERN
from tidings_api.openapi import VERSION, component_schemas, restrict_mark, tidy_descriptions

_CLIENT: Final[Sequence[type[Struct]]] = frames.CLIENT_FRAMES
_SERVER: Final[Sequence[type[Struct]]] = frames.SERVER_FRAMES


_STREAM_QUERY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "ticket": {
            "type": "string",
            "description": "A ticket of `POST /v1/realtime/tickets`, in place of a token.",
        },
        "device": {"type": "string", "pattern": DEVICE_PATTERN, "description": "As in `connect`."},
        "rewind": {
            "type": "integer",
            "minimum": 0,
            "maximum": limits.REWIND,
            "description": "Begin with the last N of the inbox, and of each topic.",
        },
        "topics": {"type": "string", "description": "Topics with commas between them; may be repeated."},
        "last_event_id": {"type": "string", "description": "The cursor, where no header can be sent."},
    },
    "additionalProperties": False,
}


def describe_realtime() -> dict[str, Any]:
    """The AsyncAPI document: one channel, with the frames that a client sends and receives."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tidings realtime",
            "version": VERSION,
            "description": "JSON text frames over a WebSocket, one object per frame. The first frame is "
            f"`connect`, within {limits.CONNECT_SECONDS} s; a frame has at most {limits.FRAME_BYTES} bytes. "
            f"A client sends at most {limits.FRAMES_PER_SECOND} frames a second; `send` frames do not count.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "gateway": {
                "host": "127.0.0.1:8001",
                "protocol": "ws",
                "security": [{"$ref": "#/components/securitySchemes/token"}],
            },
            "events": {
                "host": "127.0.0.1:8001",
                "protocol": "http",
                "security": [{"$ref": "#/components/securitySchemes/token"}],
            },
        },
        "channels": {
            "events": {
                "address": "/v1/realtime/events",
                "description": "The frames of the server as server-sent events: `event` is the type, `data` "
                "the frame, `id` a cursor for `Last-Event-ID`. The last event, `close`, has `code` and "
                "`reason`.",
                "servers": [{"$ref": "#/servers/events"}],
                "messages": {
                    _name(frame): {"$ref": f"#/components/messages/{_name(frame)}"} for frame in _SERVER
                },
            },
            "realtime": {
                "address": "/v1/realtime",
                "servers": [{"$ref": "#/servers/gateway"}],
                "messages": {
                    _name(frame): {"$ref": f"#/components/messages/{_name(frame)}"}
                    for frame in (*_CLIENT, *_SERVER)
                },
                "bindings": {
                    "ws": {
                        "method": "GET",
                        "headers": {
                            "type": "object",
                            "properties": {"Sec-WebSocket-Protocol": {"const": frames.SUBPROTOCOL}},
                        },
                    }
                },
                "x-close-codes": [
                    {"code": close.code, "reason": close.reason, "verdict": close.verdict.value}
                    for close in CLOSE_CODES.values()
                ],
            },
        },
        "operations": {
            "send": _operation("receive", "The frames that a client sends.", _CLIENT),
            "receive": _operation("send", "The frames that a client receives.", _SERVER),
            "stream": {
                **_operation("send", "The frames of a stream of events.", _SERVER, "events"),
                "bindings": {"http": {"method": "GET", "query": _STREAM_QUERY, "bindingVersion": "0.3.0"}},
            },
        },
        "components": {
            "messages": {_name(frame): _message(frame) for frame in (*_CLIENT, *_SERVER)},
            "schemas": _schemas((*_CLIENT, *_SERVER), "#/components/schemas/{name}"),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def describe_types() -> dict[str, Any]:
    """One JSON Schema document. Its `$defs` has every type that crosses the wire."""
    structs = [
        item
        for module in (notifications, rest, messages, frames)
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, Struct) and item.__module__.startswith(module.__name__)
    ]
    definitions = _schemas((*structs, Problem), "#/$defs/{name}")
    # `component_schemas` adds the rules that the types can't express.
    for name, schema in component_schemas("#/$defs/{name}").items():
        if name in definitions:
            definitions[name] = schema
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tidings: everything that crosses the wire",
        "$defs": dict(sorted(definitions.items())),
    }


def _schemas(types: Sequence[type[Struct]], template: str) -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components(types, ref_template=template)
    restrict_mark(schemas[frames.Mark.__name__])
    return tidy_descriptions(schemas)


def _name(frame: type[Struct]) -> str:
    return frame.__name__


def _message(frame: type[Struct]) -> dict[str, Any]:
    return {
        "name": frame.__struct_config__.tag,
        "title": _name(frame),
        "summary": (frame.__doc__ or "").strip().split("\n")[0],
        "payload": {"$ref": f"#/components/schemas/{_name(frame)}"},
    }


def _operation(
    action: str, summary: str, types: Sequence[type[Struct]], channel: str = "realtime"
) -> dict[str, Any]:
    """An operation. `action` is the server's: "receive" for the frames that clients send."""
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{_name(frame)}"} for frame in types],
    }
