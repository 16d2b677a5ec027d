/** The React wrapper, with React 19 in strict mode. */

import type { Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { start } from "./harness.mjs";

let harness: Awaited<ReturnType<typeof start>>;
let page: Page;

beforeAll(async () => {
  harness = await start();
});
afterAll(() => harness?.stop());
beforeEach(async () => {
  page = await harness.browser.newPage();
  await page.goto(`${harness.url}react`);
  await page.locator("li").nth(6).waitFor();
});

test("the hook is live: counts and items follow, and a thousand arrivals render a few times", async () => {
  expect(await page.locator("output").textContent()).toBe("3");
  await page.getByText("Read the first").click();
  await expect.poll(() => page.locator("output").textContent()).toBe("2");
  const renders = () => page.evaluate(() => (window as unknown as { renders: number }).renders);
  const before = await renders();
  await page.evaluate(() => {
    for (let n = 0; n < 1_000; n++) window.inbox.arrive(window.notification(0, { title: `Number ${n}` }));
  });
  await expect.poll(() => page.locator("li").first().textContent()).toBe("Number 999");
  // Strict mode renders twice.
  expect((await renders()) - before).toBeLessThanOrEqual(8);
});

test("the hook turns to another filter", async () => {
  await page.getByText("Turn").click();
  await expect.poll(() => page.locator("li").count()).toBe(3);
});

test("the component has the provider's client, takes texts and language, and reports what was opened", async () => {
  const bell = page.locator("tidings-inbox .bell");
  await expect.poll(() => bell.getAttribute("aria-label")).toBe("Post, Unread: 3");
  await expect.poll(() => page.title()).toBe("(3) Acme");
  await page.getByText("Français").click();
  await expect.poll(() => bell.getAttribute("aria-label")).toBe("Courrier, Non lues: 3");
  await bell.click();
  const opener = page.locator("tidings-inbox .open");
  await opener.nth(4).click();
  await expect.poll(() => page.locator("#opened").textContent()).toBe("bob joined team-7");
  // Rendering anew, with equal texts, leaves the panel open.
  expect(await page.locator("tidings-inbox .panel:popover-open").count()).toBe(1);
  await opener.first().click();
  await expect.poll(() => page.locator("#opened").textContent()).toBe("ana mentioned you");
});
