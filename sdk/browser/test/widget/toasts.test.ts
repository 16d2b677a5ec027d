/** Toasts together with announcements, an open panel, bells, focus and keys. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { focused, visits } from "./visits.js";

const { visit } = visits();
const PHONE = { viewport: { width: 390, height: 700 } };

/** Sends one notification per title. A title with an exclamation mark is urgent. */
const arrive = (page: Page, ...titles: string[]) =>
  page.evaluate((all) => {
    for (const title of all)
      window.inbox.arrive(
        window.notification(0, { title, priority: title.endsWith("!") ? "urgent" : "normal" }),
      );
  }, titles);
const shown = (page: Page) => page.locator(".toast:not([hidden]) .title").allTextContents();

/** Whether a press at the middle of an element hits it, through shadow roots. */
const hit = (page: Page, selector: string) =>
  page.locator(selector).evaluate((element) => {
    const { x, y, width, height } = element.getBoundingClientRect();
    let found = document.elementFromPoint(x + width / 2, y + height / 2);
    for (let deeper = found; deeper?.shadowRoot; found = deeper)
      deeper = deeper.shadowRoot.elementFromPoint(x + width / 2, y + height / 2);
    return element.contains(found);
  });

test("A screen reader announces each notification once, and only the number of several.", async () => {
  const page = await visit("state=empty&toasts");
  await page.evaluate(() => {
    const said: string[] = [];
    Object.assign(window, { said });
    const roots = [document.querySelector("tidings-inbox")?.shadowRoot];
    roots.push(roots[0]?.querySelector("tidings-toasts")?.shadowRoot);
    for (const root of roots)
      for (const region of root?.querySelectorAll(".spoken > *") ?? [])
        new MutationObserver(() => said.push(region.textContent ?? "")).observe(region, { childList: true });
    window.inbox.arrive(window.notification(0, { title: "One", body: "Text" }));
  });
  const said = () => page.evaluate(() => (window as unknown as { said: string[] }).said);
  await expect.poll(said).toEqual(["One. Text"]);
  await page.evaluate(() => {
    for (let n = 0; n < 5; n++) window.inbox.arrive(window.notification(0, { title: `Number ${n}` }));
  });
  await expect.poll(said).toEqual(["One. Text", "Notifications: 5"]);
});

test("An urgent toast stays, there are three at most, and one that was read elsewhere is removed.", async () => {
  const page = await visit("state=empty&toasts");
  await page.evaluate(() => {
    const { inbox, notification } = window;
    inbox.arrive(notification(0, { title: "Low", priority: "low" }));
    inbox.arrive(notification(0, { title: "Urgent", priority: "urgent" }));
    for (let n = 0; n < 5; n++) inbox.arrive(notification(0, { title: `Number ${n}` }));
  });
  const titles = () => page.locator(".toast .title").allTextContents();
  await expect.poll(titles).toEqual(["Number 4", "Number 3", "Urgent"]);
  await page.evaluate(() =>
    window.inbox.mark("read", { ids: [window.inbox.items[0]?.notification.id ?? ""] }),
  );
  await expect.poll(titles).toEqual(["Number 3", "Urgent"]);
  await expect.poll(titles, { timeout: 12_000 }).toEqual(["Urgent"]);
  await page.locator(".toast .close").click();
  await expect.poll(titles).toEqual([]);
});

test("A burst of a thousand makes three toasts and one change of the page.", async () => {
  const page = await visit("state=empty&toasts");
  await arrive(page, "First");
  await expect.poll(() => shown(page)).toEqual(["First"]);
  const changes = await page.evaluate(async () => {
    const root = document.querySelector("tidings-inbox")?.shadowRoot?.querySelector("tidings-toasts");
    let changes = 0;
    new MutationObserver(() => {
      changes += 1;
    }).observe(root?.shadowRoot?.querySelector(".stack") as Element, { childList: true });
    for (let n = 0; n < 1_000; n++) window.inbox.arrive(window.notification(0, { title: `Number ${n}` }));
    for (let frames = 0; frames < 10; frames++) await new Promise(requestAnimationFrame);
    return changes;
  });
  expect(changes).toBe(1);
  expect(await shown(page)).toEqual(["Number 999", "Number 998", "Number 997"]);
});

test("Urgent notifications are one card with the newest on top, and leave room for the others.", async () => {
  const page = await visit("state=empty&toasts");
  await arrive(page, "One!", "Two!", "Three!", "Calm");
  await expect.poll(() => shown(page)).toEqual(["Calm", "Three!"]);
  const below = () => page.locator(".toast.alert:not([hidden])").getAttribute("data-below");
  expect(await below()).toBe("+2");
  await arrive(page, "Calm too", "Last");
  await expect.poll(() => shown(page)).toEqual(["Last", "Calm too", "Three!"]);
  await page.locator(".toast.alert:not([hidden]) .close").click();
  await expect.poll(() => shown(page)).toEqual(["Last", "Calm too", "Two!"]);
  expect(await below()).toBe("+1");
});

test.each([
  ["a phone", PHONE],
  ["a desk", { viewport: { width: 1280, height: 800 } }],
])("On %s an open panel has no toast over it, and the row of an urgent one is there.", async (_, options) => {
  const page = await visit("toasts", options);
  await arrive(page, "Calm", "Urgent!");
  await expect.poll(() => shown(page)).toEqual(["Urgent!", "Calm"]);
  await page.locator(".bell").click();
  await page.locator(".item").first().waitFor();
  await expect.poll(() => shown(page)).toEqual([]);
  await arrive(page, "More urgent!");
  await expect.poll(() => page.locator(".item .title").first().textContent()).toContain("More urgent!");
  expect(await shown(page)).toEqual([]);
  await page.keyboard.press("Escape");
  await page.locator(".panel:popover-open").waitFor({ state: "detached" });
  await arrive(page, "Later");
  await expect.poll(() => shown(page)).toEqual(["Later"]);
});

test("An inbox in place has toasts only while it is out of sight.", async () => {
  const page = await visit("mode=page&toasts");
  await page.locator(".item").first().waitFor();
  await arrive(page, "In sight!");
  await expect.poll(() => page.locator(".item .title").first().textContent()).toContain("In sight!");
  expect(await shown(page)).toEqual([]);
  await page.evaluate(() => {
    document.body.style.paddingTop = "200vh";
  });
  await arrive(page, "Out of sight");
  await expect.poll(() => shown(page)).toEqual(["Out of sight"]);
});

test.each(["top", "bottom"] as const)("At the %s of the window no toast covers the bell.", async (side) => {
  const page = await visit("toasts-beside", PHONE);
  await page.evaluate((position) => {
    document.querySelector("tidings-toasts")?.setAttribute("position", position);
    if (position === "bottom") document.querySelector("header")?.classList.add("at-the-bottom");
  }, side);
  await arrive(page, "One", "Two", "Three!");
  await page.locator(".toast").nth(2).waitFor();
  expect(await hit(page, ".bell")).toBe(true);
});

test("Closing toasts by key moves focus to the next one, and at last back to where it was.", async () => {
  const page = await visit("toasts");
  await page.locator("#after").focus();
  await arrive(page, "One!", "Two!");
  await page.locator(".toast .close").first().focus();
  await page.keyboard.press("Enter");
  await expect.poll(() => shown(page)).toEqual(["One!"]);
  expect(await focused(page)).toBe("Close");
  await page.keyboard.press("Escape");
  await expect.poll(() => shown(page)).toEqual([]);
  expect(await focused(page)).toBe("After it");
});

test("Escape closes the panel and nothing else of the page, and in a toast only that toast.", async () => {
  const page = await visit("toasts");
  await page.evaluate(() => {
    Object.assign(window, { escapes: 0 });
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") (window as unknown as { escapes: number }).escapes += 1;
    });
  });
  const escapes = () => page.evaluate(() => (window as unknown as { escapes: number }).escapes);
  await arrive(page, "One!", "Two!");
  await page.locator(".toast .close").first().focus();
  await page.keyboard.press("Escape");
  await expect.poll(() => shown(page)).toEqual(["One!"]);
  await page.locator(".bell").click();
  await page.locator(".item").first().waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".panel:popover-open").waitFor({ state: "detached" });
  expect(await escapes()).toBe(0);
  await page.keyboard.press("Escape");
  expect(await escapes()).toBe(1);
});

test("A toast stays while the page handles its action.", async () => {
  const page = await visit("state=empty&toasts");
  await page.evaluate(() => {
    document.addEventListener("tidings-open", (event) => {
      event.detail.waitUntil(
        new Promise<void>((resolve) => {
          Object.assign(window, { finish: resolve });
        }),
      );
    });
    const actions = [{ id: "approve", label: "Approve" }];
    window.inbox.arrive(window.notification(0, { title: "Deploy", actions }));
  });
  await page.locator(".toast .action").click();
  expect(await page.locator(".toast .action").getAttribute("aria-busy")).toBe("true");
  expect(await shown(page)).toEqual(["Deploy"]);
  await page.evaluate("finish()");
  await expect.poll(() => shown(page)).toEqual([]);
});
