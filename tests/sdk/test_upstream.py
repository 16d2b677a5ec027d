"""The application's side of an upstream: signatures, handlers, and the answers to calls."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from tidings import (
    ClientMessage,
    ConfigurationError,
    InvalidArgumentError,
    Upstream,
    WebhookVerificationError,
    verify_webhook,
)

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def body_of(event: str = "chat", data: Any = None, user: str = "ana") -> bytes:
    """The body of a call."""
    message = {"user": user, "connection": "w1-2-3", "device": "phone", "event": event, "data": data}
    call = {"type": "message", "timestamp": "2026-11-22T07:00:00.123Z", "data": message}
    return json.dumps(call).encode()


def signed(body: bytes, *, secret: str = SECRET, age: float = 0, id: str = "msg_1") -> dict[str, str]:
    """The headers of a call, signed by the reference library."""
    moment = datetime.now(UTC) - timedelta(seconds=age)
    return {
        "Webhook-Id": id,
        "Webhook-Timestamp": str(int(moment.timestamp())),
        "Webhook-Signature": Webhook(secret).sign(id, moment, body.decode()),
        "Content-Type": "application/json",
    }


def test_a_signature_of_the_reference_library() -> None:
    """A request signed by the reference library is verified; two signatures are enough with one valid."""
    body = body_of()
    headers = signed(body)
    assert verify_webhook(headers, body, SECRET) == json.loads(body)
    assert verify_webhook(headers, body.decode(), SECRET) == json.loads(body)
    headers["Webhook-Signature"] = f"v1,AAAA v1a,BBBB {headers['Webhook-Signature']}"
    assert verify_webhook(headers, body, SECRET) == json.loads(body)


WRONG: dict[str, Callable[[dict[str, str]], dict[str, str]]] = {
    "no headers": lambda _: {},
    "no id": lambda headers: headers | {"Webhook-Id": ""},
    "another id": lambda headers: headers | {"Webhook-Id": "msg_2"},
    "no time": lambda headers: headers | {"Webhook-Timestamp": ""},
    "a time that is none": lambda headers: headers | {"Webhook-Timestamp": "x"},
    "a time with other digits": lambda headers: headers | {"Webhook-Timestamp": "\uff11\uff12"},
    "a long time": lambda headers: headers | {"Webhook-Timestamp": "9" * 5000},
    "another time": lambda headers: headers | {"Webhook-Timestamp": str(int(time.time()) + 1)},
    "no signature": lambda headers: headers | {"Webhook-Signature": ""},
    "a wrong signature": lambda headers: headers | {"Webhook-Signature": "v1,AAAA"},
    "another form": lambda headers: headers | {"Webhook-Signature": headers["Webhook-Signature"][3:]},
    "no ASCII": lambda headers: headers | {"Webhook-Signature": "v1,é"},
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_signatures(name: str) -> None:
    """A request that is not signed as it has to be is refused."""
    body = body_of()
    with pytest.raises(WebhookVerificationError):
        verify_webhook(WRONG[name](signed(body)), body, SECRET)


def test_guests() -> None:
    """A message says whether its client has no token; its name does not matter."""
    upstream = Upstream(SECRET)
    found = []
    upstream.on("*")(lambda message: found.append((message.user, message.is_guest)))
    for user, fields in (("guest-00ff", {"guest": True}), ("guest-00ff", {})):
        call = json.loads(body_of(user=user))
        call["data"] |= fields
        body = json.dumps(call).encode()
        assert upstream.handle(signed(body), body)[0] == 204
    assert found == [("guest-00ff", True), ("guest-00ff", False)]


def test_other_bodies_secrets_and_times() -> None:
    """Another body, another secret, and a signature that is too old or too new, are refused."""
    body = body_of()
    for headers, content in (
        (signed(body), body + b" "),
        (signed(body, secret="whsec_" + "A" * 32), body),
        (signed(body, age=400), body),
        (signed(body, age=-400), body),
    ):
        with pytest.raises(WebhookVerificationError):
            verify_webhook(headers, content, SECRET)
    assert verify_webhook(signed(body, age=400), body, SECRET, tolerance=500)
    for secret in ("", "x", "whsec_", "whsec_é", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"):
        with pytest.raises(ConfigurationError):
            Upstream(secret)


async def test_answers() -> None:
    """A handler's value is the reply, what it sends are notifications, and nothing of both is 204."""
    upstream = Upstream(SECRET)
    seen: list[ClientMessage] = []

    @upstream.on("chat")
    def chat(message: ClientMessage) -> Any:
        seen.append(message)
        message.send(to_topics="public", data={"text": message.data})
        message.send(to_users=["bob"], title="Hi")
        return {"n": 1}

    @upstream.on("quiet")
    async def quiet(message: ClientMessage) -> None:
        await asyncio.sleep(0)
        seen.append(message)

    @upstream.on("only/*")
    def only(message: ClientMessage) -> None:
        message.send(to_all=True, title=message.event)

    def check(answer: tuple[int, dict[str, str], bytes]) -> Any:
        status, headers, body = answer
        assert (status, headers["content-type"]) == (200, "application/json")
        return json.loads(body)

    for handle in (upstream.handle, upstream.answer):

        async def ask(event: str, data: Any = None, handle: Any = handle) -> Any:
            body = body_of(event, data)
            if handle == upstream.answer:
                return await handle(signed(body), body)
            return await asyncio.to_thread(handle, signed(body), body)

        found = check(await ask("chat", "hé"))
        assert found["reply"] == {"n": 1}
        assert [each["to"] for each in found["notifications"]] == [{"topics": ["public"]}, {"users": ["bob"]}]
        assert found["notifications"][0]["data"] == {"text": "hé"}
        assert await ask("quiet") == (204, {}, b"")
        assert check(await ask("only/x"))["notifications"] == [{"to": {"all": True}, "title": "only/x"}]
    first = seen[0]
    assert (first.id, first.user, first.connection, first.device) == ("msg_1", "ana", "w1-2-3", "phone")
    assert first.timestamp == datetime(2026, 11, 22, 7, 0, 0, 123000, UTC)
    with pytest.raises(InvalidArgumentError):
        first.send(to_users=["a b"], title="x")
    with pytest.raises(InvalidArgumentError, match="to_users"):
        first.send(to_user="ana", title="x")  # type: ignore[call-arg]


def test_the_choice_of_a_handler() -> None:
    """The exact event is preferred, then the longest beginning; an event without a handler is 404."""
    upstream = Upstream(SECRET)
    for event in ("chat/*", "chat/room/*", "chat/room/1", "chat"):
        upstream.on(event)(lambda _, event=event: event)
    for event, expected in {
        "chat/x": "chat/*",
        "chat/room/2": "chat/room/*",
        "chat/room/1": "chat/room/1",
        "chat": "chat",
    }.items():
        body = body_of(event)
        assert json.loads(upstream.handle(signed(body), body)[2])["reply"] == expected
    for event in ("chats", "other"):
        body = body_of(event)
        assert upstream.handle(signed(body), body)[0] == 404
    upstream.on("*")(lambda _: "any")
    body = body_of("other")
    assert json.loads(upstream.handle(signed(body), body)[2])["reply"] == "any"
    for wrong in ("", "a b", "a/*/b", "**", "a" * 101, "/x", "chat", "*"):
        with pytest.raises(ConfigurationError):
            upstream.on(wrong)


def test_refused_calls() -> None:
    """A call without a valid signature, of another type or too large, reaches no handler."""
    upstream = Upstream(SECRET)
    upstream.on("*")(lambda _: pytest.fail("it was called"))
    body = body_of()
    assert upstream.handle({}, body)[0] == 401
    for other in (b"[]", b"{}", b'{"type": "ping", "timestamp": "x", "data": {}}', b"\xff", b"x"):
        headers = signed(b"") | {"Webhook-Signature": ""}
        assert upstream.handle(headers, other)[0] == 401
    for text in ("[]", "{}", json.dumps({"type": "user.online", "timestamp": "x", "data": {}})):
        assert upstream.handle(signed(text.encode()), text.encode())[0] == 400
    assert upstream.handle(signed(body), b"x" * 200_000)[0] == 413


def test_an_error_of_a_handler_is_raised() -> None:
    """The framework gets the error of a handler, so that it logs it."""
    upstream = Upstream(SECRET)

    @upstream.on("chat")
    def chat(_: ClientMessage) -> None:
        raise ZeroDivisionError

    body = body_of()
    with pytest.raises(ZeroDivisionError):
        upstream.handle(signed(body), body)


async def test_asgi() -> None:
    """As an ASGI application it serves POST at any path, and refuses the rest."""
    upstream = Upstream(SECRET)
    upstream.on("chat")(lambda message: message.data)
    upstream.on("none")(lambda _: None)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(upstream), base_url="http://app.example"
    ) as client:
        body = body_of("chat", [1])
        answer = await client.post("/any/path", content=body, headers=signed(body))
        assert (answer.status_code, answer.json()) == (200, {"reply": [1]})
        body = body_of("none")
        assert (await client.post("/", content=body, headers=signed(body))).status_code == 204
        refused = await client.get("/")
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
        assert (await client.post("/", content=body)).status_code == 401
        assert (await client.post("/", content=b"x" * 200_000)).status_code == 413
