/** The axe rules of WCAG 2.2 AA in every state of the harness, light and dark. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { start } from "./harness.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let harness: Awaited<ReturnType<typeof start>>;
beforeAll(async () => {
  harness = await start();
});
afterAll(() => harness?.stop());

async function faults(page: Page): Promise<string[]> {
  await page.evaluate(() => {
    const inbox = document.querySelector("tidings-inbox")?.shadowRoot;
    const toasts = inbox?.querySelector("tidings-toasts")?.shadowRoot;
    return Promise.all(
      [document, inbox, toasts]
        .flatMap((root) => root?.getAnimations() ?? [])
        // An animation that follows a scroll position never ends.
        .filter((each) => each.timeline === document.timeline && each.effect?.getTiming().iterations === 1)
        .map((each) => each.finished),
    );
  });
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof import("axe-core") };
    const { violations } = await axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    });
    return violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ html, failureSummary }) => html + failureSummary).join("\n")}`,
    );
  });
}

const TABS = encodeURIComponent('[{"category":"orders."},{"category":"comments."},{"category":"billing"}]');
const SCENES: readonly [name: string, query: string][] = [
  ["tabs, icons and initials of the page", `state=categories&tabs=${TABS}&icons={"orders.":"box"}`],
  ["marked text", "state=marked&markdown&icons={}"],
  ["the usual", ""],
  ["right to left", "state=arabic&lang=ar"],
  ["groups", "state=groups"],
  ["rows that can be snoozed", "snooze"],
  ["groups, right to left", "state=groups&lang=ar&mode=page"],
  ["hostile content", "state=hostile"],
  ["nothing there", "state=empty"],
  ["loading", "state=loading"],
  ["failed to load", "state=failed"],
  ["offline", "state=offline"],
  ["stopped", "state=stopped"],
  ["thousands", "state=many"],
  ["280 pixels wide", "mode=page&width=280"],
  ["a full page", "mode=page"],
  ["rows of the history, and a history that does not answer", "state=history"],
  ["an Arabic page", "state=arabic&lang=ar&mode=page"],
];

/** The actions of a reader or a sender before axe runs, by name; on a phone and on a desktop. */
const MOMENTS: readonly [name: string, query: string, happens: (page: Page) => Promise<void>][] = [
  [
    "missed notifications, offline",
    "",
    (page) =>
      page.evaluate(() => {
        window.inbox.missed = 3;
        window.inbox.become("offline");
      }),
  ],
  [
    "missed notifications, right to left",
    "state=arabic&lang=ar",
    (page) =>
      page.evaluate(() => {
        window.inbox.missed = 12;
        window.inbox.become("connected");
      }),
  ],
  [
    "a menu of times to snooze until",
    "snooze",
    async (page) => {
      await page.locator(".item").first().hover();
      await page.locator(".snooze").first().click();
      await page.locator("[role=menu]").waitFor();
    },
  ],
  [
    "snoozed ones, right to left",
    "state=arabic&lang=ar&snooze",
    async (page) => {
      await page.locator(".item").first().hover();
      await page.locator(".snooze").first().click();
      await page.locator(".snooze-time").last().click();
      await page.locator(".tab").last().click();
      await page.locator(".until").waitFor();
    },
  ],
  [
    "an expanded group",
    "state=groups",
    async (page) => {
      await page.locator(".group").first().click();
      await page.locator(".inner").first().waitFor();
    },
  ],
  ["a row under the pointer", "", (page) => page.locator(".row").nth(1).hover()],
  ["a row's tool under the pointer", "", (page) => page.locator(".row .tool").nth(1).hover()],
  ["the first action under the pointer", "", (page) => page.locator(".action").first().hover()],
  ["another action under the pointer", "", (page) => page.locator(".action").nth(1).hover()],
  [
    "an action that was used",
    "",
    async (page) => {
      await page.locator(".action").first().click();
      await page.locator(".used").waitFor();
    },
  ],
  [
    "an action with a link that was used, right to left",
    "state=arabic&lang=ar",
    async (page) => {
      await page.evaluate(() => {
        for (const { notification } of window.inbox.items)
          if (notification.actions) window.inbox.used(notification.id, "view");
      });
      await page.locator(".used").waitFor();
    },
  ],
  ["a filter under the pointer", "", (page) => page.locator(".tab").nth(2).hover()],
  [
    "urgent toasts, one below another",
    "toasts",
    async (page) => {
      await page.keyboard.press("Escape");
      await page.evaluate(() => {
        for (const title of ["Urgent", "More urgent"])
          window.inbox.arrive(window.notification(0, { title, body: "Text", priority: "urgent" }));
      });
      await page.locator("[data-below='+1']").waitFor();
    },
  ],
  [
    "an offer to undo, under the pointer",
    "",
    async (page) => {
      await page.keyboard.press("ArrowDown");
      await page.locator(".row .tool").nth(1).click();
      await page.locator(".undo-button").hover();
    },
  ],
  [
    "rows of the page",
    "",
    async (page) => {
      await page.evaluate(() => {
        const inbox = document.querySelector("tidings-inbox");
        if (inbox) inbox.renderItem = ({ notification: { title } }) => `Own ${title}`;
      });
      await page.locator(".bell").click();
      await page.locator(".own").first().hover();
    },
  ],
  [
    "a question before all are archived, its answer under the pointer",
    "state=many",
    async (page) => {
      await page.locator(".archive-all").click();
      await page.locator(".undo-button").hover();
    },
  ],
  [
    "a long text that the reader expanded, its button under the pointer",
    "state=hostile",
    async (page) => {
      await page.locator(".more:visible").first().click();
      await page.locator(".more[aria-expanded=true]").hover();
    },
  ],
  [
    "new notifications above the view",
    "state=many",
    async (page) => {
      await page.locator(".scroller").evaluate((each) => each.scrollTo(0, 1_500));
      await page.evaluate(() => window.inbox.arrive(window.notification(0, { title: "New" })));
      await page.locator(".fresh").waitFor();
    },
  ],
];

const SCHEMES = ["light", "dark"] as const;

/** The faults of one page in each scheme. Another page would show the same scene. */
async function faultsInBoth(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    for (const fault of await faults(page)) found.push(`${colorScheme}: ${fault}`);
  }
  return found;
}

test.each(SCENES)("axe finds nothing in light and in dark: %s", async (_name, query) => {
  const page = await harness.browser.newPage();
  await page.goto(`${harness.url}?${query}`, { waitUntil: "domcontentloaded" });
  if (!query.includes("mode=page")) await page.locator(".bell").click();
  await page.locator(".tab").first().waitFor();
  expect(await faultsInBoth(page)).toEqual([]);
  await page.close();
});

test.each(MOMENTS)("axe finds nothing in light and in dark: %s", async (_name, query, happens) => {
  const page = await harness.browser.newPage();
  await page.goto(`${harness.url}?${query}`, { waitUntil: "domcontentloaded" });
  await page.locator(".bell").click();
  await page.locator(".item").first().waitFor();
  await happens(page);
  expect(await faultsInBoth(page)).toEqual([]);
  await page.close();
});

test.each(SCHEMES)(
  "axe finds nothing in %s: toasts, a focused row, an offer to undo, on a phone",
  async (colorScheme) => {
    const page = await harness.browser.newPage({ colorScheme, viewport: { width: 390, height: 780 } });
    await page.goto(`${harness.url}?toasts`);
    await page.evaluate(() => {
      const { inbox, notification } = window;
      inbox.arrive(notification(0, { title: "Calm", body: "Text", actions: [{ id: "a", label: "Do" }] }));
      inbox.arrive(notification(0, { title: "Urgent", priority: "urgent" }));
    });
    await page.locator(".toast").nth(1).waitFor();
    expect(await faults(page)).toEqual([]);
    await page.locator(".bell").click();
    await page.keyboard.press("ArrowDown");
    await page.locator(".row .tool").nth(1).click();
    await page.locator(".undo").waitFor();
    expect(await faults(page)).toEqual([]);
    await page.close();
  },
);
