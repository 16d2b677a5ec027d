import { afterAll, describe, expect, inject, test } from "vitest";
import type { StatusChange, Tidings, TidingsOptions } from "../../src/client/index.js";
import { Clients, Recorder } from "../support/client.js";
import { BlockingProxy, type Mode } from "../support/proxy.js";
import { Application } from "../support/server.js";

const ready = inject("ready");
const application = new Application(ready);
const clients = new Clients(application);
const proxies: BlockingProxy[] = [];

async function behind(mode: Mode): Promise<BlockingProxy> {
  const proxy = new BlockingProxy(ready.realtime);
  proxies.push(proxy);
  await proxy.start();
  proxy.mode = mode;
  return proxy;
}
afterAll(() => Promise.all(proxies.map((proxy) => proxy.stop())));

/** Resolves when the client is connected by a transport. */
async function connected(statuses: Recorder<"status">, transport: StatusChange["transport"]): Promise<void> {
  await expect
    .poll(() => statuses.all.at(-1)?.transport, { timeout: 40_000, message: `by ${transport}` })
    .toBe(transport);
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `${from + n}`);

/** Sends while `during` runs, in batches of ten. */
async function sending(user: string, titles: string[], during: () => Promise<void>): Promise<void> {
  const running = during();
  while (titles.length) await application.sendMany(user, titles.splice(0, 10));
  await running;
}

/** 500 notifications arrive once and in order, over changes of the transport in both directions. */
async function change(mode: Mode): Promise<void> {
  const [proxy, user] = [await behind(mode), application.user()];
  const tidings = clients.make(user, { realtimeUrl: proxy.url });
  const [arrivals, statuses] = [new Recorder(tidings, "notification"), new Recorder(tidings, "status")];
  tidings.connect();
  await connected(statuses, "sse");

  await sending(user, numbers(0, 200), async () => {
    proxy.mode = "pass";
    await connected(statuses, "websocket");
  });
  await sending(user, numbers(200, 400), async () => {
    proxy.mode = mode;
    proxy.cut();
    await connected(statuses, "sse");
  });
  await sending(user, numbers(400, 500), async () => {
    proxy.mode = "pass";
    await connected(statuses, "websocket");
  });
  await application.send(user, "end");

  await expect.poll(() => titles(arrivals).at(-1), { timeout: 10_000 }).toBe("end");
  expect(titles(arrivals), mode).toEqual([...numbers(0, 500), "end"]);
  await expect.poll(() => application.connections(user)).toBe(1);
}

test("where a proxy refuses, swallows or breaks the upgrade, each notification arrives once", async () => {
  // At the same time: they wait most of it.
  await Promise.all((["refuse", "swallow", "break"] as const).map(change));
}, 120_000);

const titles = (arrivals: Recorder<"notification">) =>
  arrivals.all.map(({ item }) => item.notification.title);

describe("on a stream of events", () => {
  async function streaming(user: string, options: Partial<TidingsOptions> = {}): Promise<Tidings> {
    const proxy = await behind("refuse");
    const tidings = clients.make(user, { realtimeUrl: proxy.url, ...options });
    const statuses = new Recorder(tidings, "status");
    tidings.connect();
    await connected(statuses, "sse");
    return tidings;
  }

  test("marks are made, and what arrived is acknowledged, also for the device", async () => {
    const user = application.user();
    const tidings = await streaming(user, { device: "laptop" });
    const arrivals = new Recorder(tidings, "notification");
    const id = await application.send(user, "one");
    await arrivals.find(({ item }) => item.notification.id === id);

    expect(await tidings.markRead(id)).toMatchObject({ changed: 1, counts: { unread: 0 } });

    await expect.poll(() => tidings.counts).toMatchObject({ unseen: 0, unread: 0 });
    await expect
      .poll(() => application.request("GET", `/v1/notifications/${id}`), { timeout: 10_000 })
      .toMatchObject({ receipts: { delivered: 1, read: 1 } });
  }, 60_000);

  test("topics start where their options say, and one that is not allowed ends", async () => {
    const topics = [application.topic(), application.topic(), application.topic()] as const;
    for (const topic of topics) for (const title of ["1", "2", "3"]) await application.publish(topic, title);
    const tidings = await streaming(application.user());
    const got = topics.map(() => [] as string[]);
    const options = [{}, { rewind: 2 }, { after: 0 }];
    for (const [n, topic] of topics.entries())
      tidings.subscribe(topic, ({ title }) => got[n]?.push(title ?? ""), options[n]);
    // A second subscription to the same topic, from an earlier position.
    const again: string[] = [];
    const end = tidings.subscribe(topics[1], ({ title }) => again.push(title ?? ""), { after: 0 });
    const errors: unknown[] = [];
    tidings.subscribe("private", () => undefined, { onEnd: (error) => errors.push(error) });
    await expect
      .poll(() => got.slice(1), { timeout: 10_000 })
      .toEqual([
        ["2", "3"],
        ["1", "2", "3"],
      ]);
    await expect.poll(() => again, { timeout: 10_000 }).toEqual(["1", "2", "3"]);
    await expect.poll(() => errors).toMatchObject([{ code: "forbidden_topic" }]);

    for (const topic of topics) await application.publish(topic, "4");

    await expect.poll(() => got, { timeout: 10_000 }).toEqual([["4"], ["2", "3", "4"], ["1", "2", "3", "4"]]);
    await expect.poll(() => again).toEqual(["1", "2", "3", "4"]);
    end();
    await application.publish(topics[1], "5");
    await expect.poll(() => got[1]).toEqual(["2", "3", "4", "5"]);
    expect(again).toEqual(["1", "2", "3", "4"]);
  }, 60_000);

  test("a token is replaced before it expires", async () => {
    const user = application.user();
    const tidings = await streaming(user, { token: () => application.token(user, 12) });
    const [statuses, arrivals] = [new Recorder(tidings, "status"), new Recorder(tidings, "notification")];
    await new Promise((resolve) => setTimeout(resolve, 14_000));
    await application.send(user, "later");
    await arrivals.find(({ item }) => item.notification.title === "later");
    expect(statuses.all).toEqual([]);
  }, 60_000);
});

test("a refused token does not lead to a stream of events", async () => {
  const [proxy, user] = [await behind("pass"), application.user()];
  const refused = clients.make(user, {
    realtimeUrl: proxy.url,
    token: async () => `${(await application.token(user)).token.slice(0, -4)}AAAA`,
  });
  const statuses = new Recorder(refused, "status");
  refused.connect();
  expect(await statuses.find(({ status }) => status === "stopped")).toMatchObject({ code: 4001 });
  expect(proxy.streams).toBe(0);
}, 30_000);
