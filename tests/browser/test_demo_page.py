"""The page of `dev`, used as a person uses it."""

import re

import pytest
from playwright.async_api import FrameLocator, Page, expect

from tests.browser.conftest import NewDevice
from tests.support.stack import Stack
from tests.support.tree import ROOT

AXE = ROOT / "sdk/browser/node_modules/axe-core/axe.min.js"
RUN_AXE = """axe.run({ iframes: false }).then(({ violations }) =>
  violations.map(({ id, nodes }) => `${id} ${nodes[0].html}`))"""
NAMES = {"ana": "Ana", "bob": "Bob"}
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 860}
FIRST = ["Your parcel is on its way", "Maria commented on “Q3 report”", "Version 42 is live"]


async def opened(device: NewDevice, dev: Stack, **options: object) -> Page:
    """The open page, with both users connected."""
    page = await (await device(**options)).context.new_page()
    await page.goto(f"{dev.api}/")
    for user in NAMES:
        await expect(page.locator(f".state[data-user={user}]")).to_have_text("live")
    return page


def window(page: Page, user: str) -> FrameLocator:
    """The inner page of a user."""
    return page.frame_locator(f"iframe[title='The page that {NAMES[user]} has open']")


async def faults(page: Page) -> list[str]:
    """The faults that axe finds on the page and on those of the users."""
    found: list[str] = []
    for frame in page.frames:
        await frame.add_script_tag(path=AXE)
        found += await frame.evaluate(RUN_AXE)
    return found


async def has(page: Page, unread: dict[str, str]) -> None:
    """Wait for these badges of both users; empty for none."""
    for user, number in unread.items():
        badge = window(page, user).locator("tidings-inbox [part~=badge]")
        await (expect(badge).to_have_text(number) if number else expect(badge).to_be_hidden())


async def test_the_first_look_shows_notifications(device: NewDevice, dev: Stack) -> None:
    """The first visit fills both inboxes once, and Ana's panel is open with a picture for each category."""
    await opened(device, dev)
    page = await opened(device, dev)
    await has(page, {"ana": "3", "bob": "3"})
    panel = window(page, "ana").locator("[part~=panel]")
    await expect(panel.locator("[part~=item-title]")).to_have_text(FIRST)
    pictures = await panel.locator("[part~=icon] img").evaluate_all("all => all.map(({ src }) => src)")
    assert len(set(pictures)) == len(FIRST)
    await expect(window(page, "bob").locator("[part~=panel]")).to_be_hidden()
    # The focus stays on the page around the window.
    assert await page.evaluate("document.activeElement === document.body")


async def test_send_to_the_team_and_watch_two_bells(device: NewDevice, dev: Stack) -> None:
    """A send to the group shows on both bells, with its times at the form and its frames in the drawer."""
    page = await opened(device, dev)
    await page.get_by_label("Team", exact=True).check()
    await page.get_by_role("button", name="Send", exact=True).click()
    await has(page, {"ana": "4", "bob": "4"})
    for name in NAMES.values():
        await expect(page.locator("#outcome")).to_contain_text(re.compile(rf"{name} saw it after \d+ ms"))
    times = [int(found) for found in re.findall(r"(\d+) ms", await page.locator("#outcome").inner_text())]
    assert len(times) == 3
    assert times == sorted(times)
    await page.get_by_role("button", name="Live frames").click()
    types = page.locator("#frames .type")
    await expect(types.filter(has_text=re.compile("^notification$"))).to_have_count(2)
    # Opened frames show no token in full, so that a bystander cannot copy it.
    await page.locator("#frames details").evaluate_all("all => all.forEach((each) => { each.open = true; })")
    await expect(page.locator("#frames")).to_contain_text('"token": "eyJ')
    # The end of the token in the commands is out of sight; only a selection or the button copies it.
    await page.locator("#code .rest").evaluate_all("all => all.forEach((each) => each.remove())")
    assert re.findall(r"eyJ[\w-]{20,}", await page.locator("body").inner_text()) == []


async def test_events_as_they_happen(device: NewDevice, dev: Stack) -> None:
    """The tab shows the events of a send and of its reading in order; no request waits while it is closed."""
    page = await opened(device, dev)
    await has(page, {"ana": "3"})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition("?")[0]))
    send = page.get_by_role("button", name="Send", exact=True)
    await send.click()
    await has(page, {"ana": "4"})
    assert f"{dev.api}/v1/events" not in asked
    await page.get_by_role("button", name="Live frames").click()
    await page.get_by_role("tab", name="Frames").focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("tabpanel", name="Frames")).to_be_hidden()
    events = page.get_by_role("tabpanel", name="Events").get_by_role("listitem")
    of_ana = events.filter(has_text="Ana").locator(".type").filter(has_text="notification.")
    await expect(of_ana.filter(has_text="seen")).not_to_have_count(0)
    article = window(page, "ana").get_by_role("feed").get_by_role("article").first
    await article.get_by_role("button", name="Mark as read").click()
    read = events.filter(has_text="notification.read")
    await expect(read).to_have_count(1)
    kinds = page.locator(f"#events [data-of='{await read.get_attribute('data-of')}'] .type")
    newest_first = ["notification.read", "notification.seen", "notification.delivered", "notification.stored"]
    await expect(kinds).to_have_text(newest_first)
    await read.locator("summary").click()
    await expect(read.locator("pre")).to_contain_text('"user": "ana"')
    await page.get_by_role("button", name="Clear").click()
    await expect(page.locator("#event-count")).to_have_text("0")
    await page.keyboard.press("Escape")
    await expect(page.locator("#drawer")).to_be_hidden()
    # The tab shows the events that happened while it was closed.
    await send.click()
    await has(page, {"ana": "4"})
    await page.get_by_role("button", name="Live frames").click()
    await expect(of_ana.filter(has_text="stored")).to_have_count(1)


async def test_only_the_recipients_get_a_send(device: NewDevice, dev: Stack) -> None:
    """A send to one user or to all reaches exactly those, with the content of the form."""
    page = await opened(device, dev)
    await page.get_by_label("Bob", exact=True).check()
    await page.get_by_role("button", name="Send 25").click()
    await expect(page.locator("#outcome")).to_contain_text("Bob saw it after")
    await has(page, {"ana": "3", "bob": "28"})
    await page.get_by_label("Everyone", exact=True).check()
    await page.get_by_label("Title").fill("Maintenance <tonight>")
    await page.get_by_label("Message").fill("From ten & on.")
    await page.get_by_label("Urgent").check()
    await page.get_by_role("button", name="Send", exact=True).click()
    await has(page, {"ana": "4", "bob": "29"})
    toast = window(page, "bob").locator("[part~=toast]", has_text="Maintenance <tonight>")
    await expect(toast).to_be_visible()
    row = window(page, "ana").get_by_role("feed").get_by_role("article").first
    await expect(row).to_contain_text("From ten & on.")
    await expect(row).to_contain_text("Urgent")


async def test_an_example_is_sent_at_once(device: NewDevice, dev: Stack) -> None:
    """A press on an example fills the form and sends it; its link shows the parcel on Ana's page."""
    page = await opened(device, dev)
    await has(page, {"ana": "3"})
    await page.get_by_role("button", name="Alarm", exact=True).click()
    await expect(page.get_by_label("Title")).to_have_value("Payments are failing")
    await has(page, {"ana": "4"})
    ana = window(page, "ana")
    await ana.get_by_role("article").filter(has_text="parcel").get_by_role("link", name="Track").click()
    await expect(ana.locator("#parcel-4711")).to_have_class("found")
    await expect(ana.locator("[part~=panel]")).to_be_hidden()


@pytest.mark.parametrize("theme", ["Dashboard", "Shop", "Arabic"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_theme_changes_the_window_of_bob(
    device: NewDevice, dev: Stack, theme: str, scheme: str
) -> None:
    """Each theme changes Bob's page with the panel in it, and not Ana's; axe finds no fault in any."""
    page = await opened(device, dev, bypass_csp=True, color_scheme=scheme, viewport=DESK)
    bob = window(page, "bob")
    accent = "getComputedStyle(document.documentElement).getPropertyValue('--accent')"
    before = await bob.locator("body").evaluate(accent)
    await page.get_by_label(theme).check()
    await expect(bob.locator("html")).to_have_attribute("data-theme", theme.lower())
    await expect(bob.locator("[part~=item-title]")).to_have_text(FIRST)
    await expect(bob.locator("html")).to_have_attribute("dir", "rtl" if theme == "Arabic" else "ltr")
    assert (await bob.locator("body").evaluate(accent) != before) == (theme != "Arabic")
    await expect(window(page, "ana").locator("html")).to_have_attribute("data-theme", "plain")
    assert await faults(page) == []


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
    focused = """(({ activeElement: it }) =>
      it.ariaLabel ?? it.closest("label, summary, button")?.textContent.trim())(document)"""

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
    await expect(page.locator("#outcome")).to_contain_text("Bob saw it after")
    await has(page, {"ana": "3", "bob": "4"})
    await expect(window(page, "bob").locator("[part~=toast]")).to_contain_text("By key")
    await page.get_by_role("button", name="Live frames").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Close the frames")).to_be_focused()
    await tab_to("notification")
    await page.keyboard.press("Enter")
    await expect(page.locator("#frames")).to_contain_text("By key")
    await page.keyboard.press("Escape")
    await expect(page.locator("#drawer")).to_be_hidden()
    await expect(page.get_by_role("button", name="Live frames")).to_be_focused()


async def test_the_tabs_of_the_code(device: NewDevice, dev: Stack) -> None:
    """A tab shows the code for its framework with colors, and the arrow keys choose the next tab."""
    page = await opened(device, dev)
    server = page.get_by_role("article").filter(has_text="Into your server")
    await server.get_by_role("tab", name="Flask").click()
    await expect(server.get_by_role("tabpanel")).to_contain_text("from flask import Flask, request")
    await page.keyboard.press("ArrowRight")
    await expect(server.get_by_role("tab", name="Django")).to_be_focused()
    panel = server.get_by_role("tabpanel")
    await expect(panel).to_have_count(1)
    await expect(panel).to_contain_text("JsonResponse")
    assert await panel.locator(".word").all_inner_texts()
    colors = "all => new Set(all.map((each) => getComputedStyle(each).color)).size"
    assert await panel.locator(".word, .text, .remark").evaluate_all(colors) == 3


async def test_on_a_phone(device: NewDevice, dev: Stack) -> None:
    """At 390 pixels the form sends, and a tap on a bell opens the inbox inside the window."""
    page = await opened(device, dev, viewport=PHONE, has_touch=True, is_mobile=True)
    await page.get_by_label("Team", exact=True).check()
    await page.get_by_role("button", name="Send", exact=True).tap()
    await has(page, {"ana": "4"})
    await page.get_by_role("button", name="Bob", exact=True).tap()
    await has(page, {"bob": "4"})
    await window(page, "bob").locator("[part~=bell]").tap()
    panel = window(page, "bob").locator("[part~=panel]")
    await expect(panel.get_by_role("article")).to_have_count(4)
    box = await panel.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 800, 360])
async def test_the_page_is_accessible(device: NewDevice, dev: Stack, scheme: str, width: int) -> None:
    """Axe finds no fault in light and dark, on any width, with frames and with events; no overflow."""
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    # Axe is injected past the page's policy, which would forbid it.
    page = await opened(device, dev, bypass_csp=True, **options)
    assert await faults(page) == []
    await page.get_by_role("button", name="Live frames").click()
    await page.locator("#frames summary").first.click()
    assert await faults(page) == []
    await page.get_by_role("tab", name="Events").click()
    await page.locator("#events summary").first.click()
    assert await faults(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
