"""The page of the API's description, used as a developer uses it."""

import asyncio
import json
from asyncio.subprocess import PIPE

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import NewDevice
from tests.support.stack import Stack, clean_environment
from tests.support.tree import ROOT

AXE = ROOT / "sdk/browser/node_modules/axe-core/axe.min.js"


async def opened(device: NewDevice, dev: Stack, **options: object) -> Page:
    """The open page, after its script has run."""
    page = await (await device(**options)).context.new_page()
    await page.goto(f"{dev.api}/docs")
    await expect(page.get_by_role("searchbox", name="Search")).to_be_visible()
    return page


async def test_search_finds_an_operation(device: NewDevice, dev: Stack) -> None:
    """The search finds operations by words and by path, and Enter leads to the first one."""
    page = await opened(device, dev)
    await page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Search")
    await expect(search).to_be_focused()
    found = page.get_by_role("navigation").get_by_role("link")
    await search.fill("delete groups/{group}/members")
    await expect(found).to_have_text(["Tidings", "Remove a user from a group"])
    await search.fill("batch")
    await search.press("Enter")
    await expect(page).to_have_url(f"{dev.api}/docs#send_batch")


async def test_an_operation_can_be_tried(device: NewDevice, dev: Stack) -> None:
    """The form of an operation sends to this server, with the token of the last one, and shows refusals."""
    page = await opened(device, dev)

    async def form(operation: str) -> None:
        await page.locator(f"#{operation} .try summary").click()

    await form("send")
    send = page.locator("#send .try")
    body = json.loads(await send.get_by_label("Body").input_value())
    await send.get_by_role("button", name="Send").click()
    await expect(send.locator("pre")).to_contain_text("missing_token")
    await send.get_by_label("Token").fill(dev.token("reader", "send read"))
    await send.get_by_label("Body").fill(json.dumps({**body, "to": {"users": ["ana"]}}))
    await send.get_by_role("button", name="Send").click()
    await expect(send.locator("pre")).to_contain_text("202 Accepted")
    sent = json.loads((await send.locator("pre").inner_text()).split("\n", 1)[1])
    await form("get_notification")
    get = page.locator("#get_notification .try")
    await get.get_by_label("notification").fill(sent["id"])
    await get.get_by_role("button", name="Send").click()
    await expect(get.locator("pre")).to_contain_text(sent["id"])


async def test_the_shown_command_works(device: NewDevice, dev: Stack) -> None:
    """The command of an operation, pasted after those of the authentication, is accepted by this server."""
    page = await opened(device, dev)
    texts = [
        await page.locator(f"{part} pre").first.inner_text() for part in ("#authentication", "#send_batch")
    ]
    script = "\n".join(texts).replace("shop.k1.the-secret", dev.key)
    assert f"TIDINGS_URL={dev.api}" in script
    shell = await asyncio.create_subprocess_exec(
        "bash", "-e", stdin=PIPE, stdout=PIPE, stderr=PIPE, env=clean_environment()
    )
    printed, problems = await shell.communicate(script.encode())
    assert shell.returncode == 0, problems
    assert printed.decode().count('"status":"accepted"') >= 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
async def test_the_page_is_accessible(device: NewDevice, dev: Stack, scheme: str, width: int) -> None:
    """Axe finds no fault in light and dark, on a wide screen and on a phone, and no content overflows."""
    # Axe is injected past the page's policy, which would forbid it.
    viewport = {"width": width, "height": 900}
    page = await opened(device, dev, bypass_csp=True, color_scheme=scheme, viewport=viewport)
    await page.locator("#send .try summary").click()
    await page.add_script_tag(path=AXE)
    found = await page.evaluate(
        "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html]))"
    )
    assert found == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
