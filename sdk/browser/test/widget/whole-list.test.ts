/** The controls for the whole list: each change can be undone, or is confirmed before. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { focused, visits } from "./visits.js";

const { open } = visits();

const count = (page: Page) => page.locator(".item").count();
const marks = (page: Page) => page.evaluate(() => window.inbox.marks.filter(({ state }) => state !== "seen"));
const offer = (page: Page) => page.locator(".undo").textContent();

test("All can be archived, and undo restores exactly these.", async () => {
  const page = await open();
  await page.locator(".item").nth(6).waitFor();
  const [older] = await page.evaluate(() =>
    window.inbox.items.slice(-1).map(({ notification }) => notification.id),
  );
  await page.evaluate((id) => window.inbox.mark("archived", { ids: [id ?? ""] }), older);
  await expect.poll(() => count(page)).toBe(6);
  await page.getByRole("button", { name: "Archive all" }).click();
  await page.locator("[part=empty]").waitFor();
  expect(await offer(page)).toBe("Archived: 6Undo");
  expect(await page.locator(".archive-all").isVisible()).toBe(false);
  await page.locator(".undo-button").click();
  await expect.poll(() => count(page)).toBe(6);
  const [archived, restored] = (await marks(page)).slice(-2);
  expect(archived).toEqual({ state: "archived", what: { all: true } });
  expect(restored).toEqual({ state: "unarchived", what: { ids: expect.not.arrayContaining([older]) } });
});

test("A list that is not loaded as a whole is archived after a question, which has the focus and can be closed.", async () => {
  const page = await open("state=many");
  await page.locator(".item").first().waitFor();
  await page.locator(".archive-all").click();
  expect(await offer(page)).toBe("Archive all notifications?Archive all");
  expect(await focused(page)).toBe("Archive all");
  await page.keyboard.press("Tab");
  expect(await focused(page)).toBe("Close");
  await page.keyboard.press("Enter");
  await page.locator(".undo").waitFor({ state: "detached" });
  expect(await marks(page)).toEqual([]);

  await page.locator(".archive-all").click();
  await page.keyboard.press("Enter");
  await page.locator("[part=empty]").waitFor();
  expect(await marks(page)).toEqual([{ state: "archived", what: { all: true } }]);
  expect(await page.locator(".undo").count()).toBe(0);
});

test("All can be marked as read, and undo restores exactly those that were unread.", async () => {
  const page = await open();
  await page.locator(".item").nth(6).waitFor();
  const unread = await page.evaluate(() =>
    window.inbox.items.filter(({ read_at }) => !read_at).map(({ notification }) => notification.id),
  );
  await page.getByRole("button", { name: "Mark all as read" }).click();
  await expect.poll(() => page.locator(".badge").isVisible()).toBe(false);
  expect(await offer(page)).toBe("You’re all caught upUndo");
  await page.locator(".undo-button").click();
  await expect.poll(() => page.locator(".badge").textContent()).toBe("3");
  expect((await marks(page)).at(-1)).toEqual({ state: "unread", what: { ids: unread } });
});

test.each([
  ["en", 400, true],
  ["en", 280, false],
  ["de", 280, false],
  ["de", 700, true],
])(
  "The button has its words where they fit, else its icon: %s, %i pixels.",
  async (lang, width, hasWords) => {
    const { visit } = { visit: open };
    const page = await visit(`lang=${lang}`, { viewport: { width: Math.max(width + 16, 481), height: 700 } });
    await page.locator("tidings-inbox").evaluate((inbox, width) => {
      (inbox as HTMLElement).style.setProperty("--tidings-width", `${width}px`);
    }, width);
    const inside = (selector: string) =>
      page.locator(selector).evaluate((part) => {
        const [box, button] = [part, part.closest(".mark-all") as Element].map((each) =>
          each.getBoundingClientRect(),
        );
        return box && button
          ? box.top >= button.top && box.bottom <= button.bottom && box.left >= button.left
          : false;
      });
    await expect.poll(() => inside(".mark-all span")).toBe(hasWords);
    expect(await inside(".mark-all svg")).toBe(true);
  },
);
