"""A server that dies, is stopped, or loses what it had, and the page that comes back by itself."""

import contextlib
import os
import shutil
import signal

from playwright.async_api import expect

from tests.browser.application import stored
from tests.browser.conftest import NewDevice
from tests.browser.screen import CLIENT, Sender, Tab
from tests.support.stack import Stack

# Remembers all that the panel says, and how: an alert interrupts whoever has it read aloud.
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
    """A tab with an open list that has one notification, and listens to what it says."""
    tab = await (await device()).tab(user)
    await tab.record()
    await tab.look()
    Sender(dev).send("Before", users=[user])
    await tab.arrived(1)
    await expect(tab.titles).to_have_text(["Before"])
    await tab.page.evaluate(LISTEN)
    return tab


async def is_back(tab: Tab, titles: list[str]) -> None:
    """All of it arrived in order, each once, and badge and list show it; what was said of it was quiet."""
    assert await tab.arrived(len(titles)) == titles
    await expect(tab.strip).to_be_hidden()
    await expect(tab.badge).to_have_text(str(len(titles)))
    assert await tab.listed() == titles[::-1]
    said = await tab.page.evaluate("said")
    assert (said[-1], await tab.page.evaluate("alerts")) == ("", 0), said


async def test_the_gateway_dies_and_comes_back(device: NewDevice, dev: Stack) -> None:
    """The page comes back by itself with everything sent meanwhile, and shows no error."""
    tab = await opened(device, dev, "ana")
    dev.kill("gateway")
    titles = [f"Meanwhile {n}" for n in range(30)]
    for title in titles:
        Sender(dev).send(title, users=["ana"])
    await stored(dev, "ana", 31)
    await tab.reaches("connected")
    await is_back(tab, ["Before", *titles])


async def test_everything_is_killed_and_started_again(device: NewDevice, dev: Stack) -> None:
    """After the death of every process at once nothing is missing, and the page says that it waits."""
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
    """A restart of the whole server is a pause: what is sent before the page is back comes with it."""
    tab = await opened(device, dev, "bob")
    assert dev.terminate() == 0
    await tab.reaches("offline")
    dev.start()
    Sender(dev).send("After one", "After two", users=["bob"])
    await is_back(tab, ["Before", "After one", "After two"])


async def test_a_server_that_lost_its_data(device: NewDevice, dev: Stack) -> None:
    """The page learns that it is another store, and shows what there is now: nothing of before."""
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
    """SIGKILL of all processes, the supervisor first so that it starts none of them anew."""
    parts = dev.pids().values()
    for pid in (dev.process.pid, *parts):
        # A part may have ended already, because its supervisor has.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    dev.wait()
