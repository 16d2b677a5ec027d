"""A logout clears the widget, and without a user the page does not repeat its request for a token."""

from playwright.async_api import Route, expect

from tests.browser.application import connections, stored
from tests.browser.conftest import NewDevice
from tests.browser.screen import CLIENT, Sender, Tab
from tests.support.sending import eventually
from tests.support.stack import Stack


async def test_logging_out_on_one_tab_stops_all(device: NewDevice, dev: Stack) -> None:
    """A logout on one tab clears list, badge, toasts and announcements on all tabs of the user alone."""
    one = await device()
    tabs = [await one.tab("ana") for _ in range(3)]
    other, elsewhere = await one.tab("bob"), await (await device()).tab("ana")
    to = {"users": ["ana", "bob"]}
    Sender(dev).send_all([{"to": to, "title": "Private", "priority": "urgent"}])
    for tab in (*tabs, other, elsewhere):
        await expect(tab.badge).to_have_text("1")
    await tabs[0].look()
    await expect(tabs[0].titles).to_have_text(["Private"])
    await expect(tabs[2].inbox.locator("[part~=toast]")).to_contain_text("Private")
    await tabs[1].page.evaluate(f"{CLIENT}.logout()")
    for tab in tabs:
        await tab.reaches("stopped")
        await expect(tab.badge).to_be_hidden()
    await expect(tabs[0].titles).to_have_count(0)
    for tab in tabs:
        await expect(tab.inbox).to_have_attribute("signed-out", "")
    for tab in tabs:
        await expect(tab.inbox.locator("[part~=toast]")).to_have_count(0)
        assert "Private" not in await everything(tab)
    await eventually(lambda: connections(dev, "ana"), expected=1)
    Sender(dev).send("For who is still there", users=["ana", "bob"])
    for tab in (other, elsewhere):
        await expect(tab.badge).to_have_text("2")
    for tab in tabs:
        assert await tab.page.evaluate(f"{CLIENT}.status") == "stopped"
        await expect(tab.badge).to_be_hidden()


async def test_a_401_of_the_token_endpoint_stops(device: NewDevice, dev: Stack) -> None:
    """After a 401 of the token endpoint the page stops after one request, and `connect()` starts it again."""
    phone = await device()
    asked = 0

    async def refuse(route: Route) -> None:
        nonlocal asked
        asked += 1
        await route.fulfill(status=401, json={})

    tab = await phone.tab("ana")
    await phone.context.route("**/demo/tokens", refuse)
    await tab.page.reload()
    await tab.reaches("stopped")
    Sender(dev).send("While logged out", users=["ana"])
    await stored(dev, "ana", 1)
    await eventually(lambda: connections(dev, "ana"), expected=0)
    assert asked == 1
    await expect(tab.badge).to_be_hidden()
    await phone.context.unroute("**/demo/tokens")
    await tab.page.evaluate(f"{CLIENT}.connect()")
    await tab.reaches("connected")
    await expect(tab.badge).to_have_text("1")
    await tab.look()
    assert await tab.listed() == ["While logged out"]


async def everything(tab: Tab) -> str:
    """The whole text of the widget, visible or not."""
    text: str = await tab.page.evaluate(
        """() => {
          const within = (root) => {
            const all = [...root.querySelectorAll("*")];
            const names = all.map((each) => `${each.ariaLabel ?? ""} ${each.title ?? ""}`);
            const inner = all.filter((each) => each.shadowRoot).map((each) => within(each.shadowRoot));
            return [root.textContent, ...names, ...inner].join(" ");
          };
          return within(document.querySelector("tidings-inbox").shadowRoot);
        }"""
    )
    return text
