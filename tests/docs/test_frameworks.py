"""The routes that docs/python.md and the demo page show for a browser's token, run by the frameworks."""

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
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

from tests.support.stack import Stack, clean_environment, running_stack
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


def first_of_the_browser_document() -> str:
    """The first Python block of docs/browser.md."""
    found = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "browser.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("framework", "code"),
    [
        ("FastAPI", first_of_the_browser_document()),
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


def of_the_browser_document(framework: str) -> str:
    """The code of a framework in docs/browser.md."""
    section = (ROOT / "docs" / "browser.md").read_text().split("## The route for the token\n")[1]
    found = re.search(rf"### {re.escape(framework)}\n.*?```\w+\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("tab", snippets.CARDS[1].tabs[1:], ids=lambda tab: tab.file)
def test_the_document_has_the_code_of_the_demo_page(tab: snippets.Tab) -> None:
    """docs/browser.md has the code of each tab of the demo page, which the tests of the tabs run."""
    assert of_the_browser_document(tab.name) == snippets.code(tab.file)


def run(command: list[str], stack: Stack) -> dict[str, str]:
    """The JSON that a program prints, with the two variables of the documents."""
    environment = clean_environment(TIDINGS_URL=stack.api, TIDINGS_KEY=stack.key)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


def test_the_route_of_next_gives_a_token(stack: Stack, tmp_path: Path) -> None:
    """The route for Next.js answers a request with a token, which no cache may keep."""
    (tmp_path / "route.mjs").write_text(snippets.code("next"))
    program = """
        globalThis.loggedIn = async (request) => new URL(request.url).searchParams.get("user");
        const { GET } = await import(process.argv[1]);
        const answer = await GET(new Request("http://shop/my-token?user=ana"));
        if (answer.headers.get("cache-control") !== "no-store") throw new Error("it may be kept");
        console.log(await answer.text());
    """
    node = ["node", "--input-type=module", "--eval", program, str(tmp_path / "route.mjs")]
    answer = run(node, stack)
    with Tidings(stack.api, token=answer["token"]) as ana:
        assert ana.inbox().counts().unread == 0


def test_the_commands_of_the_document_give_a_token(stack: Stack) -> None:
    """The two requests by curl print a token that opens the user's inbox."""
    answer = run(["bash", "-euo", "pipefail", "-c", of_the_browser_document("curl")], stack)
    assert set(answer) == {"token", "expires_at", "realtime_url"}
    with Tidings(stack.api, token=answer["token"]) as ana:
        assert ana.inbox().counts().unread == 0


async def test_a_route_may_be_annotated_with_the_token(stack: Stack) -> None:
    """FastAPI accepts `-> UserToken` as the type of the route's answer."""
    with Tidings(stack.api, key=stack.key) as tidings:
        names: dict[str, Any] = {**PROVIDED, "tidings": tidings}
        exec(shown("FastAPI").replace("):\n", ") -> UserToken:\n"), names)  # noqa: S102
        response = await answer("FastAPI", names)
    assert set(response.json()) == {"token", "expires_at", "realtime_url"}
