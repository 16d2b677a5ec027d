"""The page of `dev`, used as a person uses it."""

import re

import pytest
from playwright.async_api import FrameLocator, Page, expect

from tests.browser.conftest import NewDevice
from tests.support.stack import Stack
from tests.support.tree import ROOT

AXE = ROOT / "sdk/browser/node_modules/axe-core/axe.min.js"
NAMES = {"ana": "Ana", "bob": "Bob"}
PHONE = {"width": 390, "height": 844}


async def opened(device: NewDevice, dev: Stack, **options: object) -> Page:
    """The open page, with both users connected."""
    page = await (await device(**options)).context.new_page()
    await page.goto(f"{dev.api}/")
    for user in NAMES:
        await expect(page.locator(f".state[data-user={user}]")).to_have_text("connected")
    return page


def window(page: Page, user: str) -> FrameLocator:
    """The inner page of a user."""
    return page.frame_locator(f"iframe[title='The page that {NAMES[user]} has open']")


async def has(page: Page, unread: dict[str, str]) -> None:
    """Wait for these badges of both users; empty for none."""
    for user, number in unread.items():
        badge = window(page, user).locator("tidings-inbox [part~=badge]")
        await (expect(badge).to_have_text(number) if number else expect(badge).to_be_hidden())


async def test_send_to_the_team_and_watch_two_bells(device: NewDevice, dev: Stack) -> None:
    """A send to the group shows on both bells, with its time in the form and its frames in the drawer."""
    page = await opened(device, dev)
    await page.get_by_text("Team", exact=True).click()
    await page.get_by_role("button", name="Send", exact=True).click()
    await has(page, {"ana": "1", "bob": "1"})
    for name in NAMES.values():
        await expect(page.locator("#outcome")).to_contain_text(re.compile(rf"{name} had it after \d+ ms"))
    await page.locator("#drawer summary").click()
    types = page.locator("#frames td:nth-child(4)")
    await expect(types.filter(has_text=re.compile("^notification$"))).to_have_count(2)
    # No token is shown in full, so that a bystander cannot copy it.
    assert re.findall(r"eyJ[\w-]{20,}", await page.locator("body").inner_text()) == []


async def test_only_the_recipients_get_a_send(device: NewDevice, dev: Stack) -> None:
    """A send to one user or to all reaches exactly those, with the content of the form."""
    page = await opened(device, dev)
    await page.get_by_text("Bob", exact=True).first.click()
    await page.get_by_role("button", name="Send 25 at once").click()
    await expect(page.locator("#outcome")).to_contain_text("Bob had it after")
    await has(page, {"ana": "", "bob": "25"})
    await page.get_by_text("Everyone", exact=True).click()
    await page.get_by_label("Title").fill("Maintenance <tonight>")
    await page.get_by_label("Message").fill("From ten & on.")
    await page.get_by_label("Urgent").check()
    await page.get_by_role("button", name="Send", exact=True).click()
    await has(page, {"ana": "1", "bob": "26"})
    toast = window(page, "ana").locator("[part~=toast]")
    await expect(toast).to_contain_text("Maintenance <tonight>")
    await window(page, "ana").locator("[part~=bell]").click()
    row = window(page, "ana").get_by_role("feed").get_by_role("article")
    await expect(row).to_contain_text("From ten & on.")
    await expect(row).to_contain_text("Urgent")


async def test_a_failure_is_shown(device: NewDevice, dev: Stack) -> None:
    """The form shows a refusal in the server's words."""
    page = await opened(device, dev)
    await page.route(
        "**/v1/notifications", lambda route: route.fulfill(status=503, json={"detail": "Not now."})
    )
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator("#outcome.failed")).to_have_text("Not now.")


async def test_by_key_alone(device: NewDevice, dev: Stack) -> None:
    """The keyboard alone can choose the target, write, send, and open the frames."""
    page = await opened(device, dev)
    focused = "document.activeElement.closest('label, summary, button')?.textContent.trim()"

    async def tab_to(name: str) -> None:
        for _ in range(40):
            if name in str(await page.evaluate(focused)):
                return
            await page.keyboard.press("Tab")
        pytest.fail(f"{name} can't be reached by Tab")

    await tab_to("Ana")
    await page.keyboard.press("ArrowRight")
    await tab_to("Title")
    await page.keyboard.press("Control+A")
    await page.keyboard.type("By key")
    await page.keyboard.press("Enter")
    await expect(page.locator("#outcome")).to_contain_text("Bob had it after")
    await has(page, {"ana": "", "bob": "1"})
    await expect(window(page, "bob").locator("[part~=toast]")).to_contain_text("By key")
    await page.locator("#snippet-send").evaluate(
        "each => each.closest('.snippet').querySelector('button').focus()"
    )
    await tab_to("Live frames")
    await page.keyboard.press("Enter")
    await expect(page.locator("#frames")).to_contain_text("By key")


async def test_on_a_phone(device: NewDevice, dev: Stack) -> None:
    """At 390 pixels the form sends, and a tap on a bell opens the inbox inside the window."""
    page = await opened(device, dev, viewport=PHONE, has_touch=True, is_mobile=True)
    await page.get_by_text("Team", exact=True).tap()
    await page.get_by_role("button", name="Send", exact=True).tap()
    await has(page, {"ana": "1", "bob": "1"})
    await window(page, "bob").locator("[part~=bell]").tap()
    panel = window(page, "bob").locator("[part~=panel]")
    await expect(panel.get_by_role("article")).to_have_count(1)
    box = await panel.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
async def test_the_page_is_accessible(device: NewDevice, dev: Stack, scheme: str, width: int) -> None:
    """Axe finds no fault in light and dark, on a wide screen and on a phone, and no content overflows."""
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    # Axe is injected past the page's policy, which would forbid it.
    page = await opened(device, dev, bypass_csp=True, **options)
    await page.locator("#drawer summary").click()
    await page.add_script_tag(path=AXE)
    found = await page.evaluate(
        "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html]))"
    )
    assert found == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
