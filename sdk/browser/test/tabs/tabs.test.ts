import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { BEST } from "../support/best.js";
import { Browsing, leaderFirst, titles, unread, until } from "../support/browsing.js";
import { Application } from "../support/server.js";

const application = new Application(inject("ready"));
const browsing = new Browsing(application);

test("ten tabs have one connection, the same notifications, the same badge, and one leader that plays sounds", async () => {
  const user = application.user();
  const pages = [];
  for (let n = 0; n < 10; n++) pages.push(await browsing.tab(user));

  await application.sendMany(user, ["1", "2", "3"]);

  for (const page of pages) {
    await expect.poll(() => titles(page)).toEqual(["1", "2", "3"]);
    expect(await unread(page)).toBe(3);
  }
  expect(await application.connections(user)).toBe(1);
  await leaderFirst(pages);
});

test("a tab that opens long after the first one follows it", async () => {
  const user = application.user();
  const leader = await browsing.tab(user);
  // No tab answered the roll call of the first one by then.
  await leader.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1_100)));
  await application.send(user, "1");
  const follower = await browsing.tab(user);

  await application.send(user, "2");

  await expect.poll(() => titles(follower)).toEqual(["2"]);
  expect(await unread(follower)).toBe(2);
  expect(await follower.evaluate(() => tidings.leads)).toBe(false);
});

test("a mark on a following tab reaches the others", async () => {
  const user = application.user();
  const [leader, follower] = await browsing.pair(user);
  await application.sendMany(user, ["1", "2"]);
  await expect.poll(() => unread(follower)).toBe(2);

  expect(await follower.evaluate(() => tidings.mark("read", { all: true }))).toMatchObject({ changed: 2 });

  await expect.poll(() => unread(leader)).toBe(0);
});

test(
  "another tab takes over within a second when the leader closes, and nothing is lost or doubled",
  BEST,
  async () => {
    const user = application.user();
    const [leader, follower] = await browsing.pair(user);
    await application.send(user, "1");
    await expect.poll(() => titles(follower)).toEqual(["1"]);

    await leader.close();
    await application.send(user, "2");
    const closed = Date.now();

    await expect.poll(() => titles(follower), { interval: 20 }).toEqual(["1", "2"]);
    expect(Date.now() - closed).toBeLessThan(1_000);
    expect(await follower.evaluate(() => tidings.leads)).toBe(true);
    await expect.poll(() => application.connections(user)).toBe(1);
  },
);

test(
  "another tab takes over within a second when the leader is frozen, and the old leader follows after it resumes",
  BEST,
  async () => {
    const user = application.user();
    const [leader, follower] = await browsing.pair(user);
    const session = await browsing.chromium.context.newCDPSession(leader);
    await follower.bringToFront();

    await until(leader, () => document.hidden);
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    const frozen = Date.now();
    await application.send(user, "while frozen");

    await expect.poll(() => titles(follower), { interval: 20 }).toEqual(["while frozen"]);
    expect(Date.now() - frozen).toBeLessThan(1_000);
    await session.send("Page.setWebLifecycleState", { state: "active" });
    await until(leader, () => tidings.status === "connected" && reloads === 1);
    await application.send(user, "after");
    await expect.poll(() => titles(leader)).toEqual(["after"]);
    await expect.poll(() => titles(follower)).toEqual(["while frozen", "after"]);
    expect(await unread(leader)).toBe(2);
    await expect.poll(() => application.connections(user)).toBe(1);
  },
);

test(
  "another tab takes over within a second when the leader hangs, and the old leader misses nothing",
  BEST,
  async () => {
    const user = application.user();
    const [leader, follower] = await browsing.pair(user);
    await follower.bringToFront();

    // Busy for three seconds in one task.
    const hanging = leader.evaluate(() => {
      const end = Date.now() + 3_000;
      while (Date.now() < end);
    });
    // If the test fails before it awaits this, the page closes and this rejects.
    hanging.catch(() => undefined);
    const hung = Date.now();
    await until(follower, () => tidings.leads && tidings.status === "connected");
    expect(Date.now() - hung).toBeLessThan(1_000);
    await application.send(user, "while hanging");
    await expect.poll(() => titles(follower)).toEqual(["while hanging"]);

    await hanging;
    await until(leader, () => !tidings.leads);
    // The messages were queued for it, or it gets a request to reload its list.
    await until(leader, () => globalThis.titles.includes("while hanging") || reloads === 1);
    expect(await unread(leader)).toBe(1);
    await application.send(user, "after");
    await expect.poll(() => titles(leader)).toContain("after");
    await expect.poll(() => application.connections(user)).toBe(1);
  },
);

test(
  "another tab takes over within a second when the leader crashes, and sends the pending mark",
  BEST,
  async () => {
    const user = application.user();
    const [leader, follower, third] = (await leaderFirst([
      ...(await browsing.pair(user)),
      await browsing.tab(user),
    ])) as [Page, Page, Page];
    await application.sendMany(user, ["1", "2"]);
    await expect.poll(() => titles(follower)).toEqual(["1", "2"]);
    const session = await browsing.chromium.context.newCDPSession(leader);

    // The crashed page does not answer.
    session.send("Page.crash").catch(() => undefined);
    const crashed = Date.now();
    const marked = await follower.evaluate(() => tidings.mark("read", { all: true }));

    expect(marked).toMatchObject({ changed: 2, counts: { unread: 0 } });
    expect(Date.now() - crashed).toBeLessThan(1_000);
    await application.sendMany(user, ["3", "4"]);
    for (const page of [follower, third]) {
      await expect.poll(() => titles(page)).toEqual(["1", "2", "3", "4"]);
      expect(await unread(page)).toBe(2);
    }
    await leaderFirst([follower, third]);
    await expect.poll(() => application.connections(user)).toBe(1);
  },
);

test("two copies of the client in one page share a connection", async () => {
  const user = application.user();
  const page = await browsing.tab(user);
  const first = await page.evaluateHandle(() => tidings);
  await page.addScriptTag({ url: "/page.js?copy", type: "module" });
  await until(page, () => tidings.status === "connected");

  await application.send(user, "1");

  await expect.poll(() => titles(page)).toEqual(["1", "1"]);
  expect(await first.evaluate((copy) => [copy.leads, tidings.leads])).toEqual([true, false]);
  expect(await application.connections(user)).toBe(1);
});

test("an error of the application that cannot be posted to other tabs does not prevent a reconnect", async () => {
  const user = application.user();
  const [leader, follower] = await browsing.pair(user, { seconds: 1 });
  await leader.evaluate(() => {
    globalThis.broken = true;
  });

  for (const page of [leader, follower]) {
    await expect.poll(() => page.evaluate(() => tidings.status), { timeout: 10_000 }).toBe("offline");
  }
  await leader.evaluate(() => {
    globalThis.broken = false;
  });
  for (const page of [leader, follower]) await until(page, () => tidings.status === "connected");
});

test("messages of another script on the same channel have no effect", async () => {
  const user = application.user();
  const pages = await browsing.pair(user);
  const broken: string[] = [];
  for (const page of pages) page.on("pageerror", ({ message }) => broken.push(message));
  const stranger = await browsing.tab(application.user());
  await stranger.evaluate(
    ([api, whose]) => {
      const channel = new BroadcastChannel(`tidings:${api}#demo/${whose}`);
      const kinds = ["frame", "snapshot", "status", "later", "stop"];
      for (const said of [null, 5, "text", [], {}, ...kinds.map((kind) => ({ kind }))])
        channel.postMessage(said);
    },
    [application.api, user],
  );

  await application.send(user, "1");

  for (const page of pages) await expect.poll(() => titles(page)).toEqual(["1"]);
  expect(broken).toEqual([]);
});

test("a logout stops all tabs of that user, and of no other user", async () => {
  const [user, other] = [application.user(), application.user()];
  const [one, two, apart] = [
    await browsing.tab(user),
    await browsing.tab(user),
    await browsing.tab(other),
  ] as const;

  await two.evaluate(() => tidings.logout());

  await until(one, () => tidings.status === "stopped");
  expect(await apart.evaluate(() => tidings.status)).toBe("connected");
  await expect.poll(() => application.connections(user)).toBe(0);
});
