/** Missed notifications: shown with their number, also in a panel that opens later, until the reader dismisses it. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { focused, visits } from "./visits.js";

const { visit, open } = visits();

/** Emits a gap as the real client does: it counts before it emits. */
const lose = (page: Page, missed: number | null) =>
  page.evaluate((lost) => {
    window.inbox.missed = lost;
    window.inbox.emit("gap", {
      type: "gap",
      log: "user",
      from: 1,
      to: 5,
      missed: lost,
      reason: lost === null ? "epoch" : "expired",
    });
  }, missed);
const said = (page: Page) => page.locator("[part=missed] p").textContent();

test.each([
  ["en", 1, "1 older notification is no longer available"],
  ["en", 1_234, "1,234 older notifications are no longer available"],
  ["de", 2, "2 ältere Benachrichtigungen sind nicht mehr verfügbar"],
  ["es", 5, "5 notificaciones anteriores ya no están disponibles"],
  ["fr", 1, "1 notification plus ancienne n’est plus disponible"],
  ["ar", 2, "إشعاران قديمان لم يعودا متاحين"],
  ["ar", 3, "3 إشعارات قديمة لم تعد متاحة"],
  ["ar", 11, "11 إشعارًا قديمًا لم تعد متاحة"],
  ["zh", 7, "7 条较早的通知已无法查看"],
  ["ja", 7, "古い通知 7 件は表示できなくなりました"],
] as const)("in %s the number %d has its plural form.", async (lang, missed, text) => {
  const page = await open(`lang=${lang}`);
  await lose(page, missed);
  await expect.poll(() => said(page)).toBe(text);
});

test("An unknown number is shown as a text without a number.", async () => {
  const page = await open();
  await lose(page, null);
  await expect.poll(() => said(page)).toBe("Some older notifications are no longer available");
});

test("A panel that opens later shows it until it is dismissed by key, and focus stays inside.", async () => {
  const page = await visit();
  await lose(page, 3);
  await page.locator(".bell").click();
  await expect.poll(() => said(page)).toBe("3 older notifications are no longer available");
  const described = await page.evaluate(() => {
    const root = document.querySelector("tidings-inbox")?.shadowRoot;
    const panel = root?.querySelector("[role=dialog]");
    return root?.getElementById(panel?.getAttribute("aria-describedby") ?? "")?.textContent;
  });
  expect(described).toBe("3 older notifications are no longer available");
  await page.keyboard.press("Escape");
  await page.locator(".bell").click();
  await page.locator(".dismiss").focus();
  await page.keyboard.press("Enter");
  await page.locator("[part=missed]").waitFor({ state: "hidden" });
  expect(await page.evaluate(() => window.inbox.missed)).toBeUndefined();
  await expect.poll(() => focused(page)).toContain("ana mentioned you");
  await page.keyboard.press("Escape");
  await page.locator(".bell").click();
  await page.locator(".item").first().waitFor();
  expect(await said(page)).toBe("");
});

test("It is announced once, at any change of the connection.", async () => {
  const page = await open();
  await page.evaluate(() => {
    const region = document.querySelector("tidings-inbox")?.shadowRoot?.getElementById("missed");
    Object.assign(window, { changes: 0 });
    new MutationObserver((records) => {
      (window as unknown as { changes: number }).changes += records.length;
    }).observe(region as Element, { childList: true, characterData: true, subtree: true });
  });
  await lose(page, 3);
  await expect.poll(() => said(page)).toBe("3 older notifications are no longer available");
  for (const status of ["offline", "connecting", "connected"] as const)
    await page.evaluate((each) => window.inbox.become(each), status);
  await page.locator("[part=strip]").waitFor({ state: "hidden" });
  expect(await page.evaluate(() => (window as unknown as { changes: number }).changes)).toBe(1);
});

test("The page's own texts have plural forms by their keys, and one form is enough.", async () => {
  const page = await open("lang=nl");
  await page.evaluate(() => {
    const element = document.querySelector("tidings-inbox");
    if (element) element.messages = { missed_other: "{count} weg", missed_one: "Eén weg" };
    element?.open();
  });
  await page.evaluate(() => document.querySelector("tidings-inbox")?.open());
  await lose(page, 1);
  await expect.poll(() => said(page)).toBe("Eén weg");
  await lose(page, 4);
  await expect.poll(() => said(page)).toBe("4 weg");
  await page.evaluate(() => {
    const element = document.querySelector("tidings-inbox");
    if (element) element.messages = { missed: "Iets is weg" };
  });
  await page.evaluate(() => document.querySelector("tidings-inbox")?.open());
  await expect.poll(() => said(page)).toBe("Iets is weg");
});

test("After gaps of another epoch the list is loaded again once, for any number of logs.", async () => {
  const page = await open();
  await page.locator(".item").first().waitFor();
  const lists = await page.evaluate(() => window.inbox.lists.length);
  for (let log = 0; log < 3; log++) await lose(page, null);
  await page.evaluate(() => window.inbox.emit("state", { items: [], reload: true, optimistic: false }));
  await expect.poll(() => page.evaluate(() => window.inbox.lists.length)).toBe(lists + 1);
});

test("An expired notification leaves the list, and one that was listed after its expiry stays.", async () => {
  const page = await visit("state=empty");
  await page.evaluate(() => {
    const ends = (seconds: number) => new Date(Date.now() + seconds * 1_000).toISOString();
    const { inbox, notification } = window;
    inbox.items = [
      notification(1, { title: "Lasts", expires_at: ends(3_000_000) }),
      notification(2, { title: "Ends", expires_at: ends(1.5) }),
      notification(3, { title: "By a clock ahead", expires_at: ends(-60) }),
    ];
  });
  await page.locator(".bell").click();
  const titles = () => page.locator(".title").allTextContents();
  await expect.poll(titles).toEqual(["Lasts", "Ends", "By a clock ahead"]);
  await expect.poll(titles, { timeout: 5_000 }).toEqual(["Lasts", "By a clock ahead"]);
  expect(await page.evaluate(() => window.inbox.lists.length)).toBe(1);
});
