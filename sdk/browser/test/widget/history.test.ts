/** The history in the list: older rows with their last state, which nothing of the widget changes. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { visits } from "./visits.js";

const { open, visit, complaints } = visits();

const marks = (page: Page) => page.evaluate(() => window.inbox.marks);
const past = (page: Page) => page.locator(".past");

/** The ids of the items from the history, and of the others. */
function ids(page: Page): Promise<[past: string[], live: string[]]> {
  return page.evaluate(() => {
    const of = (old: boolean) =>
      window.inbox.items
        .filter((item) => !!item.archived_copy === old)
        .map(({ notification }) => notification.id);
    return [of(true), of(false)];
  });
}

test("Rows of the history have no tools and no actions, but show the action that was used.", async () => {
  const page = await open("state=history");
  await past(page).nth(2).waitFor();
  expect(await past(page).count()).toBe(3);
  for (const row of await past(page).all()) {
    await row.hover();
    expect(await row.locator(".tool:visible").count()).toBe(0);
  }
  expect(await past(page).locator(".action:visible").allTextContents()).toEqual(["Done: Approve"]);
  const [, live] = await ids(page);
  const first = page.locator(".item:not(.past)").first();
  await first.hover();
  expect(await first.locator(".tool:visible").count()).toBe(2);
  expect(await page.locator(".item:not(.past)").count()).toBe(live.length);
});

test("A row of the history opens by its link, and is not marked: neither as seen nor as read.", async () => {
  const page = await open("state=history");
  await past(page).nth(2).waitFor();
  const [old, live] = await ids(page);
  await page.evaluate(() =>
    document.querySelector("tidings-inbox")?.addEventListener("tidings-open", (event) => {
      event.preventDefault();
      document.title = `opened ${(event as CustomEvent).detail.item.notification.title}`;
    }),
  );
  // All rows are in view: those that are not of the history become seen.
  await expect.poll(async () => (await marks(page)).length).toBe(1);
  const [row] = [past(page).first()];
  expect(await row.locator("a.open").getAttribute("href")).toBe("/old/1");
  await row.locator(".open").click();
  await expect.poll(() => page.title()).toBe("opened Old and unread");
  const named = (await marks(page)).flatMap(({ what }) => ("ids" in what ? what.ids : []));
  expect(named.filter((id) => old.includes(id))).toEqual([]);
  expect(named.every((id) => live.includes(id))).toBe(true);
  expect(complaints).toEqual([]);
});

test("Mark all as read, and archive all, leave the rows of the history, and undo names none of them.", async () => {
  const page = await open("state=history");
  await past(page).nth(2).waitFor();
  const [old] = await ids(page);
  await page.getByRole("button", { name: "Mark all as read" }).click();
  await page.locator(".undo-button").click();
  await page.getByRole("button", { name: "Archive all" }).click();
  expect(await page.locator(".undo").textContent()).toBe("Archived: 2Undo");
  await expect.poll(() => page.locator(".item").count()).toBe(3);
  expect(await past(page).first().locator(".dot").isVisible()).toBe(true);
  await page.locator(".undo-button").click();
  await expect.poll(() => page.locator(".item").count()).toBe(5);
  const named = (await marks(page)).flatMap(({ what }) => ("ids" in what ? what.ids : []));
  expect(named.filter((id) => old.includes(id))).toEqual([]);
});

test("Scrolling goes on into the history.", async () => {
  const page = await open("state=many");
  await page.evaluate(() => {
    window.inbox.items = window.inbox.items.map((item, index) =>
      index < 60 ? item : { ...item, archived_copy: true },
    );
  });
  await page.locator(".item").first().waitFor();
  await expect
    .poll(async () => {
      await page.locator(".scroller").evaluate((each) => each.scrollTo(0, each.scrollHeight));
      return past(page).count();
    })
    .toBeGreaterThan(5);
});

test("One quiet line at the end says that the history does not answer, until it answers again.", async () => {
  const page = await open("state=history");
  const line = page.locator(".stuck");
  await line.waitFor();
  expect(await line.textContent()).toBe("Couldn’t load older notifications");
  expect(await line.locator("button").count()).toBe(0);
  const row = await page.locator(".item").last().boundingBox();
  const box = await line.boundingBox();
  expect(box && row && box.y >= row.y + row.height).toBe(true);
  await page.evaluate(() => {
    window.inbox.away = false;
    window.inbox.emit("state", { items: [], reload: true, optimistic: false });
  });
  await line.waitFor({ state: "detached" });
});

test.each([
  ["de", "Ältere Benachrichtigungen konnten nicht geladen werden"],
  ["fr", "Échec du chargement des notifications plus anciennes"],
  ["es", "No se pudieron cargar las notificaciones anteriores"],
  ["ja", "以前の通知を読み込めませんでした"],
  ["zh", "无法加载较早的通知"],
  ["ar", "تعذّر تحميل الإشعارات الأقدم"],
])("The line has its text in %s.", async (language, text) => {
  const page = await visit(`state=history&mode=page&lang=${language}`);
  await expect.poll(() => page.locator(".stuck").textContent()).toBe(text);
});
