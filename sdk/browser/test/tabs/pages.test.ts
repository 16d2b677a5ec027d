import { expect, inject, test } from "vitest";
import { Browsing, titles, unread, until } from "../support/browsing.js";
import { Application } from "../support/server.js";

const application = new Application(inject("ready"));
const browsing = new Browsing(application);

test.each(["leads", "follows"])("a mark on a tab that %s is sent while its page closes", async (role) => {
  const user = application.user();
  const [leads, follows] = await browsing.pair(user);
  const pages = { leads, follows };
  const id = await application.send(user, "Opened");
  for (const page of Object.values(pages)) await expect.poll(() => titles(page)).toEqual(["Opened"]);

  await pages[role as keyof typeof pages].evaluate((marked) => {
    void tidings.markRead(marked);
    location.href = "about:blank";
  }, id);

  await expect
    .poll(() => application.request("GET", `/v1/users/${user}/notifications`))
    .toMatchObject({ counts: { unread: 0 } });
});

test("a page without locks and site data has a connection of its own", async () => {
  const user = application.user();
  const pages = [
    await browsing.tab(user, { sandboxed: true }),
    await browsing.tab(user, { sandboxed: true }),
  ] as const;

  await application.send(user, "1");

  for (const page of pages) {
    await expect.poll(() => titles(page)).toEqual(["1"]);
    expect(await page.evaluate(() => tidings.leads)).toBe(true);
  }
});

test("a page without access to channels has a connection of its own", async () => {
  const user = application.user();
  const page = await browsing.empty();
  // Firefox does this in frames of another site if the reader allows no cookies.
  await page.addInitScript(() => {
    globalThis.BroadcastChannel = class {
      constructor() {
        throw new DOMException("The operation is insecure.", "SecurityError");
      }
    } as unknown as typeof BroadcastChannel;
  });
  await page.goto(browsing.site.address(user));

  await until(page, () => tidings.status === "connected" && tidings.leads);
});

test("a second visit of a page resumes where the first ended", async () => {
  const user = application.user();
  const page = await browsing.tab(user);
  await application.send(user, "before");
  await expect.poll(() => titles(page)).toEqual(["before"]);
  await page.goto("about:blank");
  await application.send(user, "while away");

  await page.goto(browsing.site.address(user));

  await expect.poll(() => titles(page)).toEqual(["while away"]);
  expect(await unread(page)).toBe(2);
});

test("a page whose site data is deleted stays connected, and a later visit resumes where it ended", async () => {
  const user = application.user();
  const page = await browsing.tab(user);
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

  await page.goto(browsing.site.address(user));

  await expect.poll(() => titles(page)).toEqual(["while away"]);
});

test("a page whose database cannot be opened connects without it", async () => {
  const user = application.user();
  const blocker = await browsing.tab(application.user());
  // Keeps the database open and requests its deletion: each further open waits for both.
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

  const page = await browsing.tab(user);

  await application.send(user, "1");
  await expect.poll(() => titles(page)).toEqual(["1"]);
});

test("a page from the back/forward cache reconnects", async () => {
  const user = application.user();
  const page = await browsing.tab(user);
  // Playwright does not follow a page into the cache and back, so this uses the DevTools protocol.
  const session = await browsing.chromium.context.newCDPSession(page);
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

test("a page that was frozen, as on a sleeping laptop, reconnects and gets all that it missed", async () => {
  const user = application.user();
  const page = await browsing.tab(user);
  const session = await browsing.chromium.context.newCDPSession(page);
  const front = await browsing.tab(application.user());
  await front.bringToFront();
  await until(page, () => document.hidden);
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  await expect.poll(() => application.connections(user)).toBe(0);
  await application.sendMany(user, ["1", "2"]);

  await session.send("Page.setWebLifecycleState", { state: "active" });

  await expect.poll(() => titles(page)).toEqual(["1", "2"]);
});

test("a page that was offline reconnects and gets all that it missed", async () => {
  const user = application.user();
  const page = await browsing.tab(user);
  await browsing.chromium.context.setOffline(true);
  await until(page, () => tidings.status === "offline");
  await application.sendMany(
    user,
    Array.from({ length: 500 }, (_, n) => String(n)),
  );

  await browsing.chromium.context.setOffline(false);

  await expect.poll(async () => (await titles(page)).length, { timeout: 10_000 }).toBe(500);
  expect(await titles(page)).toEqual(Array.from({ length: 500 }, (_, n) => String(n)));
  expect(await unread(page)).toBe(500);
});
