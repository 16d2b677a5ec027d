"""An inbox of ten thousand is as quick to open as one of ten, and holds no more rows."""

import asyncio
import sys
from statistics import median

from playwright.async_api import CDPSession, expect

from tests.browser.application import stored
from tests.browser.conftest import NewDevice
from tests.browser.screen import Sender
from tests.support.stack import Stack

ITEMS = 10_000
BATCH = 1_000
FIRST_PAINT_MS = 100
TRIES = 5
ROWS = 60

# From the click on the bell to the end of the frame that has the first rows; how much of it the API took.
OPEN = """() => new Promise((done) => {
  const root = document.querySelector("tidings-inbox").shadowRoot;
  performance.clearResourceTimings();
  const began = performance.now();
  const look = () => {
    if (!root.querySelector("[part~=list] [part~=item-title]")) return;
    watching.disconnect();
    // The next task comes after what this frame paints.
    setTimeout(() => {
      const [asked] = performance.getEntriesByType("resource").filter(({ name }) => name.includes("/v1/me/"));
      done([performance.now() - began, asked.duration]);
    });
  };
  const watching = new MutationObserver(look);
  watching.observe(root, { childList: true, subtree: true });
  root.querySelector("[part~=bell]").click();
})"""

# Remembers the titles of rows that come in as new ones do.
WATCH = """() => {
  globalThis.fresh = [];
  const list = document.querySelector("tidings-inbox").shadowRoot.querySelector("[part~=list]");
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes)
      for (const row of addedNodes)
        if (row.classList.contains("new")) fresh.push(row.querySelector("[part~=item-title]").textContent);
  }).observe(list, { childList: true });
}"""


async def test_the_list_opens_at_once(device: NewDevice, dev: Stack) -> None:
    """With 10,000 unread the first rows are there less than 100 ms after the click, and few are made.

    What counts is the page's own work up to the end of the frame that shows them, with the API's answer, of
    the quickest of five: what else the machine does can only make it slower.
    """
    for start in range(0, ITEMS, BATCH):
        titles = [f"Number {n}" for n in range(start, start + BATCH)]
        await asyncio.to_thread(Sender(dev).send, *titles, users=["ana"])
    await stored(dev, "ana", ITEMS)
    phone = await device()
    whole: list[float] = []
    answers: list[float] = []
    works: list[float] = []
    for _ in range(TRIES):
        tab = await phone.tab("ana")
        # What a hand on its way to the bell loads is there by the time it clicks.
        await tab.page.evaluate("import('/parts.mjs').then(() => undefined)")
        session = await phone.context.new_cdp_session(tab.page)
        await session.send("Performance.enable", {"timeDomain": "threadTicks"})
        before = await worked_ms(session)
        took, answered = await tab.page.evaluate(OPEN)
        works.append(await worked_ms(session) - before)
        whole.append(took)
        answers.append(answered)
        assert 0 < await tab.titles.count() <= ROWS
        await tab.page.close()
    # For `pytest -s`: the medians.
    sys.stdout.write(
        f"first rows after {median(whole):.0f} ms: the page's work {median(works):.0f}, "
        f"the API's answer {median(answers):.0f}\n"
    )
    both = [work + answer for work, answer in zip(works, answers, strict=True)]
    assert min(both) < FIRST_PAINT_MS, (works, answers)


async def worked_ms(session: CDPSession) -> float:
    """How long a page's main thread has been at work, in its own time."""
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    return 1_000 * next(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")


async def test_only_what_arrives_comes_in_as_new(device: NewDevice, dev: Stack) -> None:
    """Scrolling brings rows in as they are; what arrives meanwhile shows that it is new."""
    titles = [f"Number {n}" for n in range(150)]
    Sender(dev).send(*titles, users=["bob"])
    await stored(dev, "bob", len(titles))
    tab = await (await device()).tab("bob")
    await tab.look()
    await tab.page.evaluate(WATCH)
    assert await tab.listed() == titles[::-1]
    assert await tab.page.evaluate("fresh") == []
    await tab.list.evaluate("each => { each.parentElement.scrollTop = 0; }")
    Sender(dev).send("Just now", users=["bob"])
    await expect(tab.titles.first).to_have_text("Just now")
    assert await tab.page.evaluate("fresh") == ["Just now"]
