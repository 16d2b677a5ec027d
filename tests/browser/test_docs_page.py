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


async def test_the_chosen_language_is_that_of_all_operations(device: NewDevice, dev: Stack) -> None:
    """A chosen tab shows its language in every operation, also after a reload, and stays in its place."""
    page = await opened(device, dev)
    tab = page.locator("#erase_user").get_by_role("tab", name="Python")
    await tab.scroll_into_view_if_needed()
    before = await tab.bounding_box()
    await tab.click()
    after = await tab.bounding_box()
    assert before is not None
    assert after is not None
    assert after["y"] == pytest.approx(before["y"], abs=2)
    shown = page.locator("[role=tab][aria-selected=true]")
    for _ in range(2):
        assert set(await shown.all_inner_texts()) == {"Python"}
        await expect(page.locator("#send").get_by_role("tabpanel")).to_contain_text("tidings.send(")
        await expect(page.locator("#erase_user").get_by_role("tabpanel")).to_contain_text("users.erase(")
        await page.reload()
        await expect(shown.first).to_be_visible()


async def test_the_languages_are_chosen_by_key(device: NewDevice, dev: Stack) -> None:
    """The tab key reaches the chosen language alone; arrows, Home and End choose another and wrap around."""
    page = await opened(device, dev)
    tabs = page.locator("#send").get_by_role("tablist", name="Code: Send a notification").get_by_role("tab")
    await tabs.first.focus()
    for key, chosen in (("ArrowLeft", 2), ("ArrowRight", 0), ("ArrowRight", 1), ("End", 2), ("Home", 0)):
        await page.keyboard.press(key)
        await expect(tabs.nth(chosen)).to_be_focused()
        assert [await tabs.nth(index).get_attribute("aria-selected") for index in range(3)] == [
            str(index == chosen).lower() for index in range(3)
        ]
    await page.keyboard.press("Tab")
    await expect(page.locator("#send").get_by_role("tabpanel").locator("pre")).to_be_focused()


async def test_the_code_can_be_copied(device: NewDevice, dev: Stack) -> None:
    """The button copies the code of the chosen language."""
    page = await opened(device, dev, permissions=["clipboard-read", "clipboard-write"])
    operation = page.locator("#recall")
    await operation.get_by_role("tab", name="JavaScript").click()
    panel = operation.get_by_role("tabpanel")
    await panel.get_by_role("button", name="Copy").click()
    await expect(panel.get_by_role("button", name="Copied")).to_be_visible()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == await panel.locator("pre").inner_text()
    assert 'method: "DELETE"' in copied


async def test_the_languages_need_no_script(device: NewDevice, dev: Stack) -> None:
    """Without scripts an operation shows the code for curl, and the others open by a click."""
    page = await (await device(java_script_enabled=False)).context.new_page()
    await page.goto(f"{dev.api}/docs")
    operation = page.locator("#recall .samples")
    await expect(operation.get_by_text("curl -sS -X DELETE")).to_be_visible()
    await expect(operation.get_by_text("tidings.recall(")).not_to_be_visible()
    await operation.get_by_text("Python", exact=True).click()
    await expect(operation.get_by_text("tidings.recall(")).to_be_visible()
    await expect(operation.get_by_text("curl -sS -X DELETE")).not_to_be_visible()


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
