/** Links, marks and focus: the controls that a reader presses, and where the focus is afterwards. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import type { TidingsInbox } from "../../src/widget/index.js";
import { focused, visits } from "./visits.js";

const { visit, open } = visits();

/** Opens the first notification, a link, in one way. Returns the events of the page and the marks. */
async function follow(page: Page, press: Parameters<ReturnType<Page["locator"]>["click"]>[0]) {
  await page.locator(".item").first().waitFor();
  await page.evaluate(() => {
    Object.assign(window, { asked: 0 });
    document.addEventListener("tidings-open", (event) => {
      event.preventDefault();
      (window as unknown as { asked: number }).asked += 1;
    });
  });
  await page.locator(".open").first().click(press);
  return page.evaluate(() => ({
    asked: (window as unknown as { asked: number }).asked,
    read: window.inbox.marks.filter(({ state }) => state === "read").length,
  }));
}

test.each([
  ["the middle button", { button: "middle" as const }],
  ["Control", { modifiers: ["Control" as const] }],
])(
  "A link opened with %s opens another tab, marks as read, and leaves the panel open.",
  async (_way, press) => {
    const page = await open();
    const opened = page.context().waitForEvent("page");
    expect(await follow(page, press)).toEqual({ asked: 0, read: 1 });
    const other = await opened;
    await other.waitForURL("**/c/1");
    await other.close();
    expect(await page.locator(".panel:popover-open").count()).toBe(1);
  },
);

test("A link opened by a plain click sends the page an event, and closes the panel.", async () => {
  const page = await open();
  expect(await follow(page, {})).toEqual({ asked: 1, read: 1 });
  await page.locator(".panel:popover-open").waitFor({ state: "detached" });
});

test("After all are marked as read by key the button disappears, and Escape still returns to the bell.", async () => {
  const page = await open();
  await page.locator(".mark-all").focus();
  await page.keyboard.press("Enter");
  await page.locator(".mark-all").waitFor({ state: "hidden" });
  await expect.poll(() => focused(page)).toContain("ana mentioned you");
  await page.keyboard.press("Escape");
  await expect.poll(() => focused(page)).toBe("Notifications");
});

test("After the last row is archived by key focus stays in the panel, before the offer to undo.", async () => {
  const page = await visit("state=empty");
  await page.evaluate(() => {
    window.inbox.items = [window.notification(1, { title: "The only one" })];
  });
  await page.locator(".bell").click();
  await page.locator(".item").waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator("[part=empty]").waitFor();
  const inside = () =>
    page.evaluate(() => {
      const root = document.querySelector("tidings-inbox")?.shadowRoot;
      return root?.querySelector(".panel")?.contains(root.activeElement);
    });
  await expect.poll(inside).toBe(true);
  await page.keyboard.press("Escape");
  await expect.poll(() => focused(page)).toBe("Notifications");
});

test("When focus moves to the page the panel closes, and the focus stays on the page.", async () => {
  const page = await open();
  await page.locator(".item").nth(6).waitFor();
  await page.locator(".item .tool").last().focus();
  await page.keyboard.press("Tab");
  await expect.poll(() => focused(page)).toBe("After it");
  await page.locator(".panel:popover-open").waitFor({ state: "detached" });
  expect(await focused(page)).toBe("After it");
});

test("A click outside or on the bell closes the panel, and a click inside does not.", async () => {
  const page = await open();
  const panel = page.locator(".panel:popover-open");
  await page.locator(".day").first().click();
  expect(await panel.count()).toBe(1);
  await page.locator("h1").click();
  await panel.waitFor({ state: "detached" });
  await page.locator(".bell").click();
  await panel.waitFor();
  await page.locator(".bell").click();
  await panel.waitFor({ state: "detached" });
});

test.each(["", "state=many&toasts", "state=hostile", "mode=page&width=280"])(
  "Each control is at least 24 pixels wide and high: %j.",
  async (query) => {
    const page = await visit(query);
    if (!query.includes("page")) await page.locator(".bell").click();
    await page.locator(".item").first().waitFor();
    await page.evaluate(() => {
      window.inbox.missed = 2;
      window.inbox.arrive(window.notification(0, { title: "Urgent", priority: "urgent" }));
    });
    await page.locator(".dismiss").waitFor();
    const small = await page.locator("tidings-inbox").evaluate((inbox) => {
      const roots = [inbox.shadowRoot, inbox.shadowRoot?.querySelector("tidings-toasts")?.shadowRoot];
      return roots
        .flatMap((root) => [...(root?.querySelectorAll("a,button") ?? [])])
        .filter((each) => {
          // The control that opens a row is as large as the row.
          const box = (each.closest(".open") ? each.closest(".row,.toast") : each) ?? each;
          const { width, height } = box.getBoundingClientRect();
          return each.checkVisibility() && Math.min(width, height) < 24;
        })
        .map((each) => each.outerHTML);
    });
    expect(small).toEqual([]);
  },
);

test("A category shows as words, and replaces a missing title.", async () => {
  const page = await visit("state=empty");
  await page.evaluate(() => {
    const { inbox, notification } = window;
    inbox.items = [
      notification(1, { title: "One", category: "orders.in_transit" }),
      notification(2, { data: { only: "data" }, category: "billing" }),
    ];
  });
  await page.locator(".bell").click();
  await page.locator(".item").nth(1).waitFor();
  expect(await page.locator(".meta").first().textContent()).toContain("Orders in transit");
  expect(await page.locator(".title").nth(1).textContent()).toBe("Billing");
});

test("After a final disconnect the panel offers to connect again.", async () => {
  const page = await open("state=stopped");
  await page.evaluate(() => {
    window.inbox.connect = () => window.inbox.become("connected");
  });
  await page.locator(".again").click();
  await page.locator("[part=strip]").waitFor({ state: "hidden" });
});

test("A screen reader reads title, text, urgency, time and category of each row.", async () => {
  const page = await open();
  await page.locator(".item").nth(2).waitFor();
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  const link = nodes.find(({ role, name }) => role?.value === "link" && name?.value.includes("Payment"));
  expect(link?.name?.value).toBe("Unread: Payment failed for invoice 2026-118");
  expect(link?.description?.value).toMatch(
    /^The card was declined\. The next try is tomorrow\. Urgent [^·]+ Billing$/,
  );
});

test("The message of an empty list is announced when a filter finds nothing.", async () => {
  const page = await open();
  await page.locator(".item").nth(6).waitFor();
  const region = page.locator("[role=status]", { has: page.locator("[part=empty]") });
  await page.locator("[id=archived]").click();
  await expect.poll(() => region.textContent()).toBe("Nothing archived");
});

test("The time has the day and hour as a tooltip, and a press on it opens the row.", async () => {
  const page = await open("lang=en-GB");
  const time = page.locator("time").first();
  await time.hover();
  await expect.poll(() => time.getAttribute("title")).toMatch(/\d{4}.+\d\d:\d\d/);
  await page.locator("time").nth(1).click();
  await page.locator(".item.read time").nth(1).waitFor();
  expect(await page.evaluate(() => window.inbox.marks.filter(({ state }) => state === "read").length)).toBe(
    1,
  );
});

test("A logout removes the offer to undo.", async () => {
  const page = await open();
  await page.locator(".item").nth(6).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.locator(".row .tool").nth(1).click();
  await page.locator(".undo").waitFor();
  await page.evaluate(() => window.inbox.become("stopped", "logout"));
  await page.locator(".undo").waitFor({ state: "detached" });
});

test("After a close and an open in one task, and a close, the panel handles no keys of the page.", async () => {
  const page = await open();
  await page.evaluate(() => {
    const inbox = document.querySelector("tidings-inbox");
    inbox?.close();
    inbox?.open();
    Object.assign(window, { escapes: 0 });
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") (window as unknown as { escapes: number }).escapes += 1;
    });
  });
  const panel = page.locator(".panel:popover-open");
  await panel.waitFor();
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "detached" });
  await expect.poll(() => page.locator(".bell").getAttribute("aria-expanded")).toBe("false");
  await page.keyboard.press("Escape");
  expect(await page.evaluate(() => (window as unknown as { escapes: number }).escapes)).toBe(1);
});

test("A badge with the number of unseen notifications is not named unread.", async () => {
  const page = await visit("badge=unseen");
  await expect.poll(() => page.locator(".bell").getAttribute("aria-label")).toBe("Notifications: 3");
});

test("The back gesture of a phone closes the panel, and works for the page afterwards.", async () => {
  const page = await visit("", {}, (empty) =>
    empty.addInitScript(() => {
      const known = window as unknown as { CloseWatcher: new () => EventTarget; watchers: EventTarget[] };
      known.watchers = [];
      known.CloseWatcher = class extends known.CloseWatcher {
        constructor() {
          super();
          known.watchers.push(this);
        }
      };
    }),
  );
  const back = () =>
    page.evaluate(() => {
      const { watchers } = window as unknown as { watchers: (EventTarget & { requestClose(): void })[] };
      watchers.at(-1)?.requestClose();
      return watchers.length;
    });
  await page.locator(".bell").click();
  await page.locator(".tab").first().waitFor();
  expect(await back()).toBe(1);
  await page.locator(".panel:popover-open").waitFor({ state: "detached" });
  await page.locator(".bell").click();
  await page.locator(".panel:popover-open").waitFor();
  expect(await back()).toBe(2);
  await page.locator(".panel:popover-open").waitFor({ state: "detached" });
});

test("A row that the keyboard reaches is never covered.", async () => {
  const page = await open("state=many");
  await page.locator(".item").nth(40).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.locator(".row .tool").nth(1).click();
  await page.locator(".undo").hover();
  await page.locator(".row .open").first().focus();
  const covered = async (key: string, steps: number) => {
    const found: string[] = [];
    for (let step = 0; step < steps; step++) {
      await page.keyboard.press(key);
      const under = await page.evaluate(() => {
        const root = document.querySelector("tidings-inbox")?.shadowRoot;
        const title = root?.activeElement?.querySelector(".title");
        const { left, top, height } = title?.getBoundingClientRect() ?? new DOMRect();
        // The offer to undo and the button for new notifications are in the middle.
        const middle = root?.querySelector(".stage")?.getBoundingClientRect() ?? new DOMRect();
        const hit = root?.elementFromPoint(middle.left + middle.width / 2, top + height / 2);
        return left && root?.activeElement?.contains(hit ?? null) ? "" : title?.textContent;
      });
      if (under) found.push(under);
    }
    return found;
  };
  expect(await covered("ArrowDown", 12)).toEqual([]);
  await page.evaluate(() => window.inbox.arrive(window.notification(0, { title: "New" })));
  await page.locator(".fresh").waitFor();
  expect(await covered("ArrowUp", 10)).toEqual([]);
});

test("The font size of the element applies to all text in it, and at twice the size nothing is cut off.", async () => {
  const page = await visit("mode=page", { viewport: { width: 390, height: 780 } });
  await page.locator(".item").nth(6).waitFor();
  const sizes = () =>
    page.locator("tidings-inbox").evaluate((inbox) => {
      const texts =
        inbox.shadowRoot?.querySelectorAll("h2,.tab,.count,.day,.title,.body,.meta,.action") ?? [];
      return [...texts].map((each) => Number.parseFloat(getComputedStyle(each).fontSize));
    });
  const before = await sizes();
  await page.locator("tidings-inbox").evaluate((inbox) => {
    inbox.style.fontSize = "28px";
  });
  const ratios = (await sizes()).map((size, index) => size / (before[index] ?? 1));
  for (const ratio of ratios) expect(ratio).toBeCloseTo(2, 1);
  const cut = await page.locator("tidings-inbox").evaluate((inbox) => {
    const boxes = inbox.shadowRoot?.querySelectorAll(".head,.tabs,.row,.action") ?? [];
    return [...boxes].filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.className);
  });
  expect(cut).toEqual([]);
});

const LONG = `Dear Ana, ${"these are many words about the parcel. ".repeat(60)}Yours, the shop.`;

/** An inbox with a long text on a link, a short one, and a long one without a link. */
async function withLongTexts(): Promise<Page> {
  const page = await visit("state=empty");
  await page.evaluate((body) => {
    const { inbox, notification } = window;
    inbox.items = [
      notification(1, { title: "With a link", body, link: "/o/1" }),
      notification(2, { title: "Short", body: "Two words" }),
      notification(3, { title: "Without a link", body }),
    ];
  }, LONG);
  await page.locator(".bell").click();
  await page.locator(".item").nth(2).waitFor();
  return page;
}

test("A long text has a button that shows all of it in its row, by mouse and key, and shortens it again.", async () => {
  const page = await withLongTexts();
  await page.evaluate(() =>
    document.addEventListener("tidings-open", () => Object.assign(window, { asked: 1 })),
  );
  expect(await page.locator(".more").allInnerTexts()).toEqual(["Show more", "", "Show more"]);
  const [body, more] = [page.locator(".body").first(), page.locator(".more").first()];
  const height = (await body.boundingBox())?.height ?? 0;
  await more.click();
  expect(await body.textContent()).toBe(LONG);
  expect(await body.evaluate((each) => each.scrollHeight - each.clientHeight)).toBe(0);
  expect((await body.boundingBox())?.height).toBeGreaterThan(5 * height);
  expect(await more.getAttribute("aria-expanded")).toBe("true");
  await page.keyboard.press("Enter");
  expect(await more.textContent()).toBe("Show more");
  expect((await body.boundingBox())?.height).toBeCloseTo(height, 2);
  expect(await page.evaluate(() => [(window as { asked?: number }).asked, location.pathname])).toEqual([
    undefined,
    "/",
  ]);
});

test("A press on a row without a link shows all of its text; on one with a link it does not.", async () => {
  const page = await withLongTexts();
  await page
    .locator(".open")
    .nth(2)
    .click({ position: { x: 5, y: 5 } });
  expect(await page.locator(".body").nth(2).textContent()).toBe(LONG);
  expect(await page.locator(".whole").count()).toBe(1);
});

test("A row keeps its place in view while a text above it is expanded and shortened.", async () => {
  const page = await visit("state=empty");
  await page.evaluate((body) => {
    const { inbox, notification } = window;
    inbox.items = Array.from({ length: 150 }, (_, n) => notification(n, { title: `Number ${n}`, body }));
  }, LONG);
  await page.locator(".bell").click();
  await page.locator(".item").first().waitFor();
  await page.locator(".scroller").evaluate((each) => each.scrollTo(0, 3_000));
  const row = page.locator(".item", { hasText: "Number 24" });
  await row.locator(".more").click();
  const top = (await row.boundingBox())?.y;
  await row.locator(".more").press("Enter");
  expect(Math.abs(((await row.boundingBox())?.y ?? 0) - (top ?? 0))).toBeLessThan(2);
});

test("The buttons of a row have the row's title as their description.", async () => {
  const page = await open();
  const described = await page
    .locator(".row")
    .nth(1)
    .locator(".tool")
    .evaluateAll((tools) =>
      tools.map((tool) => {
        const id = tool.getAttribute("aria-describedby") ?? "";
        return (tool.getRootNode() as ShadowRoot).getElementById(id)?.textContent;
      }),
    );
  expect(described).toEqual(Array(2).fill("Unread: Deploy needs your approval"));
});

test.each([
  ["en", "New notification"],
  ["de", "Neue Benachrichtigung"],
])(
  "A row without title and text has its category as title, else the words for new ones in %s.",
  async (lang, text) => {
    const page = await visit(`state=empty&lang=${lang}`);
    await page.evaluate(() => {
      const data = { order: 7 };
      window.inbox.items.push(window.notification(1, { data }));
      window.inbox.items.push(window.notification(2, { data, category: "orders.in_transit" }));
    });
    await page.locator(".bell").click();
    await expect
      .poll(() => page.locator(".row .title").allTextContents())
      .toEqual([text, "Orders in transit"]);
  },
);

test("The page gets an event when the panel is opened and closed, by the reader and by the page.", async () => {
  const page = await visit();
  await page.evaluate(() => {
    const seen: boolean[] = [];
    Object.assign(window, { seen });
    document.addEventListener("tidings-toggle", ({ detail }) => seen.push(detail.open));
  });
  const seen = () => page.evaluate(() => (window as unknown as { seen: boolean[] }).seen);
  const call = (name: "open" | "close") =>
    page.locator("tidings-inbox").evaluate((inbox, method) => (inbox as TidingsInbox)[method](), name);
  await page.locator(".bell").click();
  await expect.poll(seen).toEqual([true]);
  await page.keyboard.press("Escape");
  await expect.poll(seen).toEqual([true, false]);
  await call("open");
  await expect.poll(seen).toEqual([true, false, true]);
  await call("close");
  await expect.poll(seen).toEqual([true, false, true, false]);
});
