"""The sample upstream of `dev`: says on the topic `public` what clients send as the event `message`."""

import time
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Request, Response, Router, post
from litestar.datastructures import State
from msgspec import Raw, Struct

from tidings_api.authorisation import PUBLIC
from tidings_api.bodies import header
from tidings_api.demo_tenant import TENANT, UPSTREAM_PATH
from tidings_api.problems import ProblemError
from tidings_api.requests import Parts
from tidings_workers import standard_webhooks

TOPIC: Final = "public"
EVENT: Final = "message"


class _Message(Struct):
    event: str
    data: Raw


class _Call(Struct):
    data: _Message


_decode: Final = msgspec.json.Decoder(_Call).decode
_text_of: Final = msgspec.json.Decoder(str).decode


@post(UPSTREAM_PATH, opt=PUBLIC, status_code=HTTPStatus.OK)
async def answer_message(request: Request[Any, Any, State], services: Parts) -> Response[bytes]:
    """The answer to a signed message: an object is said as it is, and any other data as a text."""
    body = await request.body()
    tenant = services.view.tenant(TENANT)
    headers = {
        name: b"".join(header(request.scope["headers"], name.encode())).decode("latin-1")
        for name in standard_webhooks.HEADERS
    }
    if (
        tenant is None
        or tenant.upstream is None
        or not standard_webhooks.verifies(tenant.upstream.secret, headers, body, time.time())
    ):
        raise ProblemError("invalid_token", "The signature of this message is not valid.")
    message = _decode(body).data
    if message.event != EVENT:
        # Any other event is an echo.
        return _json({"reply": message.data})
    notification = {"to": {"topics": [TOPIC]}, **_content(message.data)}
    return _json({"notifications": [notification]})


def _content(data: Raw) -> dict[str, Any]:
    text = bytes(data)
    if text.startswith(b"{"):
        return {"data": data}
    said = _text_of(text) if text.startswith(b'"') else text.decode()
    return {"body": said or " "}


def _json(answer: dict[str, Any]) -> Response[bytes]:
    return Response(msgspec.json.encode(answer), media_type="application/json")


routes: Final = Router("/", include_in_schema=False, route_handlers=[answer_message])
