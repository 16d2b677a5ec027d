"""The documentation page: the OpenAPI document as HTML, without other hosts.

It can be read without its script, which adds search, buttons to copy, and a form to try an operation.
"""

import json
import re
from html import escape
from http import HTTPStatus
from typing import Any, Final

from tidings.protocol.errors import ERRORS, ErrorCode
from tidings_api.assets import Asset
from tidings_api.grants import TOKEN_SECONDS
from tidings_api.samples import body_of, is_form

_CURL: Final = """\
export TIDINGS_URL=https://the.address.of.this.server
export TIDINGS_KEY=shop.k1.the-secret

TOKEN=$(curl -sS "$TIDINGS_URL/v1/oauth/token" \\
  -u "${TIDINGS_KEY%.*}:${TIDINGS_KEY##*.}" -d grant_type=client_credentials |
  sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
export TOKEN

curl -sS "$TIDINGS_URL/v1/notifications" \\
  -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d '{"to": {"users": ["ana"]}, "title": "Hello, Ana"}'"""
_BROWSER: Final = (
    "A bell with a live badge, and an inbox. `token-url` is an address of your application: it answers with "
    "the answer of `POST /v1/tokens` for the user who is logged in. The address has the version of this "
    "file, so browsers cache it for a year. `/widget.js` without a version is always the newest file, so its "
    "`integrity` changes with each upgrade. As modules, `/tidings.mjs` is the client and `/widget.mjs` the "
    "elements."
)
_EMBEDDING: Final = """\
<script src="https://the.address.of.this.server{path}"
        integrity="{integrity}"
        crossorigin defer></script>
<tidings-inbox url="https://the.address.of.this.server" token-url="/my-token"></tidings-inbox>
"""
_AUTHENTICATION: Final = f"""\
<section id='authentication'><h2>Authentication</h2>
<p>Every request to <code>/v1/</code> has a token: <code>Authorization: Bearer &lt;token&gt;</code>.
The token is a JWT of your tenant's key. The operator creates the key, which is one string:
<code>&lt;tenant&gt;.&lt;kid&gt;.&lt;secret&gt;</code>. Get a token for it, then send:</p>
<pre tabindex='0'>{escape(_CURL)}</pre>
<p>The code of each operation below uses these variables. Python needs the SDK, in <code>sdk</code> of a
checkout, and JavaScript Node 20 or newer. <code>USER_TOKEN</code>, for the routes of <code>/v1/me</code>,
is the <code>token</code> that <a href='#create_token'>POST /v1/tokens</a> answers with.</p>
<p>A token lasts {TOKEN_SECONDS:,} seconds. An application with a JWT library may sign its own: HS256 with
the bytes of the secret, <code>kid</code> in the header, and the claims <code>iss</code> (the tenant),
<code>sub</code>, <code>aud</code> (<code>tidings</code>), <code>iat</code>, <code>exp</code> and
<code>scope</code>. Never give the key to a browser or an app: create a token for its user by
<a href='#create_token'>POST /v1/tokens</a>.</p></section>"""
_METHODS: Final = ("get", "post", "put", "patch", "delete")
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
        "<meta name='color-scheme' content='light dark'><title>Tidings API</title>",
        "<link rel='stylesheet' href='docs/style.css'>",
        "<script type='module' src='docs/page.mjs'></script></head><body>",
        _contents(operations, tags),
        f"<main><h1>{escape(document['info']['title'])} API</h1><p>{escape(document['info']['summary'])}</p>",
        "<p><a href='openapi.json'>OpenAPI 3.1</a></p>",
        _AUTHENTICATION,
        _embedding(widget),
    ]
    for tag in tags:
        parts.append(f"<h2 id='tag-{escape(tag)}'>{escape(tag)}</h2>")
        parts += [_operation(*each, document) for each in operations if each[2]["tags"][0] == tag]
    parts.append("<h2 id='types'>Types</h2>")
    parts += [_type(name, schema) for name, schema in sorted(schemas.items())]
    parts.append("<h2 id='errors'>Errors</h2>")
    rows = "".join(_error(entry) for entry in ERRORS.values())
    parts.append(
        _table("<tr><th>Code</th><th>Status</th><th>Meaning</th><th>Retry</th></tr>", rows, "Errors")
    )
    parts.append("</main></body></html>\n")
    return "\n".join(parts)


def _table(head: str, rows: str, name: str) -> str:
    """A table that scrolls where the window is narrow, also by key."""
    box = f"<div class='scroll' tabindex='0' role='group' aria-label='{escape(name, quote=True)}'>"
    return f"{box}<table>{head}{rows}</table></div>"


def _contents(operations: list[tuple[str, str, Any]], tags: list[str]) -> str:
    def group(name: str, lines: str) -> str:
        return f"<div class='group'><h2>{escape(name)}</h2><ul>{lines}</ul></div>"

    groups = [
        group(
            tag,
            "".join(
                f"<li data-words='{method} {escape(path)}'><a href='#{operation['operationId']}'>"
                f"{escape(operation['summary'])}</a></li>"
                for path, method, operation in operations
                if operation["tags"][0] == tag
            ),
        )
        for tag in tags
    ]
    first = (("authentication", "Authentication"), ("browser", "In the browser"))
    last = (("types", "Types"), ("errors", "Errors"))
    start, end = (
        "".join(f"<li data-words=''><a href='#{anchor}'>{name}</a></li>" for anchor, name in pairs)
        for pairs in (first, last)
    )
    return (
        "<nav aria-label='Contents'><a class='brand' href='docs'>Tidings</a>"
        "<input type='search' id='search' aria-label='Search' placeholder='Search  /' hidden>"
        f"<div class='contents'>{group('Start', start)}{''.join(groups)}{group('Reference', end)}</div></nav>"
    )


def _embedding(widget: Asset) -> str:
    code = _EMBEDDING.format(path=widget.path, integrity=widget.integrity)
    return (
        f"<h2 id='browser'>In the browser</h2><p>{_text(_BROWSER)}</p><pre tabindex='0'>{escape(code)}</pre>"
    )


def _operation(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    name = escape(operation["summary"])
    example = body_of(operation, document["components"]["schemas"])
    body = "" if example is None else f" data-body='{escape(json.dumps(example, indent=2), quote=True)}'"
    # The page's form sends JSON.
    tried = "" if is_form(operation) else f" data-method='{method.upper()}' data-path='{escape(path)}'{body}"
    parts = [
        f"<section id='{operation['operationId']}'{tried}>",
        f"<h3>{name}</h3>",
        f"<p><span class='method'>{method.upper()}</span> <code>{escape(path)}</code></p>",
        *(f"<p>{_text(paragraph)}</p>" for paragraph in operation.get("description", "").split("\n\n")),
    ]
    if operation.get("parameters"):
        rows = "".join(
            f"<tr><td><code>{escape(each['name'])}</code></td><td>{each['in']}</td><td>{_text(each['description'])}</td></tr>"
            for each in operation["parameters"]
        )
        head = "<tr><th>Parameter</th><th>In</th><th>Meaning</th></tr>"
        parts.append(_table(head, rows, f"Parameters: {operation['summary']}"))
    if "requestBody" in operation:
        (content,) = operation["requestBody"]["content"].values()
        parts.append(f"<p>Body: {_kind(content['schema'])}</p>")
    parts.append(_samples(operation))
    rows = "".join(
        f"<tr><td>{status}</td><td>{_answer(int(status), answer)}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    head = "<tr><th>Status</th><th>Answer</th></tr>"
    parts.append(_table(head, rows, f"Answers: {operation['summary']}") + "</section>")
    return "".join(parts)


def _samples(operation: dict[str, Any]) -> str:
    """The code in each language. Without the page's script they are boxes, of which one is open at a time."""
    name = f"samples-{operation['operationId']}"
    boxes = "".join(
        f"<details name='{name}'{'' if index else ' open'}><summary>{escape(sample['label'])}</summary>"
        f"<pre tabindex='0'>{escape(sample['source'])}</pre></details>"
        for index, sample in enumerate(operation["x-codeSamples"])
    )
    label = escape(f"Code: {operation['summary']}", quote=True)
    return f"<div class='samples' data-label='{label}'>{boxes}</div>"


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
        + _table(
            "<tr><th>Field</th><th>Type</th><th>Presence</th><th>Meaning</th></tr>", rows, f"Fields of {name}"
        )
        + "</section>"
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
