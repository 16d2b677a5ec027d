/**
 * The widget with the real client and a real server: two tabs and another browser of one user, on an
 * application's page whose policy allows no inline style or script.
 */

import type { Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { Application, Server } from "../support/server.js";
import { watchFrames } from "./frames.js";
import { launch } from "./harness.mjs";
import { WidgetSite } from "./site.js";

const application = new Application(inject("ready"));
const site = new WidgetSite(application);
let browser: Awaited<ReturnType<typeof launch>>;
let user: string;

beforeAll(async () => {
  [browser] = await Promise.all([launch(), site.start()]);
});
afterAll(async () => {
  await browser?.close();
  site.stop();
});
beforeEach(() => {
  user = application.user();
});

/** Opens a page of the user: in the browser of a given tab, or else in another browser. */
async function visit(beside?: Page, ready = inject("ready")): Promise<Page> {
  const context = beside?.context() ?? (await browser.newContext());
  const page = await context.newPage();
  await page.goto(site.address(user, ready.api, ready.realtime));
  await page.waitForFunction(() => document.querySelector("tidings-inbox")?.client?.status === "connected");
  return page;
}

async function open(page: Page): Promise<void> {
  await page.locator(".bell").click();
  await page.locator(".tab").first().waitFor();
}

const titles = (page: Page) => page.locator(".item .title").allTextContents();
const badge = (page: Page) => page.locator(".badge").textContent();

test("a notification shows in the list and badge of two tabs and another browser, and a read mark shows in all", async () => {
  const first = await visit();
  const pages = [first, await visit(first), await visit()];
  for (const page of pages) {
    await page.bringToFront();
    await open(page);
    await page.locator("[part=empty]").waitFor();
  }
  await application.send(user, "On its way");
  for (const page of pages) {
    await expect.poll(() => titles(page)).toEqual(["On its way"]);
    await expect.poll(() => badge(page)).toBe("1");
    await expect.poll(() => page.title()).toBe("(1) Shop");
  }
  await pages[2]?.bringToFront();
  await pages[2]?.locator(".item .open").click();
  for (const page of pages) await page.locator(".item.read").waitFor({ state: "attached" });
  for (const page of pages) await expect.poll(() => page.title()).toBe("Shop");
  for (const page of pages) await page.context().close();
});

test("a notification shows in the list less than 300 ms after its send by REST", async () => {
  const page = await visit();
  await open(page);
  await page.locator("[part=empty]").waitFor();
  const took = [];
  for (let n = 0; n < 5; n++) {
    const started = performance.now();
    await application.send(user, `Number ${n}`);
    await page.waitForFunction(
      (title) =>
        document.querySelector("tidings-inbox")?.shadowRoot?.querySelector(".item .title")?.textContent ===
        title,
      `Number ${n}`,
    );
    took.push(performance.now() - started);
  }
  expect(took.sort((one, other) => one - other)[2]).toBeLessThan(300);
  await page.context().close();
});

test("a burst of a thousand changes the list once a frame, and ends in order", async () => {
  const page = await visit();
  await open(page);
  await page.locator("[part=empty]").waitFor();
  const most = await watchFrames(page);
  await application.sendMany(
    user,
    Array.from({ length: 1_000 }, (_, n) => `Number ${n}`),
  );
  await page.locator(".title", { hasText: "Number 999" }).waitFor();
  expect((await most()).changes).toBe(1);
  expect((await titles(page)).slice(0, 3)).toEqual(["Number 999", "Number 998", "Number 997"]);
  expect(await badge(page)).toBe("99+");
  await page.context().close();
});

test("an archived notification leaves all lists and returns with undo, and a recalled one leaves all lists", async () => {
  const id = await application.send(user, "Stays");
  await application.send(user, "Goes");
  const [here, there] = [await visit(), await visit()];
  for (const page of [here, there]) {
    await open(page);
    await expect.poll(() => titles(page)).toEqual(["Goes", "Stays"]);
  }
  await here.locator(".item .open").first().focus();
  await here.locator(".tools .tool").nth(1).click();
  for (const page of [here, there]) await expect.poll(() => titles(page)).toEqual(["Stays"]);
  await here.locator(".undo-button").click();
  for (const page of [here, there]) await expect.poll(() => titles(page)).toEqual(["Goes", "Stays"]);
  await application.request("DELETE", `/v1/notifications/${id}`);
  for (const page of [here, there]) await expect.poll(() => titles(page)).toEqual(["Goes"]);
  for (const page of [here, there]) await page.context().close();
});

test("tabs of categories have the server's lists and numbers, and mark their category alone, on all devices", async () => {
  const pages = [await visit(), await visit()] as const;
  const [here, there] = pages;
  const numbers = async (page: Page) =>
    (await page.locator(".tab .count").allTextContents()).slice(1, 4).join();
  for (const [title, category] of [
    ["One", "orders.new"],
    ["Two", "orders.packed"],
    ["Three", "news"],
  ] as const)
    await application.send(user, title, { category });
  for (const page of pages) {
    await open(page);
    await expect.poll(() => numbers(page)).toBe("3,2,1");
  }
  await application.send(user, "Four", { category: "orders.new" });
  for (const page of pages) await expect.poll(() => numbers(page)).toBe("4,3,1");
  await here.getByRole("tab", { name: "Orders" }).click();
  await expect.poll(() => titles(here)).toEqual(["Four", "Two", "One"]);
  await here.locator(".mark-all").click();
  for (const page of pages) await expect.poll(() => numbers(page)).toBe("1,0,1");
  await here.locator(".undo-button").click();
  for (const page of pages) await expect.poll(() => numbers(page)).toBe("4,3,1");
  await here.locator(".archive-all").click();
  await expect.poll(() => titles(there)).toEqual(["Three"]);
  await here.locator(".undo-button").click();
  await expect.poll(() => titles(there)).toEqual(["Four", "Three", "Two", "One"]);
  for (const page of pages) await page.context().close();
});

test("an expired notification leaves the list and the badge of every tab", async () => {
  const here = await visit();
  const pages = [here, await visit(here)];
  for (const page of pages) {
    await page.bringToFront();
    await open(page);
    await page.locator("[part=empty]").waitFor();
  }
  await application.send(user, "Stays");
  await application.send(user, "Ends", { expires_in: 3 });
  for (const page of pages) {
    await expect.poll(() => titles(page)).toEqual(["Ends", "Stays"]);
    await expect.poll(() => badge(page)).toBe("2");
  }
  for (const page of pages) {
    await expect.poll(() => titles(page), { timeout: 10_000 }).toEqual(["Stays"]);
    await expect.poll(() => badge(page), { timeout: 10_000 }).toBe("1");
  }
  await here.context().close();
});

test("one of several tabs plays the sound, and another one after that tab closes", async () => {
  const first = await visit();
  const second = await visit(first);
  const tabs = [first, second];
  for (const tab of tabs) {
    await tab.bringToFront();
    await tab.locator("body").click();
    await tab.evaluate(() => {
      Object.assign(window, { notes: 0 });
      const start = OscillatorNode.prototype.start;
      OscillatorNode.prototype.start = function (...when) {
        (window as unknown as { notes: number }).notes += 1;
        start.apply(this, when);
      };
    });
  }
  const notes = (tab: Page) => tab.evaluate(() => (window as unknown as { notes: number }).notes);
  await application.send(user, "One");
  for (const tab of tabs) await expect.poll(() => badge(tab)).toBe("1");
  // A sound is two notes.
  await expect.poll(async () => (await Promise.all(tabs.map(notes))).sort()).toEqual([0, 2]);
  const leads = (tab: Page) => tab.evaluate(() => document.querySelector("tidings-inbox")?.client?.leads);
  const [leader, other] = (await leads(first)) ? [first, second] : [second, first];
  expect([await notes(leader), await notes(other)]).toEqual([2, 0]);
  await leader.close();
  await expect.poll(() => leads(other)).toBe(true);
  await other.waitForFunction(() => document.querySelector("tidings-inbox")?.client?.status === "connected");
  await application.send(user, "Two");
  await expect.poll(() => badge(other)).toBe("2");
  await expect.poll(() => notes(other)).toBe(2);
  await other.context().close();
});

test("a long inbox loads page by page while scrolling, in order, each item once", async () => {
  const all = Array.from({ length: 230 }, (_, n) => `Number ${n}`);
  await application.sendMany(user, all);
  const page = await visit();
  await open(page);
  await expect.poll(async () => (await titles(page))[0]).toBe("Number 229");
  const seen = new Set<string>();
  const scroller = page.locator(".scroller");
  await expect
    .poll(
      async () => {
        for (const title of await titles(page)) seen.add(title);
        await scroller.evaluate((each) => each.scrollBy(0, each.clientHeight));
        return seen.size;
      },
      { interval: 30, timeout: 15_000 },
    )
    .toBe(230);
  expect((await titles(page)).at(-1)).toBe("Number 0");
  await page.context().close();
});

test("while the server is down the panel reports it, and later shows each missed notification once", async () => {
  const server = new Server();
  const ready = await server.start();
  const own = new Application(ready);
  const page = await browser.newPage();
  try {
    const { token } = await own.token(user);
    await page.route("**/token*", (route) => route.fulfill({ json: { token } }));
    await page.goto(site.address(user, ready.api, ready.realtime));
    await page.waitForFunction(() => document.querySelector("tidings-inbox")?.client?.status === "connected");
    await open(page);
    await own.send(user, "Before");
    await expect.poll(() => titles(page)).toEqual(["Before"]);
    await server.stop();
    await expect.poll(() => page.locator("[part=strip]").textContent()).toBe("Reconnecting…");
    await server.start();
    await own.sendMany(user, ["One", "Two", "Three"]);
    // The random waits between attempts grow.
    await expect.poll(() => titles(page), { timeout: 40_000 }).toEqual(["Three", "Two", "One", "Before"]);
    await page.locator("[part=strip]").waitFor({ state: "hidden" });
  } finally {
    await page.close();
    await server.remove();
  }
}, 90_000);
