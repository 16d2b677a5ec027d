/** Groups: consecutive notifications with the same key are one row, which can be expanded. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { focused, visits } from "./visits.js";

const { open, visit, complaints } = visits();

const titles = (page: Page) => page.locator(".item .title").allTextContents();
const controls = (page: Page) => page.locator(".group").allTextContents();
const marks = (page: Page, ...states: string[]) =>
  page.evaluate(
    (states) =>
      window.inbox.marks
        .filter(({ state }) => states.includes(state))
        .map(({ state, what }) => ({ state, ids: "ids" in what ? what.ids.length : undefined })),
    states,
  );
const ROWS = [
  "Unread: Maria commented on “Roadmap”",
  "Unread: web 4.12.0 is live",
  "Unread: Tom commented on “Roadmap”",
  "Unread: Maria commented on “Budget”",
  "Unread: Bot commented on “Budget”",
];
const rows = (page: Page) => page.locator(".item .open").allTextContents();
const grouped = async (query = "state=groups") => {
  const page = await open(query);
  await page.locator(".group").first().waitFor();
  return page;
};

test("Neighbours of one key, log and category are one row with the newest title and their number.", async () => {
  const page = await grouped();
  expect(await rows(page)).toEqual(ROWS);
  expect(await controls(page)).toEqual(["and 3 more", "and 1 more"]);
  expect(await page.locator(".item").first().getAttribute("aria-setsize")).toBe("5");
  // Each notification still counts.
  expect(await page.locator(".badge").textContent()).toBe("8");
  expect(complaints).toEqual([]);
});

test("A group is expanded to its single rows and back, by the pointer and by keys, and keeps the focus.", async () => {
  const page = await grouped();
  const control = page.locator(".group").first();
  expect(await control.getAttribute("aria-expanded")).toBe("false");
  await control.click();
  await expect.poll(() => titles(page)).toHaveLength(8);
  expect((await titles(page)).slice(0, 4)).toEqual(
    ["Maria", "Tom", "Ana", "Li"].map((who) => `${who} commented on “Roadmap”`),
  );
  expect(await page.locator(".inner").count()).toBe(3);
  expect(await control.getAttribute("aria-expanded")).toBe("true");
  expect(await focused(page)).toBe("Show less");
  await page.keyboard.press("Enter");
  await expect.poll(() => titles(page)).toHaveLength(5);
  expect(await focused(page)).toBe("and 3 more");
  await page.keyboard.press("ArrowDown");
  expect(await focused(page)).toBe("Unread: web 4.12.0 is live");
  await page.keyboard.press("Home");
  for (let presses = 0; presses < 4 && (await focused(page)) !== "and 3 more"; presses += 1)
    await page.keyboard.press("Tab");
  expect(await focused(page)).toBe("and 3 more");
});

test("A mark of the row applies to all of its notifications, and undo restores all of them.", async () => {
  const page = await grouped();
  const first = page.locator(".item").first();
  await first.hover();
  await first.getByRole("button", { name: "Mark as read" }).click();
  await expect.poll(() => page.locator(".badge").textContent()).toBe("5");
  expect((await marks(page, "read")).at(-1)).toEqual({ state: "read", ids: 4 });
  await first.getByRole("button", { name: "Mark as unread" }).click();
  await expect.poll(() => page.locator(".badge").textContent()).toBe("9");
  await first.getByRole("button", { name: "Archive" }).click();
  await expect.poll(() => rows(page)).toEqual(ROWS.slice(1));
  await page.locator(".undo-button").click();
  await expect.poll(() => rows(page)).toEqual(ROWS);
  expect(await marks(page, "archived", "unarchived")).toEqual([
    { state: "archived", ids: 4 },
    { state: "unarchived", ids: 4 },
  ]);
});

test("Opening the row opens the newest, and reads all of them.", async () => {
  const page = await grouped();
  await page.evaluate(() =>
    document.addEventListener("tidings-open", (event) => {
      event.preventDefault();
      document.title = (event as CustomEvent).detail.item.notification.title;
    }),
  );
  await page.locator(".open").first().click();
  await expect.poll(() => page.title()).toBe("Maria commented on “Roadmap”");
  await expect.poll(() => page.evaluate(() => window.inbox.counts.unread)).toBe(5);
});

test("A notification in view is seen with all of its group, and one of an expanded group alone is marked alone.", async () => {
  const page = await grouped();
  await expect.poll(() => page.evaluate(() => window.inbox.counts.unseen)).toBe(0);
  await page.locator(".group").first().click();
  await expect.poll(() => titles(page)).toHaveLength(8);
  const second = page.locator(".item").nth(1);
  await second.hover();
  await second.getByRole("button", { name: "Mark as read" }).click();
  await expect.poll(() => page.locator(".badge").textContent()).toBe("7");
  await page.locator(".group").first().click();
  // Unread, because one of them is.
  await expect.poll(() => rows(page)).toEqual(ROWS);
});

test("A group that arrives, grows or shrinks while the list is open follows, and its number is right.", async () => {
  const page = await open("state=usual");
  await page.locator(".item").nth(6).waitFor();
  const arrive = (title: string) =>
    page.evaluate(
      (title) => window.inbox.arrive(window.notification(0, { title, group_key: "parcel" })),
      title,
    );
  await arrive("First");
  await arrive("Second");
  await expect.poll(() => controls(page)).toEqual(["and 1 more"]);
  await arrive("Third");
  await expect.poll(() => controls(page)).toEqual(["and 2 more"]);
  expect((await titles(page))[0]).toBe("Third");
  await page.locator(".group").click();
  await expect.poll(() => page.locator(".inner").count()).toBe(2);
  await arrive("Fourth");
  await expect.poll(() => page.locator(".inner").count()).toBe(3);
  for (const title of ["Fourth", "Second"])
    await page.evaluate((title) => {
      const found = window.inbox.items.find(({ notification }) => notification.title === title);
      window.inbox.recall(found?.notification.id ?? "");
    }, title);
  await expect
    .poll(async () => (await titles(page)).slice(0, 3))
    .toEqual(["Third", "First", "ana mentioned you"]);
  await page.locator(".group").click();
  await expect.poll(() => controls(page)).toEqual(["and 1 more"]);
});

test("Archive all names the notifications, not the rows.", async () => {
  const page = await grouped();
  await page.locator(".archive-all").click();
  expect(await page.locator(".undo").textContent()).toBe("Archived: 9Undo");
  await page.locator(".undo-button").click();
  await expect.poll(() => rows(page)).toEqual(ROWS);
});

test("Groups work with rows of the page, with tabs, and in the tab of archived ones.", async () => {
  const page = await grouped(`state=groups&tabs=${encodeURIComponent('[{"category":"Comments"}]')}`);
  await page.evaluate(() => {
    const inbox = document.querySelector("tidings-inbox");
    if (inbox) inbox.renderItem = ({ notification: { title } }) => `Own ${title}`;
  });
  await page.locator(".bell").click();
  await page.locator(".own").first().waitFor();
  await page.locator(".group").first().waitFor();
  expect(await controls(page)).toEqual(["and 3 more", "and 1 more"]);
  expect(await page.locator(".group").first().isVisible()).toBe(true);
  await page.getByRole("tab", { name: "Comments" }).click();
  // Without the deployment between them, all of one document are neighbours.
  await expect.poll(() => controls(page)).toEqual(["and 4 more", "and 1 more"]);
  await page.evaluate(() => window.inbox.mark("archived", { all: true }));
  await page.getByRole("tab", { name: "Archived" }).click();
  await expect.poll(() => controls(page)).toEqual(["and 3 more", "and 1 more"]);
  await page.locator(".item").first().hover();
  await page.locator(".item").first().getByRole("button", { name: "Move to inbox" }).click();
  await expect.poll(() => page.evaluate(() => window.inbox.counts.unread)).toBe(3);
  expect(complaints).toEqual([]);
});

test.each([
  ["de", "und 3 weitere"],
  ["es", "y 3 más"],
  ["fr", "et 3 de plus"],
  ["ar", "و٣ غيرها"],
  ["zh", "及其他 3 条"],
  ["ja", "ほか 3 件"],
])("In %s the control says %s.", async (lang, text) => {
  const page = await visit(`state=groups&mode=page&lang=${lang}`);
  const control = page.locator(".group").first();
  await control.waitFor();
  const said = await control.textContent();
  expect(said?.replace("3", "٣")).toBe(text.replace("3", "٣"));
});
