/** Toasts together with announcements, an open panel, bells, focus and keys. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { focused, visits } from "./visits.js";

const { visit, open } = visits();
const PHONE = { viewport: { width: 390, height: 700 } };

/** Sends one notification per title. A title with an exclamation mark is urgent. */
const arrive = (page: Page, ...titles: string[]) =>
  page.evaluate((all) => {
    for (const title of all)
      window.inbox.arrive(
        window.notification(0, { title, priority: title.endsWith("!") ? "urgent" : "normal" }),
      );
  }, titles);
const shown = (page: Page) => page.locator(".toast .title").allTextContents();

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

test("An open panel removes all toasts except urgent ones, which stay above it and can be pressed.", async () => {
  const page = await visit("toasts", PHONE);
  await arrive(page, "Calm", "Urgent!");
  await expect.poll(() => shown(page)).toEqual(["Urgent!", "Calm"]);
  await page.locator(".bell").click();
  await page.locator(".item").first().waitFor();
  await expect.poll(() => shown(page)).toEqual(["Urgent!"]);
  expect(await hit(page, ".toast")).toBe(true);
  await arrive(page, "Calm too", "More urgent!");
  await expect.poll(() => shown(page)).toEqual(["More urgent!", "Urgent!"]);
  expect(await hit(page, ".toast >> nth=0")).toBe(true);
  // Closing a toast does not change the panel.
  await page.locator(".toast .close").first().click();
  await expect.poll(() => shown(page)).toEqual(["Urgent!"]);
  expect(await page.locator(".panel:popover-open").count()).toBe(1);
});

test.each([
  ["a phone", PHONE],
  ["a desk", { viewport: { width: 760, height: 680 } }],
])("On %s no toast covers the panel's controls.", async (_name, options) => {
  const page = await open("toasts", options);
  await page.locator(".item").nth(6).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.locator(".row .tool").nth(1).click();
  await page.locator(".undo").waitFor();
  await arrive(page, "Urgent!");
  await page.locator(".toast").waitFor();
  for (const control of [".mark-all", "[id=all]", "[id=unread]", "[id=archived]", ".undo-button"])
    expect(await hit(page, control), control).toBe(true);
  if (options === PHONE) expect(await hit(page, ".head .close")).toBe(true);
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
  await page.locator(".toast").nth(1).waitFor();
  await page.locator(".toast .close").first().focus();
  await page.keyboard.press("Enter");
  await expect.poll(() => shown(page)).toEqual(["One!"]);
  expect(await focused(page)).toBe("Close");
  await page.keyboard.press("Escape");
  await expect.poll(() => shown(page)).toEqual([]);
  expect(await focused(page)).toBe("After it");
});

test("Escape closes the panel and nothing else of the page, and in a toast only that toast.", async () => {
  const page = await open("toasts");
  await page.evaluate(() => {
    Object.assign(window, { escapes: 0 });
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") (window as unknown as { escapes: number }).escapes += 1;
    });
  });
  const escapes = () => page.evaluate(() => (window as unknown as { escapes: number }).escapes);
  await page.locator(".item").first().waitFor();
  await arrive(page, "One!", "Two!");
  await page.locator(".toast .close").first().focus();
  await page.keyboard.press("Escape");
  await expect.poll(() => shown(page)).toEqual(["One!"]);
  expect(await page.locator(".panel:popover-open").count()).toBe(1);
  await page.locator(".tab").first().focus();
  await page.keyboard.press("Escape");
  await page.locator(".panel:popover-open").waitFor({ state: "detached" });
  expect([await shown(page), await escapes()]).toEqual([["One!"], 0]);
  await page.keyboard.press("Escape");
  expect(await escapes()).toBe(1);
});
