"""Groups and snoozes with the real server: their modules load when they are used, and devices agree."""

from playwright.async_api import Page, expect

from tests.browser.conftest import NewDevice
from tests.browser.screen import CLIENT, Device, Sender
from tests.support.stack import Stack


def asked(page: Page) -> list[str]:
    """The modules for rows that a page requests, from now on."""
    found: list[str] = []

    def note(url: str) -> None:
        found.extend(name for name in ("groups.mjs", "snoozes.mjs", "extras.mjs") if f"/{name}" in url)

    page.on("request", lambda request: note(request.url))
    return found


async def test_groups_load_with_the_first_group_key(laptop: Device, dev: Stack) -> None:
    """The module for groups loads with the first key, and each notification of the row still counts."""
    tab = await laptop.tab("ana")
    modules, sender = asked(tab.page), Sender(dev)
    sender.send("Alone", users=["ana"])
    await tab.page.locator(".bell").click()
    await expect(tab.page.locator(".item")).to_have_count(1)
    assert modules == []
    sender.send_all(
        [
            {"to": {"users": ["ana"]}, "title": f"Comment {number}", "group_key": "roadmap"}
            for number in range(1, 5)
        ]
    )
    await expect(tab.page.locator(".group")).to_have_text("and 3 more")
    assert modules == ["groups.mjs"]
    await expect(tab.page.locator(".item .title")).to_have_text(["Comment 4", "Alone"])
    await expect(tab.badge).to_have_text("5")
    await tab.page.locator(".group").click()
    await expect(tab.page.locator(".item")).to_have_count(5)


async def test_a_row_is_snoozed_on_all_devices(laptop: Device, device: NewDevice, dev: Stack) -> None:
    """A snooze hides a row on all devices, the tab of snoozed ones has it, and it returns as unseen."""
    here, there = await laptop.tab("ana"), await (await device()).tab("ana")
    modules = asked(here.page)
    Sender(dev).send("Later", users=["ana"])
    for tab in (here, there):
        await expect(tab.badge).to_have_text("1")
    await here.inbox.evaluate("each => each.toggleAttribute('snooze', true)")
    await here.page.locator(".bell").click()
    await here.page.locator(".item").hover()
    await here.page.locator(".snooze").click()
    assert sorted(modules) == ["extras.mjs", "snoozes.mjs"]
    await here.page.get_by_role("menuitem", name="Tomorrow").click()
    for tab in (here, there):
        await expect(tab.badge).to_be_hidden()
    await here.page.get_by_role("tab", name="Snoozed").click()
    await expect(here.page.locator(".until")).to_contain_text("Snoozed until")
    identity = await here.page.evaluate(
        f"{CLIENT}.list({{ state: 'snoozed' }}).then(({{ items }}) => items[0].notification.id)"
    )
    await here.page.evaluate(
        f"(id) => {CLIENT}.snooze([id], new Date(Date.now() + 700)).then(() => 0)", identity
    )
    for tab in (here, there):
        await expect(tab.badge).to_have_text("1")
    await here.page.get_by_role("tab", name="All").click()
    await expect(here.page.locator(".item .title")).to_have_text(["Later"])
