/** The buttons of notifications: what a reader chose shows, once. */

import type { Page } from "playwright-core";
import { beforeEach, expect, test } from "vitest";
import { focused, visits } from "./visits.js";

const { visit, open, complaints } = visits();
let page: Page;
beforeEach(async () => {
  page = await open();
  await page.locator(".action").first().waitFor();
});

const labels = () => page.locator(".item .action").allTextContents();
const acts = () => page.evaluate(() => window.inbox.acts);
const isBusy = () => page.locator(".action").first().getAttribute("aria-busy");

/** Holds the answers of the server until the returned function is called. */
async function hold(): Promise<() => Promise<void>> {
  await page.evaluate(() => {
    window.inbox.holds = new Promise((resolve) => Object.assign(window, { release: resolve }));
  });
  return () => page.evaluate("release()") as Promise<void>;
}

function refuse(code: string): Promise<void> {
  return page.evaluate((code) => {
    window.inbox.refuses = Object.assign(new Error(code), { code });
  }, code);
}

test("an action is busy until the answer, no other can be pressed until then, and then it alone is left", async () => {
  const release = await hold();
  const height = () =>
    page
      .locator(".item", { has: page.locator(".action") })
      .evaluate((item) => (item as HTMLElement).offsetHeight);
  const before = await height();
  await page.locator(".action").first().focus();
  await page.keyboard.press("Enter");
  expect(await isBusy()).toBe("true");
  await page.locator(".action").first().click();
  await page.locator(".action").nth(1).click();
  expect(await acts()).toEqual(["approve"]);
  expect(page.url()).not.toContain("deploys");

  await release();

  await expect.poll(labels).toEqual(["Done: Approve"]);
  expect(await isBusy()).toBe(null);
  const used = page.locator("[part='action used']");
  expect(await used.isDisabled()).toBe(true);
  expect(await used.locator("svg").count()).toBe(1);
  // The mark is on the line of the label.
  expect(await height()).toBe(before);
  // A disabled button loses focus, so its row has it.
  expect(await focused(page)).toContain("Deploy needs");
  expect(complaints).toEqual([]);
});

test("an action that was used on another device shows here, and moves no other focus", async () => {
  await page.locator(".item .open").first().focus();
  await page.evaluate(() => {
    const item = window.inbox.items.find(({ notification }) => notification.actions);
    window.inbox.used(item?.notification.id ?? "", "view");
  });
  await expect.poll(labels).toEqual(["Done: View changes"]);
  expect(await focused(page)).toContain("ana mentioned");
  expect(await page.locator(".action").getAttribute("href")).toBe("/deploys/412");
  await page.locator(".action").evaluate((link) => {
    link.addEventListener("click", (event) => event.preventDefault());
    (link as HTMLElement).click();
  });
  expect(await acts()).toEqual([]);
});

test("an action after another one shows the one that was used", async () => {
  await refuse("action_used");
  await page.evaluate(() => {
    const { inbox } = window;
    // Another device used it, and this one has not got the news.
    inbox.items = inbox.items.map((item) =>
      item.notification.actions ? { ...item, action: { id: "view", at: new Date().toISOString() } } : item,
    );
  });
  await page.locator(".action").first().click();
  await expect.poll(labels).toEqual(["Done: View changes"]);
  expect(await page.locator(".undo").count()).toBe(0);
});

test("a failure says so and offers to try again", async () => {
  await refuse("no_answer");
  await page.locator(".action").first().click();
  await expect.poll(() => page.locator(".undo").textContent()).toBe("That didn’t workTry again");
  expect(await labels()).toEqual(["Approve", "View changes"]);
  expect(await isBusy()).toBe(null);
  await page.locator(".undo-button").click();
  await expect.poll(acts).toEqual(["approve", "approve"]);
  await page.locator(".undo").waitFor();
  await page.evaluate(() => {
    window.inbox.refuses = undefined;
  });
  await page.locator(".undo-button").click();
  await expect.poll(labels).toEqual(["Done: Approve"]);
});

test("an action is used when the page's promise resolves, and not when it rejects", async () => {
  await page.evaluate(() => {
    document.addEventListener("tidings-open", (event) => {
      event.detail.waitUntil(
        new Promise((resolve, reject) => Object.assign(window, { finish: resolve, fail: reject })),
      );
    });
  });
  await page.locator(".action").first().click();
  await page.evaluate("fail(new Error('Not now'))");
  await expect.poll(isBusy).toBe(null);
  expect(await acts()).toEqual([]);
  await page.locator(".action").first().click();
  expect(await acts()).toEqual([]);
  await page.evaluate("finish()");
  await expect.poll(labels).toEqual(["Done: Approve"]);
  expect(await acts()).toEqual(["approve"]);
});

test("an action of a toast is used, and the toast stays until then", async () => {
  page = await visit("state=empty&toasts");
  const release = await hold();
  await page.evaluate(() => {
    const actions = [{ id: "approve", label: "Approve" }];
    window.inbox.arrive(window.notification(0, { title: "Deploy", actions }));
  });
  await page.locator(".toast .action").click();
  expect(await page.locator(".toast .action").getAttribute("aria-busy")).toBe("true");
  expect(await acts()).toEqual(["approve"]);
  await release();
  await page.locator(".toast").waitFor({ state: "detached" });
});

test("a toast whose action fails stays for another press, and is removed after the action of another device", async () => {
  page = await visit("state=empty&toasts");
  await refuse("no_answer");
  await page.evaluate(() => {
    const actions = [{ id: "approve", label: "Approve" }];
    window.inbox.arrive(window.notification(0, { title: "Deploy", priority: "urgent", actions }));
  });
  const action = page.locator(".toast .action");
  await action.click();
  await expect.poll(isBusy).toBe(null);
  await action.click();
  await expect.poll(acts).toEqual(["approve", "approve"]);
  await expect.poll(isBusy).toBe(null);
  expect(await action.isEnabled()).toBe(true);
  await refuse("action_used");
  await action.click();
  await page.locator(".toast").waitFor({ state: "detached" });
});
