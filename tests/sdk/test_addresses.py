"""Wrong addresses, keys and tokens: errors name each, and blanks around them are ignored."""

import asyncio
import subprocess
import sys
from typing import Any

import httpx
import pytest

from tests.sdk.gateway import KEY, Gateway
from tests.sdk.scripted import SENT, Ask, Server, answer, refusal
from tidings import (
    APIError,
    AsyncTidings,
    ConfigurationError,
    ConnectionFailedError,
    NotFoundError,
    RedirectedError,
    Tidings,
    UnreadableAnswerError,
)

SEND = {"to_users": ["ana"], "title": "Hi"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_names_its_address_and_sends_nothing_there(ask: Ask, status: int) -> None:
    """The error names the URL to use, and the send is not repeated."""
    server = Server(answer(status, Location="https://api.example/prefix/v1/notifications"))
    with pytest.raises(RedirectedError) as raised:
        await ask(server, lambda c: c.send(**SEND))
    assert len(server.requests) == 1
    assert (
        "redirects to https://api.example/prefix/v1/notifications, and nothing was sent there "
        f"[http_{status}, HTTP {status}]. Use https://api.example/prefix as the URL"
    ) in str(raised.value)


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("/login?next=x", "redirects to http://api/login?next=x, and"),
        ("//other/v1/notifications", "Use http://other as the URL"),
        ("https://sso.example/", "Use the URL that leads there"),
    ],
)
async def test_a_redirect_to_something_else_is_named_whole(ask: Ask, location: str, text: str) -> None:
    """The error completes a relative address, and suggests no URL that is not the API's."""
    with pytest.raises(RedirectedError) as raised:
        await ask(Server(answer(302, Location=location)), lambda c: c.send(**SEND))
    assert text in str(raised.value)


@pytest.mark.parametrize("status", [200, 202])
async def test_a_web_page_instead_of_an_answer_is_named(ask: Ask, status: int) -> None:
    """HTML with a 2xx status raises an error that names a web page, without a message of the decoder."""
    page = httpx.Response(status, html="\n<!doctype html><title>Sign in</title>")
    with pytest.raises(UnreadableAnswerError) as raised:
        await ask(Server(page), lambda c: c.send(**SEND))
    assert "it is a web page, not an answer of the API. Check that the URL is that of a Tidings API" in str(
        raised.value
    )


async def test_a_refusal_of_another_server_names_the_url(ask: Ask) -> None:
    """For 404 without a code the error says to check the URL, and not the id."""
    with pytest.raises(NotFoundError, match="Check that the URL is that of a Tidings API"):
        await ask(Server(httpx.Response(404, text="nginx")), lambda c: c.get("n1"))
    with pytest.raises(NotFoundError, match="Check the id and the tenant"):
        await ask(Server(refusal("not_found")), lambda c: c.get("n1"))


@pytest.mark.parametrize(
    "url", ["http://api/base/v1", "http://api/base/v1/", " http://api/base\n", "\thttp://api/base/ "]
)
async def test_a_copied_url_is_normalised(url: str) -> None:
    """The client removes the version at the end of the URL, a slash and blanks around it."""
    server = Server(answer(202, SENT))
    with Tidings(url, key=KEY, transport=httpx.MockTransport(server)) as client:
        client.send(to_users="ana", title="Hi")
    assert str(server.requests[0].url) == "http://api/base/v1/notifications"


@pytest.mark.parametrize("kind", [Tidings, AsyncTidings])
def test_the_realtime_url_is_not_the_apis(kind: type[Any]) -> None:
    """The client refuses a WebSocket URL, and the error says which URL to give."""
    with pytest.raises(ConfigurationError, match=r"is one for WebSockets\. Give the URL of the API"):
        kind("ws://127.0.0.1:8001/v1/realtime", key=KEY)


async def test_the_realtime_port_as_url_is_named() -> None:
    """When a WebSocket server closes the connection of a send, the error names the realtime port."""
    async with Gateway.playing() as gateway:
        url = gateway.url.replace("ws:", "http:").removesuffix("/v1/realtime")
        async with AsyncTidings(url, key=KEY, retries=0) as client:
            with pytest.raises((ConnectionFailedError, APIError)) as raised:
                await client.send(to_users="ana", title="Hi")
        with (
            Tidings(url, key=KEY, retries=0) as blocking,
            pytest.raises((ConnectionFailedError, APIError)) as again,
        ):
            await asyncio.to_thread(blocking.send, to_users="ana", title="Hi")
    for error in (raised.value, again.value):
        assert "the server closed the connection without an answer" in str(error)
        assert "not that of the realtime port" in str(error)


async def test_blanks_around_a_key_or_token_are_removed(ask: Ask) -> None:
    """A key or a token may end with a newline, as from a file or `echo`."""
    server = Server(answer(204), answer(204), answer(204))
    await ask(server, lambda c: c.recall("n1"), key=f" {KEY}\n")
    await ask(server, lambda c: c.recall("n1"), key=None, token="mine\n")
    await ask(server, lambda c: c.recall("n1"), key=None, token=lambda: "\tmine\r\n")
    assert server.requests[1].headers["Authorization"] == "Bearer mine"
    assert server.requests[2].headers["Authorization"] == "Bearer mine"


def test_the_environment_may_end_with_newlines() -> None:
    """The client strips the values of `TIDINGS_URL` and `TIDINGS_KEY`."""
    server = Server(answer(204))
    environ = {"TIDINGS_URL": " http://api\n", "TIDINGS_KEY": f"{KEY}\n"}
    with Tidings.from_env(environ, transport=httpx.MockTransport(server)) as client:
        client.recall("n1")
    assert str(server.requests[0].url) == "http://api/v1/notifications/n1"


@pytest.mark.parametrize("token", ["", " ", "a b", "a\nb", "t\u00f6ken"])
async def test_an_invalid_token_is_refused_before_anything_is_sent(ask: Ask, token: str) -> None:
    """A token that no header can have is refused, and the error does not show it."""
    server = Server()
    with pytest.raises(ConfigurationError) as raised:
        await ask(server, lambda c: c.recall("n1"), key=None, token=token)
    if token.strip():
        assert token not in str(raised.value)


@pytest.mark.parametrize("kind", [Tidings, AsyncTidings])
def test_an_inbox_needs_its_user(kind: type[Any]) -> None:
    """A client with a key raises an error for an inbox without a user."""
    with pytest.raises(ConfigurationError, match="The inbox has no user"):
        kind("http://api", key=KEY).inbox()


def test_a_cut_key_gives_no_warning_of_a_library() -> None:
    """A key without its end raises an error in plain words, and stderr stays empty."""
    code = (
        "import tidings\n"
        "with tidings.Tidings('http://api', key='demo.k1.short') as client:\n"
        "    try: client.get('n1')\n"
        "    except tidings.ConfigurationError as error: print(error)\n"
    )
    command = [sys.executable, "-W", "always", "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert "Copy the whole key" in done.stdout
