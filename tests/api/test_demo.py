"""The demo page of `dev`: its tokens are for itself only, and an API in production has no such page."""

from collections.abc import AsyncIterator

import httpx
import pytest
from msgspec import structs

from tests.api.conftest import Bearer, serving
from tidings_api import demo, server
from tidings_api.assets import asset
from tidings_api.demo.own import own_host
from tidings_api.realtime_address import realtime_url
from tidings_workers.config import Settings


@pytest.fixture
async def dev(
    settings: Settings, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """An API in the form that `dev` runs."""
    monkeypatch.setattr(server, "LAST_ANSWERS_SECONDS", 0)
    async with serving(settings, demo.run) as client:
        yield client


async def test_the_page_gets_tokens_for_its_users_and_its_form(
    dev: httpx.AsyncClient, settings: Settings
) -> None:
    """The page's user token opens only the own inbox, and its form's token sends but creates no tokens."""
    own = {"origin": f"http://127.0.0.1:{settings.port}"}
    for role, works, refused in (
        ("ana", "/v1/me/notifications", "/v1/groups"),
        ("sender", "/v1/groups", "/v1/me/notifications"),
    ):
        made = await dev.post("/demo/tokens", json={"role": role}, headers=own)
        assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
        assert made.json()["realtime_url"] == settings.public_realtime_url
        token = {"authorization": f"Bearer {made.json()['token']}"}
        assert (await dev.get(works, headers=token)).status_code == 200
        assert (await dev.get(refused, headers=token)).status_code == 403
        assert (await dev.post("/v1/tokens", json={"user": "x"}, headers=token)).status_code == 403


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:{port}", None),
        ("127.0.0.1:{port}", "https://127.0.0.1:{port}"),
        ("127.0.0.1:{port}", "http://localhost:{port}"),
        ("127.0.0.1:{port}", "http://evil.example"),
        ("127.0.0.1:{port}", "null"),
        ("127.0.0.1:1", "http://127.0.0.1:1"),
        ("rebound.example:{port}", "http://rebound.example:{port}"),
        ("evil@127.0.0.1:{port}", "http://evil@127.0.0.1:{port}"),
        ("localhost.evil.example:{port}", "http://localhost.evil.example:{port}"),
    ],
)
async def test_no_other_page_gets_a_token(
    dev: httpx.AsyncClient, settings: Settings, host: str, origin: str | None
) -> None:
    """A page of another origin, or with a name rebound to this machine, gets no token."""
    headers = {"host": host.format(port=settings.port)}
    if origin is not None:
        headers["origin"] = origin.format(port=settings.port)
    answer = await dev.post("/demo/tokens", json={"role": "sender"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")


async def test_the_page_works_under_every_name_of_this_machine(
    dev: httpx.AsyncClient, settings: Settings
) -> None:
    """The page works under `localhost` and any address, and connects to the address of its request."""
    for name in ("localhost", "127.0.0.1", "[::1]", "192.168.1.5"):
        host = f"{name}:{settings.port}"
        headers = {"host": host, "origin": f"http://{host}"}
        answer = await dev.post("/demo/tokens", json={"role": "ana"}, headers=headers)
        assert answer.status_code == 201, name
    everywhere = structs.replace(settings, host="0.0.0.0", realtime_host="0.0.0.0")
    headers_there = [(b"host", f"192.168.1.5:{settings.port}".encode())]
    assert own_host(headers_there, everywhere) == f"192.168.1.5:{settings.port}"
    assert realtime_url(headers_there, everywhere) == "ws://192.168.1.5:8001/v1/realtime"


async def test_the_page_shows_the_widget_that_is_served(dev: httpx.AsyncClient) -> None:
    """The line to embed names the served file, with the integrity of that file."""
    page = (await dev.get("/")).text
    widget = asset("widget.js")
    assert f'src="{dev.base_url}{widget.path}"'.replace('"', "&quot;") in page.replace('"', "&quot;")
    assert widget.integrity in page
    assert (await dev.get("/demo/users/eve")).status_code == 404
    assert (await dev.get("/demo/files/index.html")).status_code == 404


async def test_production_has_no_demo(api: httpx.AsyncClient, settings: Settings) -> None:
    """Without `dev` the API has neither the page nor its tokens."""
    own = {"origin": f"http://127.0.0.1:{settings.port}"}
    assert (await api.post("/demo/tokens", json={"role": "ana"}, headers=own)).status_code == 404
    for path in ("/", "/demo/users/ana", "/demo/files/page.mjs"):
        assert (await api.get(path)).status_code == 404
