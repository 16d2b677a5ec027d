/** The tabs of a page: their order, their keys, their lists, and the numbers of unread notifications. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { focused, visits } from "./visits.js";

const { visit, open, complaints } = visits();

const OWN = [
  { label: "Orders", category: "orders." },
  { label: "Comments", category: "comments." },
  { label: "Billing", category: "billing" },
  { category: "deploys." },
];
const query = (tabs: unknown, state = "categories") =>
  `state=${state}&tabs=${encodeURIComponent(JSON.stringify(tabs))}`;

const labels = (page: Page) =>
  page.locator(".tab").evaluateAll((tabs) =>
    // biome-ignore lint/performance/useDomNodeTextContent: a hidden number is no text
    tabs.map((tab) => (tab as HTMLElement).innerText.replace(/\s/g, "")),
  );
const label = async (page: Page, index: number) => (await labels(page))[index];
const titles = (page: Page) => page.locator(".item .title").allTextContents();
const idOf = (page: Page, title: string) =>
  page.evaluate(
    (title) =>
      window.inbox.items.find(({ notification }) => notification.title === title)?.notification.id ?? "",
    title,
  );
/** The number of requests for the counts alone. */
const requests = (page: Page) =>
  page.evaluate(() => window.inbox.lists.filter(({ limit }) => limit === 1).length);

test("Categories are between the usual tabs, each with its unread notifications and its list.", async () => {
  const page = await open(query(OWN));
  await expect
    .poll(() => labels(page))
    .toEqual(["All", "Unread5", "Orders2", "Comments1", "Billing1", "Deploys1", "Archived"]);
  await page.locator(".tab").nth(2).click();
  await expect
    .poll(() => titles(page))
    .toEqual(["Order 4712 is packed", "Order 4700 was delivered", "Your parcel is on its way"]);
  expect(await page.getByRole("tabpanel", { name: "Orders" }).count()).toBe(1);
  await page.locator(".tab").nth(4).click();
  await expect.poll(() => titles(page)).toEqual(["Payment failed for invoice 2026-118"]);
  expect(complaints).toEqual([]);
});

test("A list with one of the usual tabs is the whole line, also of unread ones of a category.", async () => {
  const page = await open(
    query([{ label: "New orders", category: "orders.", filter: "unread" }, "archived"]),
  );
  await expect.poll(() => labels(page)).toEqual(["Neworders2", "Archived"]);
  await expect.poll(() => titles(page)).toEqual(["Order 4712 is packed", "Order 4700 was delivered"]);
});

test("The numbers follow arrivals, marks, archiving, recalls and other devices, most without a request.", async () => {
  const page = await open(query(OWN));
  const orders = () => label(page, 2);
  await expect.poll(orders).toBe("Orders2");
  const asked = await requests(page);
  await page.evaluate(() =>
    window.inbox.arrive(window.notification(0, { title: "Order 4713", category: "orders.new" })),
  );
  await expect.poll(orders).toBe("Orders3");
  await page.locator(".item", { hasText: "Order 4713" }).locator(".open").click();
  await expect.poll(orders).toBe("Orders2");
  const [packed, mention] = [await idOf(page, "Order 4712 is packed"), await idOf(page, "ana mentioned you")];
  await page.evaluate((id) => window.inbox.mark("archived", { ids: [id] }), packed);
  await expect.poll(orders).toBe("Orders1");
  await page.evaluate((id) => window.inbox.mark("unarchived", { ids: [id] }), packed);
  await expect.poll(orders).toBe("Orders2");
  await page.evaluate((id) => window.inbox.recall(id), packed);
  await expect.poll(orders).toBe("Orders1");
  expect(await requests(page)).toBe(asked);

  // The server sends only the total of what another device has marked and this page never received.
  await page.evaluate((id) => window.inbox.markElsewhere(id), mention);
  await expect.poll(() => label(page, 3)).toBe("Comments");
  expect(await orders()).toBe("Orders1");
  expect(await requests(page)).toBe(asked + 1);
});

test("In a category, all means all of that category.", async () => {
  const page = await open(query(OWN));
  await page.locator(".tab").nth(2).click();
  await page.locator(".mark-all").click();
  await expect
    .poll(() => labels(page))
    .toEqual(["All", "Unread3", "Orders", "Comments1", "Billing1", "Deploys1", "Archived"]);
  await page.locator(".undo-button").click();
  await expect.poll(async () => (await labels(page))[2]).toBe("Orders2");
  await page.locator(".archive-all").click();
  await page.locator("[part=empty]").waitFor();
  await page.locator(".tab").first().click();
  await expect.poll(async () => (await titles(page)).length).toBe(6);
});

test.each([
  ["left to right", "en", "ArrowRight", "ArrowLeft"],
  ["right to left", "ar", "ArrowLeft", "ArrowRight"],
])("Keys choose a tab and bring it into view, %s.", async (_name, lang, next, before) => {
  const page = await open(`${query(OWN)}&lang=${lang}`, { viewport: { width: 360, height: 700 } });
  await page.locator(".tab").first().focus();
  await page.keyboard.press(next);
  await page.keyboard.press(next);
  expect(await focused(page)).toBe("Orders2");
  expect(await page.locator(".tab[tabindex='0']").textContent()).toBe("Orders2");
  await page.keyboard.press("End");
  const last = page.locator(".tab").last();
  const isInside = () =>
    last.evaluate((tab) => {
      const [box, line] = [tab, tab.parentElement as HTMLElement].map((each) => each.getBoundingClientRect());
      return box && line ? box.left >= line.left - 1 && box.right <= line.right + 1 : false;
    });
  await expect.poll(isInside).toBe(true);
  expect(await last.getAttribute("aria-selected")).toBe("true");
  await page.keyboard.press(next);
  expect(await page.locator(".tab").first().getAttribute("aria-selected")).toBe("true");
  await page.keyboard.press(before);
  expect(await last.getAttribute("aria-selected")).toBe("true");
  await page.keyboard.press("Home");
  await expect.poll(() => page.locator(".tab").first().getAttribute("aria-selected")).toBe("true");
  // The line itself does not make the panel wider than the window.
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
});

test.each([
  ["no JSON", "[orders", "The attribute tabs is no JSON: [orders"],
  ["no list", '{"category":"orders."}', "tabs has to be a list such as"],
  ["an unknown filter", '[{"category":"orders.","filter":"new"}]', "tabs has to be a list such as"],
])("A mistake is named once in the console, and the usual tabs show: %s.", async (_name, tabs, line) => {
  const lines: string[] = [];
  const page = await visit(`tabs=${encodeURIComponent(tabs)}`, {}, async (empty) =>
    empty.on("console", (message) => lines.push(message.text())),
  );
  await page.locator(".bell").click();
  await expect.poll(() => labels(page)).toEqual(["All", "Unread3", "Archived"]);
  expect(lines.filter((each) => each.startsWith("[tidings]"))).toEqual([
    expect.stringContaining(`[tidings] ${line}`),
  ]);
});

test("The property takes a list, an equal one changes nothing, and without it the usual tabs are back.", async () => {
  const page = await open("state=categories");
  const set = (tabs: unknown) =>
    page.evaluate((tabs) => Object.assign(document.querySelector("tidings-inbox") as object, { tabs }), tabs);
  await set(["all", { category: "orders." }]);
  await page.locator(".bell").click();
  await expect.poll(() => labels(page)).toEqual(["All", "Orders2"]);
  await set(["all", { category: "orders." }]);
  await page.locator(".item").first().waitFor();
  await set(undefined);
  await page.locator(".bell").click();
  await expect.poll(() => labels(page)).toEqual(["All", "Unread5", "Archived"]);
});
