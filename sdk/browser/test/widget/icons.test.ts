/** The pictures of rows, and marked text, in Chromium under a policy that allows only the page's own files. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import type { Notification } from "../../src/client/types.js";
import { visits } from "./visits.js";

const { visit, complaints } = visits();

/** Opens the panel with these notifications, and returns the picture of each. */
async function pictures(query: string, all: readonly Partial<Notification>[]): Promise<[Page, string[]]> {
  const requested: string[] = [];
  const page = await visit(`state=empty&${query}`, {}, async (empty) =>
    empty.on("request", (request) => requested.push(request.url())),
  );
  await page.evaluate((all) => {
    for (const [age, fields] of all.entries()) window.inbox.items.push(window.notification(age, fields));
  }, all);
  await page.locator(".bell").click();
  await page
    .locator(".item")
    .nth(all.length - 1)
    .waitFor();
  const found = () =>
    page.locator(".row .icon").evaluateAll((boxes) =>
      boxes.map((box) => {
        const image = box.querySelector("img")?.getAttribute("src");
        return image ?? (box.textContent || box.querySelector("path")?.getAttribute("d")?.slice(0, 9) || "");
      }),
    );
  let last: string[] = [];
  // Until images that are missing have made way.
  await expect
    .poll(async () => {
      const now = await found();
      const same = JSON.stringify(now) === JSON.stringify(last);
      last = now;
      return same;
    })
    .toBe(true);
  return [page, [...last, ...requested.filter((url) => !url.startsWith("http://127.0.0.1"))]];
}

const BELL = "M6 9a6 6 ";
const icons = (icons: object) => `icons=${encodeURIComponent(JSON.stringify(icons))}`;

test("A row has its own image, else that of its data, else the icon of its category, else initials.", async () => {
  const [, found] = await pictures(
    icons({ "orders.": "box", "orders.late": "alert", billing: "/parcel.svg" }),
    [
      { title: "One", icon: "/ana.svg", category: "orders.new" },
      { title: "Two", category: "orders.new", data: { avatar: "/bob.svg" } },
      { title: "Three", data: { actor: { name: "Ana Lee", avatar: "/ana.svg" } } },
      { title: "Four", category: "orders.new", data: { actor: "Ana Lee" } },
      { title: "Five", category: "orders.late" },
      { title: "Six", category: "billing" },
      { title: "Seven", data: { actor: { name: "ana lee" } } },
      { title: "eight" },
      { title: "👋" },
      { title: "Urgent", priority: "urgent" },
    ],
  );
  expect(found).toEqual([
    "/ana.svg",
    "/bob.svg",
    "/ana.svg",
    "m12 3 8 4",
    "M12 3.5 2",
    "/parcel.svg",
    "AL",
    "E",
    BELL,
    "M12 3.5 2",
  ]);
  expect(complaints).toEqual([]);
});

test("No image of the data loads from another origin, and hostile data shows initials.", async () => {
  const [page, found] = await pictures(icons({}), [
    { title: "A", data: { avatar: "https://evil.example/pixel.png" } },
    { title: "B", data: { avatar: "javascript:document.title='taken'" } },
    { title: "C", data: { avatar: "data:image/svg+xml,<svg/>" } },
    { title: "D", data: { avatar: { toString: 1 }, actor: null } },
    { title: "E", data: { actor: ["x"], icon: 7 } },
    { title: "F", data: { avatar: "/missing.png" } },
  ]);
  expect(found).toEqual(["A", "B", "C", "D", "E", "F"]);
  expect(await page.title()).toBe("Acme");
});

test("An origin that the page lists may load, and its policy has the last word.", async () => {
  const [, found] = await pictures(
    `${icons({})}&image-origins=${encodeURIComponent("https://a.example https://cdn.example")}`,
    [
      { title: "A", data: { avatar: "https://cdn.example/a.png" } },
      { title: "B", data: { avatar: "https://cdn.example.evil.example/a.png" } },
    ],
  );
  // The policy of this page refuses the image, so the initials are back.
  expect(found.slice(0, 2)).toEqual(["A", "B"]);
  expect(new Set(found.slice(2))).toEqual(new Set(["https://cdn.example/a.png"]));
  await expect.poll(() => complaints.some((each) => each.includes("cdn.example/a.png"))).toBe(true);
  expect(complaints.filter((each) => each.includes("evil"))).toEqual([]);
});

test("Without icons rows are as usual, and an unknown name is named in the console.", async () => {
  const [, usual] = await pictures("", [{ title: "One", data: { avatar: "/ana.svg" } }]);
  expect(usual).toEqual([BELL]);
  const lines: string[] = [];
  const page = await visit(icons({ "orders.": "parcel" }), {}, async (empty) =>
    empty.on("console", (message) => lines.push(message.text())),
  );
  await page.locator(".bell").click();
  await page.locator(".item").first().waitFor();
  expect(lines.filter((line) => line.startsWith("[tidings] icons has no icon"))).toHaveLength(1);
});

test("Marked text has its elements, also expanded; a press on a link marks as read; and hostile text is text.", async () => {
  const page = await visit("state=marked&markdown");
  await page.locator(".bell").click();
  await page.locator(".item").nth(3).waitFor();
  const body = (title: string) => page.locator(".item", { hasText: title }).locator(".body");
  expect(await body("Deploy of").locator("strong, code, em, a").allTextContents()).toEqual([
    "migrate",
    "alembic upgrade head",
    "Nothing was changed.",
    "the log",
  ]);
  expect(await body("Plain").locator("*").count()).toBe(0);
  expect(await body("Hostile").locator("*").allTextContents()).toEqual(["<b>bold</b>"]);
  const more = page.locator(".item", { hasText: "Hostile" }).locator(".more");
  await more.click();
  await expect.poll(() => more.textContent()).toBe("Show less");
  expect(await body("Hostile").locator("*").allTextContents()).toEqual(["<b>bold</b>"]);
  await page.evaluate(() => {
    document.addEventListener("click", (event) => event.preventDefault(), { capture: true });
  });
  await body("Review").locator("a").click();
  await expect
    .poll(() => page.evaluate(() => window.inbox.marks.filter(({ state }) => state === "read").length))
    .toBe(1);
  expect(await page.title()).toBe("Acme");
  expect(complaints).toEqual([]);
});
