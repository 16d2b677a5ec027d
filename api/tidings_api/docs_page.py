"""The documentation page: the OpenAPI document as plain HTML, without scripts and without other hosts."""

import json
import re
from html import escape
from http import HTTPStatus
from typing import Any, Final

from tidings.protocol.errors import ERRORS, ErrorCode
from tidings_api.assets import Asset
from tidings_api.grants import TOKEN_SECONDS

STYLE: Final = """\
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --accent: #3a6ea5; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 2rem 1rem 6rem; }
h1 { margin-bottom: 0; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
h3 { margin-top: 2.5rem; }
code, pre { font: 0.9em/1.5 ui-monospace, monospace; }
pre { background: var(--soft); padding: 0.8rem 1rem; border-radius: 6px; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: 0.35rem 0.8rem 0.35rem 0; }
td, th { border-top: 1px solid var(--line); }
.method { background: var(--accent); color: white; border-radius: 4px; }
.method { padding: 0.1rem 0.45rem; font-size: 0.8em; }
a { color: var(--accent); }
nav li { list-style: none; }
"""

_CURL: Final = """\
TIDINGS_URL=https://the.address.of.this.server
TIDINGS_KEY=shop.k1.the-secret

TOKEN=$(curl -sS "$TIDINGS_URL/v1/oauth/token" \\
  -u "${TIDINGS_KEY%.*}:${TIDINGS_KEY##*.}" -d grant_type=client_credentials |
  sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')

curl -sS "$TIDINGS_URL/v1/notifications" \\
  -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d '{"to": {"users": ["ana"]}, "title": "Hello, Ana"}'"""
_BROWSER: Final = (
    "A bell with a live badge, and an inbox. Put the address of this server before `/widget.js` and into "
    "`url`. `token-url` is an address of your application: it answers with the answer of `POST /v1/tokens` "
    "for the user who is logged in. The address has the version of this file, so browsers cache it for a "
    "year. `/widget.js` without a version is always the newest file, so its `integrity` changes with each "
    "upgrade. As modules, `/tidings.mjs` is the client and `/widget.mjs` the elements."
)
_EMBEDDING: Final = """\
<script src="{path}"
        integrity="{integrity}"
        crossorigin defer></script>
<tidings-inbox url="" token-url="/my-token"></tidings-inbox>
"""
_AUTHENTICATION: Final = f"""\
<section id='authentication'><h2>Authentication</h2>
<p>Every request to <code>/v1/</code> has a token: <code>Authorization: Bearer &lt;token&gt;</code>.
The token is a JWT of your tenant's key. The operator creates the key, which is one string:
<code>&lt;tenant&gt;.&lt;kid&gt;.&lt;secret&gt;</code>. Get a token for it, then send:</p>
<pre>{escape(_CURL)}</pre>
<p>A token lasts {TOKEN_SECONDS:,} seconds. An application with a JWT library may sign its own: HS256 with
the bytes of the secret, <code>kid</code> in the header, and the claims <code>iss</code> (the tenant),
<code>sub</code>, <code>aud</code> (<code>tidings</code>), <code>iat</code>, <code>exp</code> and
<code>scope</code>. Never give the key to a browser or an app: create a token for its user by
<a href='#create_token'>POST /v1/tokens</a>.</p></section>"""
_METHODS: Final = ("get", "post", "put", "delete")
_CODE: Final = re.compile(r"`([^`]+)`")


def render(document: dict[str, Any], widget: Asset) -> str:
    """The whole page. `widget` is the script that the page shows how to embed."""
    operations = [
        (path, method, item[method])
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item
    ]
    schemas = document["components"]["schemas"]
    tags = list(dict.fromkeys(operation["tags"][0] for _, _, operation in operations))
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        "<title>Tidings API</title><link rel='stylesheet' href='docs/style.css'></head><body>",
        f"<h1>{escape(document['info']['title'])}</h1><p>{escape(document['info']['summary'])}</p>",
        "<p><a href='openapi.json'>OpenAPI 3.1</a></p>",
        _AUTHENTICATION,
        _contents(operations, tags),
        _embedding(widget),
    ]
    for tag in tags:
        parts.append(f"<h2>{escape(tag)}</h2>")
        parts += [_operation(*each, document) for each in operations if each[2]["tags"][0] == tag]
    parts.append("<h2>Types</h2>")
    parts += [_type(name, schema) for name, schema in sorted(schemas.items())]
    parts.append("<h2>Errors</h2><table><tr><th>Code</th><th>Status</th><th>Meaning</th><th></th></tr>")
    parts += [_error(entry) for entry in ERRORS.values()]
    parts.append("</table></body></html>\n")
    return "\n".join(parts)


def _contents(operations: list[tuple[str, str, Any]], tags: list[str]) -> str:
    items = [
        f"<li><a href='#{operation['operationId']}'>{escape(operation['summary'])}</a></li>"
        for tag in tags
        for _, _, operation in operations
        if operation["tags"][0] == tag
    ]
    return f"<nav aria-label='Operations'><ul>{''.join(items)}</ul></nav>"


def _embedding(widget: Asset) -> str:
    code = _EMBEDDING.format(path=widget.path, integrity=widget.integrity)
    return f"<h2 id='browser'>In the browser</h2><p>{_text(_BROWSER)}</p><pre>{escape(code)}</pre>"


def _operation(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    parts = [
        f"<section id='{operation['operationId']}'><h3>{escape(operation['summary'])}</h3>",
        f"<p><span class='method'>{method.upper()}</span> <code>{escape(path)}</code></p>",
        *(f"<p>{_text(paragraph)}</p>" for paragraph in operation.get("description", "").split("\n\n")),
    ]
    if operation.get("parameters"):
        rows = "".join(
            f"<tr><td><code>{escape(each['name'])}</code></td><td>{each['in']}</td><td>{_text(each['description'])}</td></tr>"
            for each in operation["parameters"]
        )
        parts.append(f"<table><tr><th>Parameter</th><th>In</th><th>Meaning</th></tr>{rows}</table>")
    if "requestBody" in operation:
        (content,) = operation["requestBody"]["content"].values()
        schema = content["schema"]
        parts.append(f"<p>Body: {_kind(schema)}</p>")
        examples = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]].get("examples", ())
        parts += [f"<pre>{escape(json.dumps(example, indent=2))}</pre>" for example in examples]
    rows = "".join(
        f"<tr><td>{status}</td><td>{_answer(int(status), answer)}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    parts.append(f"<table><tr><th>Status</th><th>Answer</th></tr>{rows}</table></section>")
    return "".join(parts)


def _answer(status: int, answer: dict[str, Any]) -> str:
    if status >= HTTPStatus.BAD_REQUEST:
        return _text(answer["description"])
    content = answer.get("content", {}).get("application/json")
    return _kind(content["schema"]) if content else "no content"


def _type(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code></td><td>{_kind(rule)}</td>"
        f"<td>{'required' if field in required else ''}</td><td>{_text(_meaning(rule))}</td></tr>"
        for field, rule in schema.get("properties", {}).items()
    )
    return (
        f"<section id='type-{escape(name)}'><h3>{escape(name)}</h3>"
        f"<p>{_text(schema.get('description', ''))}</p>"
        f"<table><tr><th>Field</th><th>Type</th><th></th><th>Meaning</th></tr>{rows}</table></section>"
    )


def _error(entry: ErrorCode) -> str:
    again = "may be retried" if entry.retryable else ""
    return (
        f"<tr id='error-{entry.code}'><td><code>{entry.code}</code></td><td>{entry.status}</td>"
        f"<td>{escape(entry.title)}</td><td>{again}</td></tr>"
    )


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[1])
        return f"<a href='#type-{name}'>{name}</a>"
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return escape(str(schema.get("format") or schema.get("type", "any")))


def _meaning(schema: dict[str, Any]) -> str:
    """The description of a field, else the first one of its alternatives or items."""
    nested = [*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())]
    return schema.get("description") or next((text for each in nested if (text := _meaning(each))), "")


def _text(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text, quote=False))
