"""The widget shows how many notifications retention removed before the user connected again, and where."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.async_api import expect

from tests.browser import past
from tests.browser.application import position, stored
from tests.browser.conftest import NewDevice
from tests.browser.past import Sent
from tests.browser.screen import CLIENT, Sender, Tab
from tests.support.sending import eventually
from tests.support.stack import Stack, clean_environment

RETENTION_DAYS = 7
AGO = timedelta(days=RETENTION_DAYS + 1)

HEAR = f"""() => {{
  globalThis.gaps = [];
  {CLIENT}.on("gap", ({{ log, missed, reason }}) => gaps.push([log, missed, reason]));
}}"""


@pytest.fixture(autouse=True)
def retention(dev: Stack) -> Iterator[None]:
    """Keep the category `chat` for a few days only, for the time of the context."""
    keep(dev, str(RETENTION_DAYS))
    yield
    keep(dev, "default")


def keep(dev: Stack, days: str) -> None:
    """Run a command of the operator on the running installation."""
    command = [sys.executable, "-m", "tidings_api.cli", "tenants", "update", "demo", "--data", str(dev.data)]
    rule = ["--category-retention", f"chat={days}"]
    subprocess.run([*command, *rule], check=True, capture_output=True, env=clean_environment())


async def before(dev: Stack) -> None:
    """Send ana one notification of a category that is kept."""
    await past.send(dev, [Sent(ago=AGO, notification={"to": {"users": ["ana"]}, "title": "Before"})])


async def too_old(dev: Stack, number: int) -> None:
    """Send ana this number of notifications that retention removes, then one that stays."""
    start = await position(dev, "ana")
    chat = {"to": {"users": ["ana"]}, "title": "Too old", "category": "chat"}
    await past.send(dev, [Sent(ago=AGO, notification=chat)] * number)
    Sender(dev).send("After what was too old", users=["ana"])
    await eventually(lambda: position(dev, "ana"), expected=start + number + 1)
    await past.remove_what_is_too_old(dev)
    await stored(dev, "ana", 2)


async def missing(tab: Tab, number: str) -> None:
    """Check that the panel shows this number of missing notifications, and all others."""
    await expect(tab.missed).to_be_visible()
    await expect(tab.missed).to_contain_text(number)
    await expect(tab.titles).to_have_text(["After what was too old", "Before"])
    await expect(tab.badge).to_have_text("2")


async def test_the_open_list_says_what_is_missing(device: NewDevice, dev: Stack) -> None:
    """A user who returns after retention removed entries sees their number once, and all other entries."""
    phone = await device()
    tab = await phone.tab("ana")
    await tab.record()
    await tab.look()
    await before(dev)
    await tab.arrived(1)
    await expect(tab.missed).to_be_hidden()
    await tab.page.evaluate(HEAR)
    await phone.context.set_offline(True)
    await tab.reaches("offline")
    await too_old(dev, 3)
    await phone.context.set_offline(False)
    await tab.reaches("connected")
    assert await tab.arrived(2) == ["Before", "After what was too old"]
    assert await tab.page.evaluate("gaps") == [["user", 3, "expired"]]
    await missing(tab, "3")


async def test_a_list_that_is_opened_later_shows_the_gap(device: NewDevice, dev: Stack) -> None:
    """A gap that arrived before the inbox was opened is shown in it until the user dismisses it."""
    phone = await device()
    tab = await phone.tab("ana")
    await before(dev)
    await expect(tab.badge).to_have_text("1")
    # The client stores acknowledged positions with a short delay.
    await eventually(lambda: kept(tab), expected=await position(dev, "ana"))
    await tab.page.close()
    await too_old(dev, 12)
    tab = await phone.tab("ana")
    await expect(tab.badge).to_have_text("2")
    await tab.look()
    await missing(tab, "12")
    await tab.missed.get_by_role("button").click()
    await expect(tab.missed).to_be_hidden()
    await tab.page.keyboard.press("Escape")
    await tab.look()
    await expect(tab.titles).to_have_count(2)
    await expect(tab.missed).to_be_hidden()


async def kept(tab: Tab) -> int:
    """The position in the own log from which the next visit of this browser resumes."""
    position: int = await tab.page.evaluate(
        """() => new Promise((done) => {
          indexedDB.open("tidings").onsuccess = ({ target: { result: database } }) => {
            const all = database.transaction("resume").objectStore("resume").getAll();
            all.onsuccess = () => { database.close(); done(all.result[0]?.positions.user ?? 0); };
          };
        })"""
    )
    return position
