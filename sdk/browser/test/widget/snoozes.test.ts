/** Snoozing in the widget: the menu of times, its keys, undo, the list of snoozed notifications, and languages. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { times } from "../../src/widget/snoozes.js";
import { focused, visits } from "./visits.js";

const { open, complaints } = visits();

const titles = (page: Page) => page.locator(".item .title").allTextContents();
const snoozes = (page: Page) => page.evaluate(() => window.inbox.snoozes);
const FIRST = "Unread: ana mentioned you";
const snoozing = async (query = "snooze") => {
  const page = await open(query);
  await page.locator(".snooze").first().waitFor({ state: "attached" });
  return page;
};
/** Opens the menu of the first row. */
const choose = async (page: Page) => {
  await page.locator(".item").first().hover();
  await page.locator(".snooze").first().click();
  await page.locator("[role=menu]").waitFor();
};
const days = (page: Page) => page.getByRole("menuitem").allTextContents();

test("The menu has the hour, tomorrow at nine and the next Monday at nine, also over the end of a month or a week.", () => {
  const at = (now: Date) => times(now).map(([, date]) => date.toString().slice(0, 21));
  expect(at(new Date(2026, 10, 29, 23, 30))).toEqual([
    "Mon Nov 30 2026 00:30",
    "Mon Nov 30 2026 09:00",
    "Mon Nov 30 2026 09:00",
  ]);
  expect(at(new Date(2026, 10, 30, 8, 0))).toEqual([
    "Mon Nov 30 2026 09:00",
    "Tue Dec 01 2026 09:00",
    "Mon Dec 07 2026 09:00",
  ]);
});

test("A choice hides the row until its time at once, and undo brings it back.", async () => {
  const page = await snoozing();
  await choose(page);
  expect(await page.locator(".snooze").first().getAttribute("aria-expanded")).toBe("true");
  expect(
    (await days(page)).map((text) => text.replace(/ ?(Mon|Tue|Wed|Thu|Fri|Sat|Sun|[A-Z]\w\w \d).*|\d.*/, "")),
  ).toEqual(["In an hour", "Tomorrow", "Next week"]);
  await page.getByRole("menuitem", { name: "Tomorrow" }).click();
  await expect.poll(async () => (await titles(page))[0]).toBe("Deploy needs your approval");
  await expect.poll(() => page.locator(".badge").textContent()).toBe("2");
  const [{ ids, until } = { ids: [], until: "" }] = await snoozes(page);
  expect(ids).toHaveLength(1);
  const hours = (Date.parse(until ?? "") - Date.now()) / 3_600_000;
  expect(hours).toBeGreaterThan(8.9);
  expect(hours).toBeLessThan(34);
  expect(await page.locator(".undo").textContent()).toMatch(/^Snoozed until \w+ 9:00 AMUndo$/);
  await page.locator(".undo-button").click();
  await expect.poll(async () => (await titles(page))[0]).toBe("ana mentioned you");
  expect((await snoozes(page)).at(-1)).toEqual({ ids, until: null });
  expect(complaints).toEqual([]);
});

test("The menu works by keys: the arrows go around, Escape and Tab close it alone, and the focus returns.", async () => {
  const page = await snoozing();
  await page.keyboard.press("ArrowDown");
  expect(await focused(page)).toBe(FIRST);
  for (let presses = 0; presses < 6 && (await focused(page)) !== "Snooze"; presses += 1)
    await page.keyboard.press("Tab");
  expect(await focused(page)).toBe("Snooze");
  for (const close of ["Escape", "Tab"]) {
    await page.keyboard.press("Enter");
    await page.locator("[role=menu]").waitFor();
    expect(await focused(page)).toMatch(/^In an hour/);
    await page.keyboard.press("ArrowUp");
    expect(await focused(page)).toMatch(/^Next week/);
    await page.keyboard.press("ArrowDown");
    expect(await focused(page)).toMatch(/^In an hour/);
    await page.keyboard.press("End");
    expect(await focused(page)).toMatch(/^Next week/);
    await page.keyboard.press(close);
    await page.locator("[role=menu]").waitFor({ state: "hidden" });
    expect(await focused(page)).toBe("Snooze");
    expect(await page.locator(".panel").isVisible()).toBe(true);
  }
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await expect.poll(async () => (await titles(page))[0]).toBe("Deploy needs your approval");
  // The focus is in the list, on the row that took its place.
  expect(await focused(page)).toBe("Unread: Deploy needs your approval");
  expect(await snoozes(page)).toHaveLength(1);
});

test("A press elsewhere closes the menu, and chooses nothing.", async () => {
  const page = await snoozing();
  await choose(page);
  await page.locator("h2").click();
  await page.locator("[role=menu]").waitFor({ state: "hidden" });
  expect(await snoozes(page)).toEqual([]);
});

test("The tab of snoozed ones has them with their times, ends a snooze, and says if there are none.", async () => {
  const page = await snoozing();
  await page.getByRole("tab", { name: "Snoozed" }).click();
  await expect.poll(() => page.locator("[part=empty]").textContent()).toBe("Nothing snoozed");
  await page.getByRole("tab", { name: "All" }).click();
  await page.locator(".snooze").first().waitFor({ state: "attached" });
  await choose(page);
  await page.getByRole("menuitem", { name: "Next week" }).click();
  await page.getByRole("tab", { name: "Snoozed" }).click();
  await expect.poll(() => titles(page)).toEqual(["ana mentioned you"]);
  expect(await page.locator(".until").textContent()).toMatch(/^Snoozed until .*9:00 AM$/);
  expect(await page.locator(".mark-all").isVisible()).toBe(false);
  await page.locator(".item").first().hover();
  await page.getByRole("button", { name: "Move to inbox now" }).click();
  await expect.poll(() => page.locator("[part=empty]").textContent()).toBe("Nothing snoozed");
  await page.getByRole("tab", { name: "All" }).click();
  await expect.poll(async () => (await titles(page))[0]).toBe("ana mentioned you");
  expect(await page.locator(".until").count()).toBe(0);
});

test("A snooze that fails says so, and can be tried again.", async () => {
  const page = await snoozing();
  await page.evaluate(() => {
    const { snooze } = window.inbox;
    window.inbox.snooze = () => {
      window.inbox.snooze = snooze;
      return Promise.reject(new Error("refused"));
    };
  });
  await choose(page);
  await page.getByRole("menuitem", { name: "Tomorrow" }).click();
  await expect.poll(() => page.locator(".undo").textContent()).toBe("Couldn’t snoozeTry again");
  await page.locator(".undo-button").click();
  await expect.poll(() => snoozes(page)).toHaveLength(1);
});

test("A group is snoozed as a whole.", async () => {
  const page = await snoozing("state=groups&snooze");
  await page.locator(".group").first().waitFor();
  await choose(page);
  await page.getByRole("menuitem", { name: "In an hour" }).click();
  await expect.poll(async () => (await titles(page))[0]).toBe("web 4.12.0 is live");
  expect((await snoozes(page))[0]?.ids).toHaveLength(4);
});

test.each([
  ["de", "Zurückstellen", "Morgen", "Zurückgestellt"],
  ["es", "Posponer", "Mañana", "Pospuestas"],
  ["fr", "Mettre en pause", "Demain", "En pause"],
  ["ar", "تأجيل", "غدًا", "المؤجلة"],
  ["zh", "推迟", "明天", "已推迟"],
  ["ja", "スヌーズ", "明日", "スヌーズ中"],
])("In %s the tool, the menu and the tab are in that language.", async (lang, snooze, tomorrow, tab) => {
  const page = await snoozing(`lang=${lang}&snooze`);
  await choose(page);
  expect(await page.locator(".snooze").first().getAttribute("aria-label")).toBe(snooze);
  expect((await days(page))[1]).toContain(tomorrow);
  expect(await page.locator(".tab").last().textContent()).toContain(tab);
});

test("Without the attribute there is neither tool nor tab.", async () => {
  const page = await open("icons={}");
  await page.locator(".item").nth(6).waitFor();
  expect(await page.locator(".snooze").count()).toBe(0);
  expect(await page.locator(".tab").count()).toBe(3);
});
