"""The widget on a page of another origin, with the code that a customer copies from the demo page."""

import asyncio
import json
import re
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.browser.application import stored
from tests.browser.conftest import NewDevice
from tests.browser.screen import Device, Sender
from tests.browser.site import site
from tests.support.no_tls import NO_TLS
from tests.support.stack import Stack, clean_environment
from tests.support.tree import ROOT
from tests.support.valkey import wait_until

# Exactly the needs of the widget: no unsafe-inline, and trusted types.
POLICY = (
    "default-src 'none'; script-src {script}; connect-src 'self' {api} {gateway} {events}; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
NONCE = "bm90IGFueWJvZHkncw"


def policy(dev: Stack, script: str = "") -> str:
    """A strict policy for a page of a customer."""
    gateway = dev.realtime.partition("/v1/")[0]
    # A policy matches the scheme: a stream of events is an ordinary request.
    events = gateway.replace("ws", "http", 1)
    return POLICY.format(script=script or dev.api, api=dev.api, gateway=gateway, events=events)


@pytest_asyncio.fixture(loop_scope="session")
async def copied(device: NewDevice, dev: Stack) -> dict[str, str]:
    """The texts that the demo page's copy buttons put into the clipboard, by the names of their tabs."""
    context = (await device()).context
    await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=dev.api)
    page = await context.new_page()
    # As on a later visit: the page fills empty inboxes only.
    await page.route("**/v1/users/ana/notifications*", lambda route: route.fulfill(json={"items": [{}]}))
    await page.goto(dev.api)
    # A title with characters that a shell interprets.
    await page.get_by_label("Title").fill('It\'s "$HOME" & `more`; \\ ü')
    await page.get_by_label("Ana", exact=True).check()
    await expect(page.locator("#snippet-curl")).to_contain_text("eyJ")
    found: dict[str, str] = {}
    for article in await page.locator("#code").get_by_role("article").all():
        button = article.locator(".copy")
        for tab in await article.get_by_role("tab").all():
            await tab.click()
            await button.click()
            await expect(button).to_have_text("Copied")
            found[await tab.inner_text()] = await page.evaluate("navigator.clipboard.readText()")
    await page.close()
    return found


async def test_a_selected_command_is_whole(device: NewDevice, dev: Stack) -> None:
    """The demo page shortens the token only to the eye: selected by hand, the command is accepted."""
    page = await (await device()).context.new_page()
    await page.goto(dev.api)
    await page.get_by_label("Title").fill("Selected by hand")
    code = page.locator("#snippet-curl")
    await expect(code).to_contain_text("eyJ")
    box = await code.locator(".rest").bounding_box()
    assert box is not None
    assert box["width"] < 40
    select = "(code) => { getSelection().selectAllChildren(code); return getSelection().toString(); }"
    command = await code.evaluate(select)
    shell = await asyncio.create_subprocess_exec("bash", "-euc", f"{command} -sS", stdout=PIPE)
    printed, _ = await shell.communicate()
    assert json.loads(printed)["status"] == "accepted"
    await page.close()


def shop_page(code: str) -> str:
    """A page of a customer with this code."""
    return f"<!doctype html><html lang=en><title>Shop</title>{code}</html>"


def token_of(dev: Stack) -> str:
    """The answer of a customer's token endpoint for Ana."""
    return json.dumps({"token": dev.token("ana"), "realtime_url": dev.realtime})


def answers(dev: Stack, code: str) -> Callable[[str], tuple[str, str] | None]:
    """The answers of a customer's site: the page with the code, and the token endpoint."""
    pages = {"/": ("text/html", shop_page(code)), "/my-token": ("application/json", token_of(dev))}
    return pages.get


@pytest_asyncio.fixture(loop_scope="session")
async def shop(dev: Stack, copied: dict[str, str]) -> AsyncIterator[str]:
    """The origin of a customer's site whose page has the code of the demo page."""
    async with site(answers(dev, copied["Pinned"]), policy=policy(dev)) as origin:
        yield origin


async def shown(phone: Device, shop: str) -> Page:
    """The page of the shop, after its bell is shown."""
    page = await phone.context.new_page()
    await page.goto(shop)
    await expect(page.locator("tidings-inbox [part~=bell]")).to_be_visible()
    return page


async def works(page: Page, dev: Stack) -> None:
    """Check that badge, list and marks work."""
    Sender(dev).send("To the shop", users=["ana"])
    inbox = page.locator("tidings-inbox")
    await expect(inbox.locator("[part~=badge]")).to_have_text("1")
    await inbox.locator("[part~=bell]").click()
    await expect(inbox.locator("[part~=item-title]")).to_have_text("To the shop")
    await inbox.locator("[part~=item-title]").click()
    await expect(inbox.locator("[part~=badge]")).to_be_hidden()
    await stored(dev, "ana", 0)


async def test_the_copied_line_works_on_another_origin(device: NewDevice, dev: Stack, shop: str) -> None:
    """The copied line works with its integrity under a strict policy: badge, list and marks, by CORS."""
    await works(await shown(await device(), shop), dev)


async def test_the_two_lines_of_the_documentation_work(device: NewDevice, dev: Stack) -> None:
    """The two lines at the top of the documentation work with the address of this server."""
    offered = re.search(r"```html\n(.*?)```", (ROOT / "docs/browser.md").read_text(), re.DOTALL)
    assert offered is not None
    code = offered[1].replace("https://notify.example", dev.api)
    assert len(code.splitlines()) == 2
    async with site(answers(dev, code), policy=policy(dev)) as origin:
        await works(await shown(await device(), origin), dev)


async def test_a_policy_of_nonces_is_enough(device: NewDevice, dev: Stack, copied: dict[str, str]) -> None:
    """Under a policy with a nonce and strict-dynamic, without host names, the widget loads its parts."""
    code = copied["Pinned"].replace("<script ", f"<script nonce={NONCE} ")
    trusting = policy(dev, f"'nonce-{NONCE}' 'strict-dynamic'")
    async with site(answers(dev, code), policy=trusting) as origin:
        await works(await shown(await device(), origin), dev)


async def test_another_file_than_the_named_one_does_not_run(device: NewDevice, shop: str) -> None:
    """The browser refuses a script that was changed in transit."""
    phone = await device()

    async def change(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=await answer.text() + ";")

    await phone.context.route("**/widget.js*", change)
    page = await phone.context.new_page()
    await page.goto(shop)
    await phone.forgive("integrity")
    assert await page.evaluate("customElements.get('tidings-inbox') === undefined")


async def test_a_panel_that_failed_to_load_is_loaded_again(device: NewDevice, dev: Stack, shop: str) -> None:
    """If the panel fails to load when the bell is pressed, it offers a retry, which succeeds."""
    phone = await device()
    page = await shown(phone, shop)
    await phone.context.route("**/parts.mjs*", lambda route: route.abort())
    inbox = page.locator("tidings-inbox")
    await inbox.locator("[part~=bell]").click()
    again = inbox.get_by_role("button", name="Try again")
    await expect(again).to_be_visible()
    await phone.context.unroute("**/parts.mjs*")
    await again.click()
    Sender(dev).send("To the shop", users=["ana"])
    await expect(inbox.get_by_role("feed").locator("[part~=item-title]")).to_have_text("To the shop")


async def test_only_pages_of_listed_origins_can_connect(device: NewDevice, dev: Stack, shop: str) -> None:
    """With a list of origins the widget works on pages of those, and shows nothing on others."""
    async with site(answers(dev, shop_page("")), policy=policy(dev)) as elsewhere:
        with only(dev, elsewhere):
            phone = await device()
            page = await shown(phone, shop)
            Sender(dev).send("Not for this page", users=["ana"])
            await stored(dev, "ana", 1)
            inbox = page.locator("tidings-inbox")
            await inbox.locator("[part~=bell]").click()
            await expect(inbox.locator("[part~=strip]")).to_be_visible()
            await expect(inbox.locator("[part~=badge]")).to_be_hidden()
            await expect(inbox.locator("[part~=item-title]")).to_have_count(0)
            assert await page.evaluate("document.querySelector('tidings-inbox').client.status") == "stopped"
            # The browser logs the reason for the developer of the page.
            await phone.forgive("CORS")
        with only(dev, shop):
            await expect((await shown(await device(), shop)).locator("[part~=badge]")).to_have_text("1")


@contextmanager
def only(dev: Stack, origin: str) -> Iterator[None]:
    """Allow only pages of this origin, for the time of the context."""
    operator(dev, "--origin", origin)
    wait_until(lambda: let_in(dev, "http://nobody.example") == {False}, "the list of origins")
    try:
        yield
    finally:
        operator(dev, "--any-origin")
        wait_until(lambda: let_in(dev, "http://nobody.example") == {True}, "the end of the list of origins")


def let_in(dev: Stack, origin: str) -> set[bool]:
    """Whether both the API and the gateway admit a page of this origin: each polls the registry itself."""
    headers = {"origin": origin, "authorization": f"Bearer {dev.token('nobody')}"}
    answer = httpx.get(
        f"{dev.api}/v1/me/notifications?limit=1", headers=headers, trust_env=False, verify=NO_TLS
    )
    try:
        with connect(dev.realtime, additional_headers=headers, proxy=None):
            by_gateway = True
    except InvalidStatus as refused:
        by_gateway = refused.response.status_code != HTTPStatus.FORBIDDEN
    return {"access-control-allow-origin" in answer.headers, by_gateway}


def operator(dev: Stack, *words: str) -> None:
    """Run a command of the operator on the running installation."""
    command = [sys.executable, "-m", "tidings_api.cli", "tenants", "update", "demo", *words]
    subprocess.run(
        [*command, "--data", str(dev.data)], check=True, capture_output=True, env=clean_environment()
    )


async def test_the_server_code_gives_tokens_to_the_page(
    device: NewDevice, dev: Stack, copied: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copied code for a customer's server gives the page a token of the logged-in user."""
    monkeypatch.setenv("TIDINGS_URL", dev.api)
    monkeypatch.setenv("TIDINGS_KEY", dev.key)
    names: dict[str, Any] = {"logged_in": lambda _request: "ana"}
    exec(copied["FastAPI"], names)  # noqa: S102 - the test is of this code
    routes = {route.path: route.endpoint for route in names["app"].routes}

    def answer(path: str) -> tuple[str, str] | None:
        if path == "/":
            return "text/html", shop_page(copied["Pinned"])
        handler = routes.get(path)
        return handler and ("application/json", msgspec.json.encode(handler(None)).decode())

    with names["tidings"]:
        async with site(answer, policy=policy(dev)) as origin:
            await works(await shown(await device(), origin), dev)


async def test_the_copied_lines_show_the_bell(device: NewDevice, dev: Stack, copied: dict[str, str]) -> None:
    """The two lines of the first tab work on a page of another origin."""
    async with site(answers(dev, copied["HTML"]), policy=policy(dev)) as origin:
        await works(await shown(await device(), origin), dev)


@pytest.mark.parametrize(
    ("tab", "program"),
    [
        ("curl", ("bash", "--norc")),
        ("Python", (sys.executable, "-W", "error", "-")),
        ("JavaScript", ("node", "--input-type=module", "-")),
    ],
)
async def test_the_copied_request_sends_the_form(
    device: NewDevice, dev: Stack, copied: dict[str, str], tab: str, program: tuple[str, ...]
) -> None:
    """The copied code sends exactly the notification of the form, also with special characters in it."""
    phone = await device()
    ana = await phone.tab("ana")
    running = await asyncio.create_subprocess_exec(
        *program, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=clean_environment()
    )
    _, problems = await running.communicate(copied[tab].encode())
    assert running.returncode == 0, problems
    await ana.look()
    await expect(ana.titles).to_have_text(['It\'s "$HOME" & `more`; \\ ü'])
    await expect(ana.inbox.get_by_role("link", name="Track")).to_have_count(1)
