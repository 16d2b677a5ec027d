"""The code that shows each operation of the OpenAPI document: for curl, Python and JavaScript.

The document has them as `x-codeSamples`, and the documentation page as tabs. They read TIDINGS_URL,
TIDINGS_KEY, TOKEN and USER_TOKEN from the environment.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode

from tidings_api import python_samples
from tidings_api.literals import JAVASCRIPT, JSON, literal
from tidings_api.python_samples import Request

# A value for each parameter of a path.
PATH_EXAMPLES: Final = {
    "user": "ana",
    "group": "team-7",
    "topic": "orders/4711",
    "notification": "01a20450-7f8e-7a91-bb7e-642d00f5e00a",
    "action": "track",
    "connection_id": "5f3a9c0e1b2d4f67",
    "webhook": "wh_5f3a9c0e1b2d4f67",
    "delivery": "evt_19fa2c3d1e0_2a_17",
}
# The parameters of a query that a sample has, by operation.
QUERY_EXAMPLES: Final = {
    "list_sent": {"category": "orders"},
    "list_inbox": {"state": "unread"},
    "list_own_inbox": {"state": "unread"},
    "list_topics": {"prefix": "orders/"},
    "read_events": {"types": "notification.stored", "consumer": "worker"},
    "list_deliveries": {"status": "pending"},
}
_FORM: Final = "application/x-www-form-urlencoded"


def add_samples(paths: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
    """Give each operation its samples, and its parameters the values in them."""
    for path, item in paths.items():
        for method, operation in item.items():
            for parameter in operation.get("parameters", ()):
                value = _value(operation, parameter)
                if value is not None:
                    parameter["example"] = value
            operation["x-codeSamples"] = _samples(_request(path, method, operation, schemas))


def body_of(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """A body for the operation; None for an operation without a body of JSON."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return None if content is None else _sample(content["schema"], schemas)


def is_form(operation: Mapping[str, Any]) -> bool:
    """Whether the body of the operation is a form, and not JSON."""
    return _FORM in operation.get("requestBody", {}).get("content", {})


def _value(operation: Mapping[str, Any], parameter: Mapping[str, Any]) -> str | None:
    if parameter["in"] == "path":
        return PATH_EXAMPLES[parameter["name"]]
    return QUERY_EXAMPLES.get(operation["operationId"], {}).get(parameter["name"])


def _sample(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """A value of the schema: its first example, else one with the required fields alone."""
    if "$ref" in schema:
        return _sample(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    if given := [*schema.get("examples", ()), *schema.get("enum", ())]:
        return given[0]
    if "anyOf" in schema:
        return _sample(schema["anyOf"][0], schemas)
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {})
            return {
                name: _sample(fields[name], schemas) for name in schema.get("required", ()) if name in fields
            }
        case "array":
            return [_sample(schema.get("items", {}), schemas)]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case _:
            return "ana"


def _request(path: str, method: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Request:
    for name, value in PATH_EXAMPLES.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    query = QUERY_EXAMPLES.get(operation["operationId"], {})
    scopes = [scope for rule in operation["security"] for scope in rule.get("token", ())]
    status, answer = next(
        (int(status), answer) for status, answer in operation["responses"].items() if status.startswith("2")
    )
    return Request(
        operation=operation["operationId"],
        method=method.upper(),
        target=path + (f"?{urlencode(query, safe=',')}" if query else ""),
        token={"": "", "inbox": "USER_TOKEN"}.get(scopes[0] if scopes else "", "TOKEN"),
        is_of_user="inbox" in scopes,
        is_form=is_form(operation),
        body=body_of(operation, schemas),
        answers=status != HTTPStatus.NO_CONTENT and "content" in answer,
        is_text="application/json" not in answer.get("content", {}),
    )


def _samples(request: Request) -> list[dict[str, str]]:
    return [
        {"lang": "Shell", "label": "curl", "source": _curl(request)},
        {"lang": "Python", "label": "Python", "source": python_samples.source(request, PATH_EXAMPLES)},
        {"lang": "JavaScript", "label": "JavaScript", "source": _javascript(request)},
    ]


def _curl(request: Request) -> str:
    method = "" if request.method == "GET" else f" -X {request.method}"
    lines = [f'curl -sS{method} "$TIDINGS_URL{request.target}"']
    if request.is_form:
        lines.append('-u "${TIDINGS_KEY%.*}:${TIDINGS_KEY##*.}" -d grant_type=client_credentials')
    elif request.token:
        lines.append(f'-H "Authorization: Bearer ${request.token}"')
    if request.body is not None:
        lines.append("-H 'Content-Type: application/json'")
        text = literal(request.body, JSON, before="-d '").replace("'", "'\\''")
        lines.append(f"-d '{text}'")
    return " \\\n  ".join(lines)


def _javascript(request: Request) -> str:
    names = ", ".join(
        ["TIDINGS_URL", *(["TIDINGS_KEY"] if request.is_form else []), *filter(None, [request.token])]
    )
    lines = [f"const {{ {names} }} = process.env;"]
    options = [] if request.method == "GET" else [f'  method: "{request.method}",']
    if request.is_form:
        lines.append('const [tenant, kid, secret] = TIDINGS_KEY.split(".");')
        options += [
            "  headers: { Authorization: `Basic ${btoa(`${tenant}.${kid}:${secret}`)}` },",
            '  body: new URLSearchParams({ grant_type: "client_credentials" }),',
        ]
    elif request.token:
        kind = "" if request.body is None else ', "Content-Type": "application/json"'
        options.append(f"  headers: {{ Authorization: `Bearer ${{{request.token}}}`{kind} }},")
    if request.body is not None:
        body = literal(request.body, JAVASCRIPT, before="  body: JSON.stringify(")
        options.append(f"  body: JSON.stringify({body}),")
    address = f"`${{TIDINGS_URL}}{request.target}`"
    call = [f"const response = await fetch({address}, {{", *options, "});"]
    lines += call if options else [f"const response = await fetch({address});"]
    lines.append("if (!response.ok) throw new Error(await response.text());")
    if request.answers:
        lines.append(f"console.log(await response.{'text' if request.is_text else 'json'}());")
    return "\n".join(lines)
