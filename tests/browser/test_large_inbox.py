"""An inbox of 10,000 items opens as fast as one of ten, and makes no more rows."""

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
# The processor time of REFERENCE where the 100 ms are meant. On a slower machine, or beside other work that
# takes its caches, the reference takes longer too, and the allowed time grows with it.
REFERENCE_MS = 30
TRIES = 5
# More tries only where the first five were too slow.
MOST_TRIES = 15
ROWS = 60

# The time from the click on the bell to the end of the frame with the first rows, and the API's part of it.
OPEN = """() => new Promise((done) => {
  const root = document.querySelector("tidings-inbox").shadowRoot;
  performance.clearResourceTimings();
  const began = performance.now();
  const look = () => {
    if (!root.querySelector("[part~=list] [part~=item-title]")) return;
    watching.disconnect();
    // The next task runs after this frame is painted.
    setTimeout(() => {
      const [asked] = performance.getEntriesByType("resource").filter(({ name }) => name.includes("/v1/me/"));
      done([performance.now() - began, asked.duration]);
    });
  };
  const watching = new MutationObserver(look);
  watching.observe(root, { childList: true, subtree: true });
  root.querySelector("[part~=bell]").click();
})"""

# Work of the kind that shows rows: elements, styles and layout.
REFERENCE = """() => {
  const box = document.createElement("div");
  for (let n = 0; n < 1000; n++) {
    const row = document.createElement("p");
    row.textContent = `Number ${n}`;
    row.style.padding = "3px";
    box.append(row);
  }
  document.body.append(box);
  box.getBoundingClientRect();
  box.remove();
}"""

# Records the titles of rows that appear with the animation for new ones.
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
    """With 10,000 unread items the first rows are shown within 100 ms after the click, and few rows are made.

    The test measures the page's own work up to the end of the frame that shows them, plus the API's answer.
    The fastest try counts: other work on the machine can only make one slower. Work of the same kind beside
    each try shows how slow the machine is.
    """
    for start in range(0, ITEMS, BATCH):
        titles = [f"Number {n}" for n in range(start, start + BATCH)]
        await asyncio.to_thread(Sender(dev).send, *titles, users=["ana"])
    await stored(dev, "ana", ITEMS)
    phone = await device()
    whole: list[float] = []
    answers: list[float] = []
    works: list[float] = []
    sums: list[float] = []
    allowed = float(FIRST_PAINT_MS)
    references: list[float] = []
    for _ in range(MOST_TRIES):
        tab = await phone.tab("ana")
        # Hovering loads the panel before the click.
        await tab.page.evaluate("import('/parts.mjs').then(() => undefined)")
        session = await phone.context.new_cdp_session(tab.page)
        await session.send("Performance.enable", {"timeDomain": "threadTicks"})
        before = await worked_ms(session)
        await tab.page.evaluate(REFERENCE)
        references.append(await worked_ms(session) - before)
        before = await worked_ms(session)
        took, answered = await tab.page.evaluate(OPEN)
        works.append(await worked_ms(session) - before)
        whole.append(took)
        answers.append(answered)
        assert 0 < await tab.titles.count() <= ROWS
        await tab.page.close()
        sums = [work + answer for work, answer in zip(works, answers, strict=True)]
        allowed = FIRST_PAINT_MS * max(1.0, min(references) / REFERENCE_MS)
        if len(sums) >= TRIES and min(sums) < allowed:
            break
    # For `pytest -s`: the medians.
    sys.stdout.write(
        f"first rows after {median(whole):.0f} ms: the page's work {median(works):.0f}, "
        f"the API's answer {median(answers):.0f}, the reference {median(references):.0f}\n"
    )
    assert min(sums) < allowed, (works, answers, references)


async def worked_ms(session: CDPSession) -> float:
    """The processor time of a page's main thread, in milliseconds."""
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    return 1_000 * next(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")


async def test_only_arrivals_are_shown_as_new(device: NewDevice, dev: Stack) -> None:
    """Rows from scrolling appear without the animation for new ones, and arrivals appear with it."""
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
