"""The page that `dev` opens with, used as its reader uses it."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import NewDevice
from tests.support.stack import Stack
from tests.support.tree import ROOT

AXE = ROOT / "sdk/browser/node_modules/axe-core/axe.min.js"


async def opened(device: NewDevice, dev: Stack, **options: object) -> Page:
    """The page, with both users connected."""
    page = await (await device(**options)).context.new_page()
    await page.goto(f"{dev.api}/")
    for user in ("ana", "bob"):
        await expect(page.locator(f".state[data-user={user}]")).to_have_text("connected")
    return page


async def test_send_to_the_team_and_watch_two_bells(device: NewDevice, dev: Stack) -> None:
    """A send to the group shows on both bells, the form says how fast, the drawer shows the frames."""
    page = await opened(device, dev)
    await page.get_by_text("Team", exact=True).click()
    await page.get_by_role("button", name="Send", exact=True).click()
    for name in ("Ana", "Bob"):
        frame = page.frame_locator(f"iframe[title='The page that {name} has open']")
        await expect(frame.locator("tidings-inbox [part~=badge]")).to_have_text("1")
        await expect(page.locator("#outcome")).to_contain_text(re.compile(rf"{name} had it after \d+ ms"))
    await page.locator("#drawer summary").click()
    types = page.locator("#frames td:nth-child(4)")
    await expect(types.filter(has_text=re.compile("^notification$"))).to_have_count(2)
    # Who reads over a shoulder can't send: no token stands there in full.
    assert re.findall(r"eyJ[\w-]{20,}", await page.locator("body").inner_text()) == []


async def test_to_one_user_the_other_bell_stays_still(device: NewDevice, dev: Stack) -> None:
    """What goes to Bob alone is not at Ana's."""
    page = await opened(device, dev)
    before = await page.frame_locator("iframe").first.locator("[part~=badge]").text_content()
    await page.get_by_text("Bob", exact=True).first.click()
    await page.get_by_role("button", name="Send 25 at once").click()
    await expect(page.locator("#outcome")).to_contain_text("Bob had it after")
    assert await page.frame_locator("iframe").first.locator("[part~=badge]").text_content() == before


async def test_a_failure_is_said(device: NewDevice, dev: Stack) -> None:
    """What the server refuses stands in the form, in the server's words."""
    page = await opened(device, dev)
    await page.route(
        "**/v1/notifications", lambda route: route.fulfill(status=503, json={"detail": "Not now."})
    )
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator("#outcome.failed")).to_have_text("Not now.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
async def test_everybody_can_use_it(device: NewDevice, dev: Stack, scheme: str, width: int) -> None:
    """Axe finds nothing, in either scheme, on a wide screen and on a phone; nothing sticks out sideways."""
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    # Axe is put into the page from outside, which the page's own policy would forbid.
    page = await opened(device, dev, bypass_csp=True, **options)
    await page.locator("#drawer summary").click()
    await page.add_script_tag(path=AXE)
    found = await page.evaluate(
        "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html]))"
    )
    assert found == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
