import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, inject, test } from "vitest";
import { Chromium, Site } from "../support/browser.js";
import { Application } from "../support/server.js";

const application = new Application(inject("ready"));
const site = new Site(application);
const chromium = new Chromium();
const tabs: Page[] = [];

beforeAll(async () => {
  await Promise.all([site.start(), chromium.start()]);
});

afterEach(async () => {
  await Promise.all(tabs.splice(0).map((page) => page.close()));
});

afterAll(async () => {
  await Promise.all([site.stop(), chromium.stop()]);
});

async function tab(user: string, how: Parameters<Site["address"]>[1] = {}): Promise<Page> {
  const page = await chromium.tab(site.address(user, how));
  tabs.push(page);
  await until(page, () => tidings.status === "connected");
  return page;
}

async function leaders(pages: readonly Page[]): Promise<Page[]> {
  const led = await Promise.all(pages.map((page) => page.evaluate(() => tidings.leads)));
  return pages.filter((_, n) => led[n]);
}

/** Asks again and again: a page out of sight paints no frames to wait for. */
async function until(page: Page, holds: () => boolean): Promise<void> {
  await expect.poll(() => page.evaluate(holds), { interval: 20, timeout: 5_000 }).toBe(true);
}

const titles = (page: Page) => page.evaluate(() => titles);
const unread = (page: Page) => page.evaluate(() => tidings.counts?.unread);

test("ten tabs have one connection, the same notifications, the same badge and one to play the sound", async () => {
  const user = application.user();
  const pages = [];
  for (let n = 0; n < 10; n++) pages.push(await tab(user));

  await application.sendMany(user, ["1", "2", "3"]);

  for (const page of pages) {
    await expect.poll(() => titles(page)).toEqual(["1", "2", "3"]);
    expect(await unread(page)).toBe(3);
  }
  expect(await application.connections(user)).toBe(1);
  expect(await leaders(pages)).toHaveLength(1);
});

test("a tab that is opened long after the first one follows it", async () => {
  const user = application.user();
  const leader = await tab(user);
  // Nobody answered the first one's roll call by then.
  await leader.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1_100)));
  await application.send(user, "1");
  const follower = await tab(user);

  await application.send(user, "2");

  await expect.poll(() => titles(follower)).toEqual(["2"]);
  expect(await unread(follower)).toBe(2);
  expect(await follower.evaluate(() => tidings.leads)).toBe(false);
});

test("a mark on a tab that follows reaches the others", async () => {
  const user = application.user();
  const [leader, follower] = [await tab(user), await tab(user)] as const;
  await application.sendMany(user, ["1", "2"]);
  await expect.poll(() => unread(follower)).toBe(2);

  expect(await follower.evaluate(() => tidings.mark("read", { all: true }))).toMatchObject({ changed: 2 });

  await expect.poll(() => unread(leader)).toBe(0);
});

test("another tab takes over within a second when the leader closes, and nothing is lost or doubled", async () => {
  const user = application.user();
  const [leader, follower] = [await tab(user), await tab(user)] as const;
  await application.send(user, "1");
  await expect.poll(() => titles(follower)).toEqual(["1"]);

  await leader.close();
  await application.send(user, "2");
  const closed = Date.now();

  await expect.poll(() => titles(follower), { interval: 20 }).toEqual(["1", "2"]);
  expect(Date.now() - closed).toBeLessThan(1_000);
  expect(await follower.evaluate(() => tidings.leads)).toBe(true);
  await expect.poll(() => application.connections(user)).toBe(1);
});

test("another tab takes over within a second when the leader is frozen, which follows when it thaws", async () => {
  const user = application.user();
  const [leader, follower] = [await tab(user), await tab(user)] as const;
  const session = await chromium.context.newCDPSession(leader);
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
});

test("another tab takes over within a second when the leader hangs, which misses nothing", async () => {
  const user = application.user();
  const [leader, follower] = [await tab(user), await tab(user)] as const;
  await follower.bringToFront();

  // Busy for three seconds, without a turn of its event loop.
  const hanging = leader.evaluate(() => {
    const end = Date.now() + 3_000;
    while (Date.now() < end);
  });
  const hung = Date.now();
  await until(follower, () => tidings.leads && tidings.status === "connected");
  expect(Date.now() - hung).toBeLessThan(1_000);
  await application.send(user, "while hanging");
  await expect.poll(() => titles(follower)).toEqual(["while hanging"]);

  await hanging;
  await until(leader, () => !tidings.leads);
  // What was said meanwhile waited for it, or it is told to list again.
  await until(leader, () => globalThis.titles.includes("while hanging") || reloads === 1);
  expect(await unread(leader)).toBe(1);
  await application.send(user, "after");
  await expect.poll(() => titles(leader)).toContain("after");
  await expect.poll(() => application.connections(user)).toBe(1);
});

test("another tab takes over within a second when the leader crashes, and carries out what was marked", async () => {
  const user = application.user();
  const [leader, follower, third] = [await tab(user), await tab(user), await tab(user)] as const;
  await application.sendMany(user, ["1", "2"]);
  await expect.poll(() => titles(follower)).toEqual(["1", "2"]);
  const session = await chromium.context.newCDPSession(leader);

  // It is not there to answer.
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
  expect(await leaders([follower, third])).toHaveLength(1);
  await expect.poll(() => application.connections(user)).toBe(1);
});

test.each(["leads", "follows"])(
  "what is marked on a tab that %s as its page is left is carried out",
  async (role) => {
    const user = application.user();
    const pages = { leads: await tab(user), follows: await tab(user) };
    const id = await application.send(user, "Opened");
    for (const page of Object.values(pages)) await expect.poll(() => titles(page)).toEqual(["Opened"]);

    await pages[role as keyof typeof pages].evaluate((marked) => {
      void tidings.markRead(marked);
      location.href = "about:blank";
    }, id);

    await expect
      .poll(() => application.request("GET", `/v1/users/${user}/notifications`))
      .toMatchObject({ counts: { unread: 0 } });
  },
);

test("a page without locks and site data has a connection of its own", async () => {
  const user = application.user();
  const pages = [await tab(user, { sandboxed: true }), await tab(user, { sandboxed: true })] as const;

  await application.send(user, "1");

  for (const page of pages) {
    await expect.poll(() => titles(page)).toEqual(["1"]);
    expect(await page.evaluate(() => tidings.leads)).toBe(true);
  }
});

test("a page that is refused a channel to other tabs connects by itself", async () => {
  const user = application.user();
  const page = await chromium.context.newPage();
  tabs.push(page);
  // As Firefox does in frames of another site where the reader allows no cookies.
  await page.addInitScript(() => {
    globalThis.BroadcastChannel = class {
      constructor() {
        throw new DOMException("The operation is insecure.", "SecurityError");
      }
    } as unknown as typeof BroadcastChannel;
  });
  await page.goto(site.address(user));

  await until(page, () => tidings.status === "connected" && tidings.leads);
});

test("two copies of the client in one page share a connection", async () => {
  const user = application.user();
  const page = await tab(user);
  const first = await page.evaluateHandle(() => tidings);
  await page.addScriptTag({ url: "/page.js?copy", type: "module" });
  await until(page, () => tidings.status === "connected");

  await application.send(user, "1");

  await expect.poll(() => titles(page)).toEqual(["1", "1"]);
  expect(await first.evaluate((copy) => [copy.leads, tidings.leads])).toEqual([true, false]);
  expect(await application.connections(user)).toBe(1);
});

test("an application that throws what no other tab can be told keeps no tab from coming back", async () => {
  const user = application.user();
  const [leader, follower] = [await tab(user, { seconds: 1 }), await tab(user, { seconds: 1 })] as const;
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

test("logging out stops all tabs of that user, and of no other", async () => {
  const [user, other] = [application.user(), application.user()];
  const [one, two, apart] = [await tab(user), await tab(user), await tab(other)] as const;

  await two.evaluate(() => tidings.logout());

  await until(one, () => tidings.status === "stopped");
  expect(await apart.evaluate(() => tidings.status)).toBe("connected");
  await expect.poll(() => application.connections(user)).toBe(0);
});

test("a page that is visited again resumes where it was", async () => {
  const user = application.user();
  const page = await tab(user);
  await application.send(user, "before");
  await expect.poll(() => titles(page)).toEqual(["before"]);
  await page.goto("about:blank");
  await application.send(user, "while away");

  await page.goto(site.address(user));

  await expect.poll(() => titles(page)).toEqual(["while away"]);
  expect(await unread(page)).toBe(2);
});

test("a page whose site data is deleted goes on, and is resumed where it then was", async () => {
  const user = application.user();
  const page = await tab(user);
  await application.send(user, "before");
  await expect.poll(() => titles(page)).toEqual(["before"]);
  const deleted = () =>
    new Promise<string>((resolve) => {
      const request = indexedDB.deleteDatabase("tidings");
      request.onsuccess = () => resolve("deleted");
      request.onblocked = () => resolve("blocked");
    });
  expect(await page.evaluate(deleted)).toBe("deleted");
  await application.send(user, "after");
  await expect.poll(() => titles(page)).toEqual(["before", "after"]);
  const kept = async () => {
    if (!(await indexedDB.databases()).length) return 0;
    const request = indexedDB.open("tidings");
    await new Promise((resolve) => {
      request.onsuccess = resolve;
    });
    const counting = request.result.transaction("resume").objectStore("resume").count();
    await new Promise((resolve) => {
      counting.onsuccess = resolve;
    });
    request.result.close();
    return counting.result;
  };
  await expect.poll(() => page.evaluate(kept)).toBe(1);
  await page.goto("about:blank");
  await application.send(user, "while away");

  await page.goto(site.address(user));

  await expect.poll(() => titles(page)).toEqual(["while away"]);
});

test("a page whose database nobody can open connects all the same", async () => {
  const user = application.user();
  const blocker = await tab(application.user());
  // Holds the database and asks for its deletion: whoever opens it waits for both.
  await blocker.evaluate(
    () =>
      new Promise<void>((resolve) => {
        const open = indexedDB.open("tidings");
        open.onsuccess = () => {
          open.result.onversionchange = () => resolve();
          indexedDB.deleteDatabase("tidings");
        };
      }),
  );

  const page = await tab(user);

  await application.send(user, "1");
  await expect.poll(() => titles(page)).toEqual(["1"]);
});

test("a page that comes out of the back/forward cache goes on", async () => {
  const user = application.user();
  const page = await tab(user);
  // Playwright does not follow a page into the cache and back, so it is asked by the protocol itself.
  const session = await chromium.context.newCDPSession(page);
  const evaluate = async (expression: string) => {
    const { result } = await session.send("Runtime.evaluate", { expression, returnByValue: true });
    return result.value as unknown;
  };
  await evaluate("history.state === null && (globalThis.mark = 'the same page')");
  await session.send("Page.navigate", { url: "about:blank" });
  await expect.poll(() => evaluate("location.href")).toBe("about:blank");
  await expect.poll(() => application.connections(user)).toBe(0);
  await application.send(user, "while away");

  const { entries } = await session.send("Page.getNavigationHistory");
  await session.send("Page.navigateToHistoryEntry", { entryId: entries.at(-2)?.id ?? 0 });

  await expect.poll(() => evaluate("globalThis.titles"), { timeout: 5_000 }).toEqual(["while away"]);
  expect(await evaluate("globalThis.mark")).toBe("the same page");
});

test("a page that was frozen, as on a laptop asleep, comes back with what it missed", async () => {
  const user = application.user();
  const page = await tab(user);
  const session = await chromium.context.newCDPSession(page);
  const front = await tab(application.user());
  await front.bringToFront();
  await until(page, () => document.hidden);
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  await expect.poll(() => application.connections(user)).toBe(0);
  await application.sendMany(user, ["1", "2"]);

  await session.send("Page.setWebLifecycleState", { state: "active" });

  await expect.poll(() => titles(page)).toEqual(["1", "2"]);
});

test("a page that was offline comes back with what it missed", async () => {
  const user = application.user();
  const page = await tab(user);
  await chromium.context.setOffline(true);
  await until(page, () => tidings.status === "offline");
  await application.sendMany(
    user,
    Array.from({ length: 500 }, (_, n) => String(n)),
  );

  await chromium.context.setOffline(false);

  await expect.poll(async () => (await titles(page)).length, { timeout: 10_000 }).toBe(500);
  expect(await titles(page)).toEqual(Array.from({ length: 500 }, (_, n) => String(n)));
  expect(await unread(page)).toBe(500);
});
