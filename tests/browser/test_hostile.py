"""What an application passes on from strangers is text, whatever it says, and however much of it there is."""

import asyncio

import httpx
from playwright.async_api import Route, expect

from tests.browser.conftest import NewDevice
from tests.browser.screen import Sender, Tab
from tests.support.stack import Stack

# 60 pictures a second.
FRAME_MS = 20

SCRIPTS = (
    "<script>globalThis.hacked = 1</script>",
    "<img src=x onerror='globalThis.hacked = 1'>",
    "\"><svg onload='globalThis.hacked = 1'>",
    "{{constructor.constructor('globalThis.hacked = 1')()}}",
)
STRANGE = (
    "\u202emoc.live\u202c at the start",
    "\N{FAMILY}\N{ZERO WIDTH JOINER}\N{PILE OF POO}" * 20,
    "a\u0301\u0302\u0303\u0304\u0305\u0306\u0307" * 50,
    "عنوان بالعربية then English",
    "W" * 10_000,
)

# Collects how long the page went without a picture, and how often the list changed within one.
WATCH = """() => {
  const list = document.querySelector("tidings-inbox").shadowRoot.querySelector("[part~=list]");
  globalThis.watched = { gaps: [], renders: [] };
  let last = performance.now();
  let renders = 0;
  new MutationObserver(() => { renders += 1; }).observe(list, { childList: true, subtree: true });
  const frame = (now) => {
    watched.gaps.push(now - last);
    watched.renders.push(renders);
    [last, renders] = [now, 0];
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""


async def test_markup_is_text(device: NewDevice, dev: Stack) -> None:
    """Script tags and handlers stand there as they were written, and nothing of them runs."""
    tab = await (await device()).tab("ana")
    await tab.look()
    sender = Sender(dev)
    sender.send_all([{"to": {"users": ["ana"]}, "title": text, "body": text} for text in SCRIPTS])
    await expect(tab.titles).to_have_text(list(reversed(SCRIPTS)))
    assert await tab.page.evaluate("globalThis.hacked") is None
    assert await tab.inbox.locator("[part~=list] script, [part~=list] img").count() == 0


async def test_no_link_runs_anything(device: NewDevice, dev: Stack) -> None:
    """The server refuses `javascript:` links; one that came all the same would be no link in the list."""
    token = dev.token("sender", "send")
    async with httpx.AsyncClient(base_url=dev.api, trust_env=False) as client:
        refused = await client.post(
            "/v1/notifications",
            json={"to": {"users": ["ana"]}, "title": "x", "link": "javascript:alert(1)"},
            headers={"authorization": f"Bearer {token}"},
        )
    assert refused.status_code == 422
    phone = await device()
    tab = await phone.tab("bob")
    Sender(dev).send("A link", users=["bob"])
    await expect(tab.badge).to_have_text("1")
    evil = "javascript:globalThis.hacked=1"

    async def poison(route: Route) -> None:
        answer = await route.fetch()
        page = await answer.json()
        for item in page["items"]:
            item["notification"] |= {
                "link": evil,
                "icon": evil,
                "actions": [{"id": "a", "label": "Go", "link": evil}],
            }
        await route.fulfill(response=answer, json=page)

    await phone.context.route("**/v1/me/notifications*", poison)
    await tab.look()
    await expect(tab.titles).to_have_text(["A link"])
    assert await tab.list.locator("[href^='javascript'], [src^='javascript']").count() == 0
    await tab.titles.first.click()
    assert await tab.page.evaluate("globalThis.hacked") is None


async def test_no_text_breaks_the_list(device: NewDevice, dev: Stack) -> None:
    """Overrides of direction, piles of accents and titles of 10,000 characters stay in their place."""
    tab = await (await device()).tab("ana")
    await tab.look()
    items = [
        {"to": {"users": ["ana"]}, "title": text, "icon": "http://127.0.0.1:9/never.png"} for text in STRANGE
    ]
    Sender(dev).send_all(items)
    await expect(tab.titles.first).to_contain_text("WWW")
    assert await overflows(tab) == []
    # What one title does to the direction ends with it.
    await expect(tab.titles.nth(1)).to_contain_text("then English")
    assert await tab.titles.nth(1).evaluate("each => getComputedStyle(each).unicodeBidi") in {
        "isolate",
        "plaintext",
    }


async def overflows(tab: Tab) -> list[str]:
    """The rows that are wider than the list."""
    wide: list[str] = await tab.list.evaluate(
        """list => [...list.querySelectorAll("[part~=item-title]")]
          .filter(each => each.getBoundingClientRect().right > list.getBoundingClientRect().right + 1)
          .map(each => each.textContent.slice(0, 20))"""
    )
    return wide


async def test_a_burst_costs_one_picture_at_a_time(device: NewDevice, dev: Stack) -> None:
    """A thousand at once change the list at most once a frame, and the page goes on being painted."""
    tab = await (await device()).tab("bob")
    Sender(dev).send("First", users=["bob"])
    await tab.look()
    await expect(tab.titles.first).to_have_text("First")
    await tab.record()
    await tab.page.evaluate(WATCH)
    titles = [f"Burst {n}" for n in range(1_000)]
    await asyncio.to_thread(Sender(dev).send, *titles, users=["bob"])
    assert await tab.arrived(1_000) == titles
    watched = await tab.page.evaluate("watched")
    # Whose turn it is first may change from frame to frame, so two may fall between two looks.
    assert max(watched["renders"]) <= 2
    assert sum(watched["renders"]) <= len(watched["renders"])
    # Other processes may take a frame away; the page itself loses none.
    assert sorted(watched["gaps"])[len(watched["gaps"]) // 2] < FRAME_MS, watched["gaps"]
    # The reader's place is kept: what is new waits above.
    await expect(tab.titles.first).to_be_visible()
