/** The actions of a reader by pointer and by key, and the reactions of the widget to new notifications. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import type { Item } from "../../src/client/types.js";
import { watchFrames } from "./frames.js";
import { focused, visits } from "./visits.js";

const { visit: load, open: look, complaints } = visits();
let page: Page;
const visit = async (query = "") => {
  page = await load(query);
};
const open = async (query = "") => {
  page = await look(query);
};

test("a policy without inline styles and scripts refuses nothing", async () => {
  await open("state=usual&toasts");
  await page.locator(".item").first().waitFor();
  await page.keyboard.press("Escape");
  await page.evaluate(() =>
    window.inbox.arrive(window.notification(0, { title: "New", priority: "urgent" })),
  );
  await page.locator(".toast").waitFor();
  expect(complaints).toEqual([]);
});

test("the bell opens the panel, Escape closes it, and focus moves in and back", async () => {
  await visit();
  const bell = page.locator(".bell");
  await bell.focus();
  expect(await bell.getAttribute("aria-label")).toBe("Notifications, Unread: 3");
  await page.keyboard.press("Enter");
  await page.locator(".panel:popover-open").waitFor();
  await expect.poll(() => bell.getAttribute("aria-expanded")).toBe("true");
  await expect
    .poll(() => page.evaluate(() => document.querySelector("tidings-inbox")?.shadowRoot?.activeElement?.role))
    .toBe("dialog");
  await page.keyboard.press("Escape");
  await page.locator(".panel:popover-open").waitFor({ state: "detached" });
  await expect.poll(() => bell.getAttribute("aria-expanded")).toBe("false");
  await expect
    .poll(() =>
      page.evaluate(() => document.querySelector("tidings-inbox")?.shadowRoot?.activeElement?.className),
    )
    .toBe("bell");
});

test("arrow keys move through the list, and Tab through the controls of one row only", async () => {
  await open();
  await page.locator(".item").first().waitFor();
  await page.keyboard.press("ArrowDown");
  expect(await focused(page)).toContain("ana mentioned");
  await page.keyboard.press("ArrowDown");
  expect(await focused(page)).toContain("Deploy needs");
  const names = [];
  for (let n = 0; n < 4; n++) {
    await page.keyboard.press("Tab");
    names.push(
      await page.evaluate(() => {
        const element = document.querySelector("tidings-inbox")?.shadowRoot?.activeElement;
        return element?.ariaLabel || element?.textContent;
      }),
    );
  }
  expect(names).toEqual(["Approve", "View changes", "Mark as read", "Archive"]);
  await page.keyboard.press("End");
  expect(await focused(page)).toContain("Welcome");
  await page.keyboard.press("Home");
  expect(await focused(page)).toContain("ana mentioned");
});

test("the filters are tabs: arrow keys choose one, and its list loads", async () => {
  await open();
  await page.locator(".item").nth(6).waitFor();
  await page.locator(".tab").first().focus();
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => page.locator(".item").count()).toBe(3);
  expect(await page.evaluate(() => window.inbox.lists.at(-1)?.state)).toBe("unread");
  await page.keyboard.press("ArrowRight");
  await page.locator("[part=empty]").waitFor();
  expect(await page.locator("[part=empty]").textContent()).toBe("Nothing archived");
});

test("opening marks as read and sends the page an event, which can be canceled to keep the link from being followed", async () => {
  await open();
  await page.evaluate(() => {
    document.addEventListener("tidings-open", (event) => {
      event.preventDefault();
      const { item, action } = event.detail;
      document.body.dataset["opened"] = `${item.notification.title} ${action}`;
    });
  });
  await page.locator(".open").first().click();
  expect(await page.evaluate(() => document.body.dataset["opened"])).toBe("ana mentioned you undefined");
  expect(new URL(page.url()).pathname).toBe("/");
  await expect.poll(() => page.locator(".badge").textContent()).toBe("2");
  await page.locator(".bell").click();
  await page.locator(".action").first().click();
  expect(await page.evaluate(() => document.body.dataset["opened"])).toBe(
    "Deploy needs your approval approve",
  );
});

test("an action is busy while the page's promise runs, and a second press does nothing", async () => {
  await open();
  await page.evaluate(() => {
    const seen = { presses: 0, fail: (): void => undefined };
    Object.assign(window, { seen });
    document.addEventListener("tidings-open", (event) => {
      seen.presses += 1;
      event.detail.waitUntil(
        new Promise<void>((_, reject) => {
          seen.fail = reject;
        }),
      );
    });
  });
  const presses = () => page.evaluate("seen.presses");
  const action = page.locator(".action").first();
  await action.dblclick();
  await action.click();
  expect(await presses()).toBe(1);
  expect(await action.getAttribute("aria-busy")).toBe("true");
  expect(await action.evaluate((each) => getComputedStyle(each).cursor)).toBe("progress");
  await page.evaluate("seen.fail()");
  await expect.poll(() => action.getAttribute("aria-busy")).toBe(null);
  await action.click();
  expect(await presses()).toBe(2);
});

test("a double click without a promise is one press", async () => {
  await open();
  await page.evaluate(() => {
    Object.assign(window, { presses: 0 });
    document.addEventListener("tidings-open", () => {
      (window as unknown as { presses: number }).presses += 1;
    });
  });
  await page.locator(".action").first().dblclick();
  expect(await page.evaluate("presses")).toBe(1);
});

test("archiving can be undone, and focus moves to the next row and back", async () => {
  await open();
  await page.locator(".item").nth(6).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect.poll(() => page.locator(".item").count()).toBe(6);
  expect(await focused(page)).toContain("Deploy needs");
  await page.locator(".undo-button").click();
  await expect.poll(() => page.locator(".item").count()).toBe(7);
  expect(await page.locator(".title").first().textContent()).toContain("ana mentioned");
});

test("notifications in view become seen, and all can be marked as read", async () => {
  await open();
  await expect
    .poll(() => page.evaluate(() => window.inbox.marks.map(({ state }) => state)))
    .toContain("seen");
  await page.locator(".mark-all").click();
  await expect.poll(() => page.locator(".badge").isVisible()).toBe(false);
  expect(await page.evaluate(() => window.inbox.marks.at(-1))).toEqual({
    state: "read",
    what: { all: true },
  });
});

test("hostile content stays text: no markup, no script, no link outside the contract", async () => {
  await open("state=hostile");
  await page.locator(".item").nth(8).waitFor();
  expect(await page.locator(".item script, .item b, .item [onerror]").count()).toBe(0);
  const links = await page
    .locator(".panel a")
    .evaluateAll((all) => all.map((each) => each.getAttribute("href")));
  expect(links.filter((link) => /^(javascript|data):/i.test(link ?? ""))).toEqual([]);
  expect(await page.title()).toBe("Acme");
  const widths = await page
    .locator(".row")
    .evaluateAll((all) => all.map((each) => each.scrollWidth - each.clientWidth));
  expect(Math.max(...widths)).toBeLessThanOrEqual(0);
  const heights = await page.locator(".row").evaluateAll((all) => all.map((each) => each.clientHeight));
  expect(Math.max(...heights)).toBeLessThan(180);
  expect((await page.locator(".title").nth(3).textContent())?.includes("\u202e")).toBe(false);
  expect(complaints).toEqual([]);
});

test("a burst of a thousand changes the list once a frame, by a handful of rows", async () => {
  await open();
  await page.locator(".item").nth(6).waitFor();
  const most = await watchFrames(page);
  await page.evaluate(async () => {
    for (let frames = 0; frames < 60; frames++) {
      const burst = frames < 30 ? 34 : 0;
      for (let n = 0; n < burst; n++)
        window.inbox.arrive(window.notification(0, { title: `Number ${frames * burst + n}` }));
      await new Promise(requestAnimationFrame);
    }
  });
  const { changes, rows } = await most();
  expect(changes).toBe(1);
  // The rows in view, and eight.
  expect(rows).toBeLessThanOrEqual(16);
  expect(await page.locator(".title").first().textContent()).toContain("Number 1019");
  expect(await page.locator(".item").count()).toBeLessThan(60);
});

test("of ten thousand items rows stay few while scrolling down", async () => {
  await open("state=many");
  await page.locator(".item").first().waitFor();
  const scroller = page.locator(".scroller");
  for (let n = 0; n < 12; n++) {
    await scroller.evaluate((each) => each.scrollTo(0, each.scrollHeight));
    await expect
      .poll(() => scroller.evaluate((each) => each.scrollHeight - each.scrollTop - each.clientHeight))
      .toBeGreaterThan(200);
  }
  expect(await page.locator(".item").count()).toBeLessThan(60);
  await page.locator(".item .open").last().focus();
  const place = Number(await page.locator(".item").last().getAttribute("aria-posinset"));
  expect(place).toBeGreaterThan(400);
  await page.keyboard.press("Home");
  expect(await focused(page)).toContain("Notification 10000");
});

test.each([5, 100])("%i arrivals above the view do not move it, and their number shows", async (many) => {
  await open("state=many");
  const scroller = page.locator(".scroller");
  await page.locator(".item").nth(40).waitFor();
  await scroller.evaluate((each) => each.scrollTo(0, 1_500));
  const top = () =>
    page.evaluate(() => {
      const rows = document.querySelector("tidings-inbox")?.shadowRoot?.querySelectorAll(".item") ?? [];
      return [...rows].find((row) => row.textContent?.includes("Notification 9980"))?.getBoundingClientRect()
        .top;
    });
  const before = await top();
  await page.evaluate((many) => {
    for (let n = 1; n <= many; n++) window.inbox.arrive(window.notification(0, { title: `New ${n}` }));
  }, many);
  const fresh = page.locator(".fresh");
  await expect.poll(() => fresh.textContent()).toBe(`${many} new notifications`);
  expect(Math.abs(((await top()) ?? 0) - (before ?? 0))).toBeLessThan(2);
  await fresh.click();
  expect(await page.locator(".title").first().textContent()).toContain(`New ${many}`);
});

test("when the topmost row in view is removed, the rows below it move up", async () => {
  await open("state=many");
  const scroller = page.locator(".scroller");
  await page.locator(".item").nth(40).waitFor();
  await scroller.evaluate((each) => each.scrollTo(0, 1_500));
  /** The numbers and tops of the rows, from the one before the topmost in view on. */
  const rows = () =>
    scroller.evaluate((each) => {
      const { top } = each.getBoundingClientRect();
      const found = [...each.querySelectorAll(".item")].map((row) => ({
        number: Number(row.querySelector(".title")?.textContent.replace("Notification ", "")),
        top: Math.round(row.getBoundingClientRect().top),
        bottom: row.getBoundingClientRect().bottom,
      }));
      return found.slice(found.findIndex(({ bottom }) => bottom > top) - 1);
    });
  const [before, uppermost, next] = await rows();

  await page.evaluate((title) => {
    const { notification } = window.inbox.items.find((item) => item.notification.title === title) as Item;
    return window.inbox.mark("archived", { ids: [notification.id] });
  }, `Notification ${uppermost?.number}`);

  await expect.poll(async () => (await rows()).map(({ number }) => number)).not.toContain(uppermost?.number);
  const after = new Map((await rows()).map(({ number, top }) => [number, top]));
  expect(after.get(next?.number as number)).toBe(uppermost?.top);
  expect(after.get(before?.number as number) ?? before?.top).toBe(before?.top);
});

test("the list keeps a bounded part of an endless stream, and loads the rest again", async () => {
  await open("state=usual");
  await page.evaluate(async () => {
    for (let n = 0; n < 3_000; n++) {
      window.inbox.arrive(window.notification(0, { title: `Number ${n}` }));
      if (n % 300 === 0) await new Promise(requestAnimationFrame);
    }
  });
  await expect.poll(() => page.locator(".title").first().textContent()).toContain("Number 2999");
  const scroller = page.locator(".scroller");
  expect(await scroller.evaluate((each) => each.scrollHeight)).toBeLessThan(130_000);
  await scroller.evaluate((each) => each.scrollTo(0, each.scrollHeight));
  await expect.poll(() => page.evaluate(() => window.inbox.lists.at(-1)?.before)).toBeTruthy();
});

test("the title of the page has the count, and is restored", async () => {
  await visit("title-badge");
  await expect.poll(() => page.title()).toBe("(3) Acme");
  await page.evaluate(() => window.inbox.mark("read", { all: true }));
  await expect.poll(() => page.title()).toBe("Acme");
});

test("a failed list can be loaded again, and loads automatically after a reconnect", async () => {
  await open("state=failed");
  await page.locator(".retry").waitFor();
  await page.evaluate(() => {
    window.inbox.mode = "answers";
    window.inbox.items = [window.notification(1, { title: "There it is" })];
    window.inbox.become("connected");
  });
  await page.locator(".item").waitFor();
});

test("a lost connection and its return show above the list", async () => {
  await open();
  await page.evaluate(() => window.inbox.become("offline"));
  await expect.poll(() => page.locator("[part=strip]").textContent()).toBe("Reconnecting…");
  await page.evaluate(() => window.inbox.become("connected"));
  await page.locator("[part=strip]").waitFor({ state: "hidden" });
});

test("a logout clears the inbox, and the next user sees only their own", async () => {
  await open("title-badge");
  await page.locator(".item").first().waitFor();
  await page.evaluate(() => window.inbox.become("stopped", "logout"));
  await expect.poll(() => page.locator(".item").count()).toBe(0);
  expect([await page.locator(".badge").isVisible(), await page.title()]).toEqual([false, "Acme"]);
  await page.evaluate(() => {
    window.inbox.user = "bob";
    window.inbox.items = [window.notification(1, { title: "For bob" })];
    window.inbox.become("connected");
  });
  // The logout has closed the panel, with its bell.
  await page.locator(".bell").click();
  await expect.poll(() => page.locator(".title").allTextContents()).toEqual(["For bob"]);
});
