/** The buttons of notifications with the real client and a real server: on all tabs and devices, and after a reload. */

import type { Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { Application } from "../support/server.js";
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

/** Opens the widget on a page of the user: in the browser of a given tab, or else in another browser. */
async function open(beside?: Page): Promise<Page> {
  const { api, realtime } = inject("ready");
  const context = beside?.context() ?? (await browser.newContext());
  const page = await context.newPage();
  await page.goto(site.address(user, api, realtime));
  await page.waitForFunction(() => document.querySelector("tidings-inbox")?.client?.status === "connected");
  await show(page);
  return page;
}

async function show(page: Page): Promise<void> {
  await page.bringToFront();
  await page.locator(".bell").click();
  await page.locator(".tab").first().waitFor();
}

const labels = (page: Page) => page.locator(".item .action").allTextContents();
/** The number of uses of each action. */
const counted = async (id: string) =>
  ((await application.request("GET", `/v1/notifications/${id}`)) as { receipts: { actions: object } })
    .receipts.actions;

test("an action shows as used on two tabs and another browser, and after a reload", async () => {
  const first = await open();
  const pages = [first, await open(first), await open()];
  const actions = [
    { id: "approve", label: "Approve" },
    { id: "reject", label: "Reject" },
  ];
  const id = await application.send(user, "May I?", { actions });
  for (const page of pages) await expect.poll(() => labels(page)).toEqual(["Approve", "Reject"]);
  await first.bringToFront();
  await first.locator(".action").nth(1).click();
  for (const page of pages) {
    await page.bringToFront();
    await expect.poll(() => labels(page)).toEqual(["Done: Reject"]);
  }
  await first.reload();
  await show(first);
  await expect.poll(() => labels(first)).toEqual(["Done: Reject"]);
  expect(await counted(id)).toEqual({ reject: 1 });
  for (const page of pages) await page.context().close();
});

test("an action with a link is used although the page is left at once", async () => {
  const page = await open();
  const link = new URL("/widget.js", page.url()).href;
  const id = await application.send(user, "Parcel", { actions: [{ id: "track", label: "Track", link }] });
  await expect.poll(() => labels(page)).toEqual(["Track"]);
  await page.locator(".action").click();
  await page.waitForURL(link);
  await expect.poll(() => counted(id)).toEqual({ track: 1 });
  await page.context().close();
});

test("an action without a network offers to try again, which works with the network", async () => {
  const page = await open();
  const id = await application.send(user, "May I?", { actions: [{ id: "approve", label: "Approve" }] });
  await expect.poll(() => labels(page)).toEqual(["Approve"]);
  await page.context().setOffline(true);
  await page.locator(".action").click();
  await page.locator(".undo-button").waitFor();
  expect(await labels(page)).toEqual(["Approve"]);
  await page.context().setOffline(false);
  await page.locator(".undo-button").click();
  await expect.poll(() => labels(page)).toEqual(["Done: Approve"]);
  expect(await counted(id)).toEqual({ approve: 1 });
  await page.context().close();
});
