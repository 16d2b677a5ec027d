"""A page reconnects after the server was killed, was stopped, or lost its data."""

import contextlib
import os
import shutil
import signal

from playwright.async_api import expect

from tests.browser.application import stored
from tests.browser.conftest import NewDevice
from tests.browser.screen import CLIENT, Sender, Tab
from tests.support.stack import Stack

# Records the panel's texts and their roles: an alert interrupts a screen reader.
LISTEN = """() => {
  const root = document.querySelector("tidings-inbox").shadowRoot;
  globalThis.said = [];
  globalThis.alerts = 0;
  const hear = () => {
    const text = root.querySelector("[part~=strip] [role=status]").textContent;
    if (text !== said.at(-1)) said.push(text);
    for (const each of root.querySelectorAll("[role=alert]")) if (each.textContent) alerts += 1;
  };
  new MutationObserver(hear).observe(root, { childList: true, subtree: true, characterData: true });
}"""


async def opened(device: NewDevice, dev: Stack, user: str) -> Tab:
    """A tab with an open list of one notification, whose announcements are recorded."""
    tab = await (await device()).tab(user)
    await tab.record()
    await tab.look()
    Sender(dev).send("Before", users=[user])
    await tab.arrived(1)
    await expect(tab.titles).to_have_text(["Before"])
    await tab.page.evaluate(LISTEN)
    return tab


async def is_back(tab: Tab, titles: list[str]) -> None:
    """Check that all arrived in order, each once, in badge and list, without an alert."""
    assert await tab.arrived(len(titles)) == titles
    await expect(tab.strip).to_be_hidden()
    await expect(tab.badge).to_have_text(str(len(titles)))
    assert await tab.listed() == titles[::-1]
    said = await tab.page.evaluate("said")
    assert (said[-1], await tab.page.evaluate("alerts")) == ("", 0), said


async def test_a_killed_gateway_loses_nothing(device: NewDevice, dev: Stack) -> None:
    """After the gateway was killed the page reconnects, has everything that it missed, and shows no error."""
    tab = await opened(device, dev, "ana")
    dev.kill("gateway")
    titles = [f"Meanwhile {n}" for n in range(30)]
    for title in titles:
        Sender(dev).send(title, users=["ana"])
    await stored(dev, "ana", 31)
    await tab.reaches("connected")
    await is_back(tab, ["Before", *titles])


async def test_everything_is_killed_and_started_again(device: NewDevice, dev: Stack) -> None:
    """After all processes were killed at once nothing is missing, and the page shows that it reconnects."""
    tab = await opened(device, dev, "ana")
    killed(dev)
    await tab.reaches("offline")
    await expect(tab.strip).to_contain_text("econnecting")
    await expect(tab.titles).to_have_text(["Before"])
    dev.start()
    titles = [f"After the crash {n}" for n in range(30)]
    for title in titles:
        Sender(dev).send(title, users=["ana"])
    await tab.reaches("connected")
    await is_back(tab, ["Before", *titles])


async def test_everything_is_stopped_and_started_again(device: NewDevice, dev: Stack) -> None:
    """After a restart of the server the page has everything that was sent before it reconnected."""
    tab = await opened(device, dev, "bob")
    assert dev.terminate() == 0
    await tab.reaches("offline")
    dev.start()
    Sender(dev).send("After one", "After two", users=["bob"])
    await is_back(tab, ["Before", "After one", "After two"])


async def test_a_server_that_lost_its_data(device: NewDevice, dev: Stack) -> None:
    """After the server lost its data the page shows only the new contents."""
    tab = await opened(device, dev, "ana")
    await tab.page.evaluate(
        f"() => {{ globalThis.reasons = []; {CLIENT}.on('gap', ({{ reason }}) => reasons.push(reason)); }}"
    )
    killed(dev)
    shutil.rmtree(dev.data)
    dev.start()
    Sender(dev).send("In the new store", users=["ana"])
    await stored(dev, "ana", 1)
    await tab.reaches("connected")
    await expect(tab.titles).to_have_text(["In the new store"])
    await expect(tab.badge).to_have_text("1")
    assert set(await tab.page.evaluate("reasons")) == {"epoch"}
    Sender(dev).send("And on", users=["ana"])
    await expect(tab.titles).to_have_text(["And on", "In the new store"])
    await expect(tab.badge).to_have_text("2")


def killed(dev: Stack) -> None:
    """Kill all processes with SIGKILL, the supervisor first, so that it restarts none of them."""
    parts = dev.pids().values()
    for pid in (dev.process.pid, *parts):
        # A part may have stopped already, because its supervisor did.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    dev.wait()
