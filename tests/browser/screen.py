"""A person's actions on a page with the widget, and the content that it shows."""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any, Self

import httpx
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, expect

from tests.support.no_tls import NO_TLS
from tests.support.sending import eventually
from tests.support.stack import Stack

PATIENCE_MS = 20_000
CLIENT = "document.getElementById('inbox')?.client"

# The console lacks some refusals: those of a removed frame, and those that are only reported.
REFUSALS = """addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI, sample }) =>
  console.error(`refused by policy: ${effectiveDirective} ${blockedURI} ${sample}`))"""

expect.set_options(timeout=PATIENCE_MS)

# Scrolls the list down to its end; the places and titles of the rows that were visible.
SCROLL = """async () => {
  const list = document.querySelector("tidings-inbox").shadowRoot.querySelector("[part~=list]");
  const scroller = list.parentElement;
  const seen = new Map();
  let whole = -1;
  scroller.scrollTop = 0;
  // On a busy machine a row is drawn some frames after it comes into sight.
  const drawn = () => {
    const rows = [...list.querySelectorAll("[part~=item]")];
    const bottom = Math.max(...rows.map((row) => row.getBoundingClientRect().bottom));
    const last = Math.max(...rows.map((row) => Number(row.ariaPosInSet)));
    return bottom >= scroller.getBoundingClientRect().bottom - 1 || last === whole;
  };
  while (seen.size !== whole) {
    await new Promise(requestAnimationFrame);
    for (const row of list.querySelectorAll("[part~=item]")) {
      seen.set(Number(row.ariaPosInSet), row.querySelector("[part~=item-title]").textContent);
      whole = Number(row.ariaSetSize);
    }
    if (!drawn()) continue;
    const { scrollTop, clientHeight, scrollHeight } = scroller;
    const ended = scrollTop + clientHeight >= scrollHeight - 1;
    if (ended && whole >= 0 && seen.size !== whole) throw new Error(`${seen.size} rows of ${whole}`);
    scroller.scrollTop += clientHeight / 2;
  }
  return [...seen].sort(([one], [other]) => one - other);
}"""


class Device:
    """A browser of one person, with any number of tabs. `faults` collects errors and refusals on its pages.

    Refused connections during an outage of the server are reported by the browser, and are no fault.
    """

    def __init__(self, context: BrowserContext, dev: Stack) -> None:
        self.context = context
        self.faults: list[str] = []
        self._dev = dev

    @classmethod
    async def open(cls, browser: Browser, dev: Stack, **options: Any) -> Self:
        """A new device without stored data."""
        return await cls.around(await browser.new_context(**options), dev)

    @classmethod
    async def around(cls, context: BrowserContext, dev: Stack) -> Self:
        """A device in a context of a browser."""
        device = cls(context, dev)
        context.on("weberror", lambda error: device.faults.append(str(error.error)))
        context.on("console", lambda message: device._on_console(message.type, message.text))
        await context.add_init_script(REFUSALS)
        return device

    def _on_console(self, kind: str, text: str) -> None:
        if kind == "error" and not text.startswith(("Failed to load resource", "WebSocket connection to")):
            self.faults.append(text)

    async def forgive(self, words: str) -> None:
        """Wait for a fault with these words, which the browser reports with a delay, then drop all."""

        async def has_come() -> bool:
            return any(words in fault for fault in self.faults)

        await eventually(has_come, expected=True)
        self.faults.clear()

    async def tab(self, user: str, first: str = "") -> "Tab":
        """A tab with the page of a user, connected or sharing the connection of another tab.

        `first` is a script that runs there before those of the page.
        """
        page = await self.context.new_page()
        if first:
            await page.add_init_script(first)
        tab = Tab(page)
        await page.goto(f"{self._dev.api}/demo/users/{user}")
        await tab.reaches("connected")
        return tab

    async def close(self) -> None:
        """Close the device and all its tabs."""
        await self.context.close()


class Tab:
    """A page with `<tidings-inbox>` in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.inbox = page.locator("tidings-inbox")
        self.bell = self.inbox.locator("[part~=bell]")
        self.badge = self.inbox.locator("[part~=badge]")
        # The element with the widget's status of the connection and its notice of lost notifications.
        self.strip = self.inbox.locator("[part~=strip]")
        self.missed = self.inbox.locator("[part~=missed]")
        self.list = self.inbox.get_by_role("feed")
        self.titles = self.list.locator("[part~=item-title]")

    async def until(self, condition: str) -> None:
        """Wait for a condition in the page. Playwright's method needs `eval`, which the policy forbids."""
        look = f"() => ({condition}) ? done() : setTimeout(look, 20)"
        async with asyncio.timeout(PATIENCE_MS / 1000):
            await self.page.evaluate(f"() => new Promise((done) => {{ const look = {look}; look(); }})")

    async def reaches(self, status: str) -> None:
        """Wait for a status of the client."""
        await self.until(f"{CLIENT}?.status === {status!r}")

    async def look(self) -> None:
        """Open the list."""
        await self.bell.click()
        await expect(self.inbox.get_by_role("tabpanel")).to_be_visible()

    async def record(self) -> None:
        """Record the notifications that arrive from now on, for `arrived`."""
        await self.page.evaluate(
            f"""() => {{
              globalThis.arrived = [];
              {CLIENT}.on("notification", ({{ item }}) => arrived.push(item.notification.title));
            }}"""
        )

    async def arrived(self, number: int) -> list[str]:
        """The titles that arrived since `record`, after waiting for this number of them."""
        await self.until(f"arrived.length >= {number}")
        titles: list[str] = await self.page.evaluate("arrived")
        return titles

    async def listed(self) -> list[str]:
        """The titles of all rows of the list, from its top to its end."""
        async with asyncio.timeout(PATIENCE_MS / 1000):
            rows: list[tuple[int, str]] = await self.page.evaluate(SCROLL)
        assert [place for place, _ in rows] == list(range(1, len(rows) + 1))
        return [title for _, title in rows]

    async def freeze(self) -> CDPSession:
        """Freeze the tab, as browsers do with a tab that is hidden for long; `thaw` resumes it.

        The tab has to be hidden, else the browser silently ignores the request.
        """
        await self.until("document.hidden")
        session = await self.page.context.new_cdp_session(self.page)
        await session.send("Page.setWebLifecycleState", {"state": "frozen"})
        return session


async def thaw(session: CDPSession) -> None:
    """Resume a frozen tab."""
    await session.send("Page.setWebLifecycleState", {"state": "active"})


class Sender:
    """An application that sends by REST."""

    def __init__(self, dev: Stack) -> None:
        self._dev = dev

    def send(self, *titles: str, **to: Any) -> list[str]:
        """Send one batch with a notification for each title; their ids."""
        items = [{"to": to, "title": title} for title in titles]
        return self.send_all(items)

    def send_all(self, items: Sequence[dict[str, Any]]) -> list[str]:
        """Send one batch of notifications with any fields; their ids."""
        results = self._post("/v1/notifications/batch", {"notifications": items})["results"]
        return [result["id"] for result in results]

    def send_one(self, title: str, **to: Any) -> str:
        """Send one notification in its own request; its id."""
        return str(self._post("/v1/notifications", {"to": to, "title": title})["id"])

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        token = self._dev.token("sender", "send")
        answer = httpx.post(
            f"{self._dev.api}{path}",
            json=body,
            headers={"authorization": f"Bearer {token}", "idempotency-key": str(uuid.uuid4())},
            timeout=30,
            trust_env=False,
            verify=NO_TLS,
        )
        assert answer.status_code == 202, answer.text
        document: dict[str, Any] = answer.json()
        return document
