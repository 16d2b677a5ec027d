import type { Page } from "playwright-core";
import { afterEach, expect, inject, test } from "vitest";
import { Browsing, leaderFirst, titles, until } from "../support/browsing.js";
import { BlockingProxy, type Mode } from "../support/proxy.js";
import { Application } from "../support/server.js";

const ready = inject("ready");
const application = new Application(ready);
const browsing = new Browsing(application);
const proxies: BlockingProxy[] = [];

afterEach(async () => {
  await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
});

/** Two tabs of a user behind a proxy: the leader and the following tab. */
async function pair(user: string, mode: Mode): Promise<[BlockingProxy, Page, Page]> {
  const proxy = new BlockingProxy(ready.realtime);
  proxies.push(proxy);
  await proxy.start();
  proxy.mode = mode;
  const pages = [];
  for (let n = 0; n < 2; n++) {
    const page = await browsing.empty();
    await page.goto(browsing.site.address(user, { realtime: proxy.url }));
    pages.push(page);
  }
  const [leader, follower] = (await leaderFirst(pages)) as [Page, Page];
  return [proxy, leader, follower];
}

const by = (page: Page, transport: string) =>
  expect
    .poll(() => page.evaluate(() => tidings.status === "connected" && transports.at(-1)), { timeout: 40_000 })
    .toBe(transport);
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `${from + n}`);

async function send(user: string, all: string[]): Promise<void> {
  while (all.length) await application.sendMany(user, all.splice(0, 10));
}

/** Two tabs get each of 500 notifications once, over a change to a WebSocket and back. */
async function change(mode: Mode): Promise<void> {
  const user = application.user();
  const [proxy, leader, follower] = await pair(user, mode);
  for (const page of [leader, follower]) await by(page, "sse");
  expect(await application.connections(user)).toBe(1);

  proxy.mode = "pass";
  await Promise.all([send(user, numbers(0, 250)), by(leader, "websocket")]);
  await by(follower, "websocket");
  proxy.mode = mode;
  proxy.cut();
  await Promise.all([send(user, numbers(250, 500)), by(leader, "sse")]);
  await by(follower, "sse");
  await application.send(user, "end");

  for (const page of [leader, follower]) {
    await until(page, () => globalThis.titles.at(-1) === "end");
    expect(await titles(page), mode).toEqual([...numbers(0, 500), "end"]);
  }
}

test("where a proxy refuses, swallows or breaks the upgrade, all tabs get each notification once", async () => {
  // At the same time: they wait most of it.
  await Promise.all((["refuse", "swallow", "break"] as const).map(change));
}, 120_000);

test("a following tab takes over a stream of events, with its topics and marks", async () => {
  const [user, topic] = [application.user(), application.topic()];
  const [, leader, follower] = await pair(user, "refuse");
  for (const page of [leader, follower]) {
    await by(page, "sse");
    await page.evaluate((name) => {
      tidings.subscribe(name, ({ title }) => globalThis.titles.push(title ?? ""), { rewind: 200 });
    }, topic);
  }
  await application.publish(topic, "topic 1");
  const id = await application.send(user, "inbox 1");
  for (const page of [leader, follower])
    await expect
      .poll(async () => [...(await titles(page))].sort(), { timeout: 5_000 })
      .toEqual(["inbox 1", "topic 1"]);
  await follower.evaluate((each) => tidings.markRead(each), id);
  await until(leader, () => tidings.counts?.unread === 0);

  await leader.close();
  await application.publish(topic, "topic 2");
  await until(follower, () => tidings.leads);
  await by(follower, "sse");
  await application.publish(topic, "topic 3");

  await expect
    .poll(async () => (await titles(follower)).filter((title) => title.startsWith("topic")), {
      timeout: 5_000,
    })
    .toEqual(["topic 1", "topic 2", "topic 3"]);
}, 60_000);
