"""The routes that docs/python.md and the demo page show for a browser's token, run by the frameworks."""

import asyncio
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import django
import fastapi
import flask
import httpx
import litestar
import pytest
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.support.stack import Stack, running_stack
from tests.support.tree import ROOT
from tidings import Tidings, UserToken
from tidings_api.demo import snippets

PROVIDED = {
    "__name__": "shop",
    "fastapi": fastapi,
    "flask": flask,
    "litestar": litestar,
    "JsonResponse": JsonResponse,
    "path": path,
    "JSONResponse": JSONResponse,
    "Starlette": Starlette,
    "Route": Route,
    "UserToken": UserToken,
    "logged_in": lambda _: "ana",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("frameworks")) as running:
        yield running


def shown(framework: str) -> str:
    """The code below the framework's name."""
    text = (ROOT / "docs" / "python.md").read_text()
    section = text[text.index("## The route for a browser's token") :]
    found = re.search(rf"{framework}.*?```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


def wsgi(app: Any) -> httpx.Response:
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://shop") as page:
        return page.get("/my-token")


async def answer(framework: str, names: dict[str, Any]) -> httpx.Response:
    """The answer of the framework's application to the page."""
    if framework == "Django":
        urls = ModuleType("urls_of_the_document")
        urls.urlpatterns = names["urlpatterns"]  # type: ignore[attr-defined]
        if not settings.configured:
            settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None)
            django.setup()
        settings.ROOT_URLCONF = urls
        names["app"] = get_wsgi_application()
    if framework in {"Flask", "Django"}:
        return await asyncio.to_thread(wsgi, names["app"])
    transport = httpx.ASGITransport(app=names["app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as asynchronous:
        return await asynchronous.get("/my-token")


@pytest.mark.parametrize("framework", ["FastAPI", "Flask", "Django", "Starlette", "Litestar"])
async def test_the_documented_route_answers_a_page(framework: str, stack: Stack) -> None:
    """The documented lines answer with a token that opens the user's inbox."""
    with Tidings(stack.api, key=stack.key) as tidings:
        names: dict[str, Any] = {**PROVIDED, "tidings": tidings}
        exec(shown(framework), names)  # noqa: S102 - the documented code is tested
        response = await answer(framework, names)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/json")
    body = response.json()
    assert set(body) == {"token", "expires_at", "realtime_url"}
    with Tidings(stack.api, token=body["token"]) as ana:
        assert ana.inbox().counts().unread == 0


def of_the_browser_document() -> str:
    """The first Python block of docs/browser.md."""
    found = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "browser.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("framework", "code"),
    [
        ("FastAPI", of_the_browser_document()),
        *((tab.name, snippets.code(tab.file)) for tab in snippets.CARDS[1].tabs if tab.language == "python"),
    ],
)
async def test_the_copied_code_runs_unchanged(
    framework: str, code: str, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the two variables and a `logged_in`, the lines of each tab and document are an application."""
    monkeypatch.setenv("TIDINGS_URL", stack.api)
    monkeypatch.setenv("TIDINGS_KEY", stack.key)
    names: dict[str, Any] = {"__name__": "shop", "logged_in": lambda _: "ana"}
    exec(code, names)  # noqa: S102 - the documented code is tested
    with names["tidings"]:
        response = await answer(framework, names)
    assert response.status_code == 200, response.text
    assert set(response.json()) == {"token", "expires_at", "realtime_url"}


async def test_a_route_may_be_annotated_with_the_token(stack: Stack) -> None:
    """FastAPI accepts `-> UserToken` as the type of the route's answer."""
    with Tidings(stack.api, key=stack.key) as tidings:
        names: dict[str, Any] = {**PROVIDED, "tidings": tidings}
        exec(shown("FastAPI").replace("):\n", ") -> UserToken:\n"), names)  # noqa: S102
        response = await answer("FastAPI", names)
    assert set(response.json()) == {"token", "expires_at", "realtime_url"}
