import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Chromium, Site } from "../support/browser.js";
import { leaderFirst } from "../support/browsing.js";
import { Application, Server } from "../support/server.js";

const server = new Server();
const chromium = new Chromium();
let application: Application;
let site: Site;

beforeAll(async () => {
  application = new Application(await server.start());
  site = new Site(application);
  await Promise.all([
    server.operate("tenants", "update", "demo", "--sessions", "replace", "--session-limit", "1"),
    chromium.start(),
    site.start(),
  ]);
});

afterAll(async () => {
  await Promise.all([chromium.stop(), site.stop(), server.remove()]);
});

test("with a limit of one connection per user, a leader that hung follows, and stops no other tab", async () => {
  const user = application.user();
  const pages = [await chromium.tab(site.address(user)), await chromium.tab(site.address(user))] as const;
  const [leader, follower] = (await leaderFirst(pages)) as [Page, Page];
  const status = (page: typeof leader) => page.evaluate(() => [tidings.status, tidings.leads]);
  await expect.poll(() => status(leader)).toEqual(["connected", true]);
  await expect.poll(() => status(follower)).toEqual(["connected", false]);
  await follower.bringToFront();

  const hanging = leader.evaluate(() => {
    const end = Date.now() + 2_000;
    while (Date.now() < end);
  });
  // If the test fails before it awaits this, the page closes and this rejects.
  hanging.catch(() => undefined);
  await expect.poll(() => status(follower), { timeout: 5_000 }).toEqual(["connected", true]);
  await hanging;

  await expect.poll(() => status(leader)).toEqual(["connected", false]);
  await application.send(user, "after");
  for (const page of pages) await expect.poll(() => page.evaluate(() => titles)).toEqual(["after"]);
  expect(await status(follower)).toEqual(["connected", true]);
  expect(await application.connections(user)).toBe(1);
});
