/** Rows with the content that a function of the page makes. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import type { RenderItem } from "../../src/widget/index.js";
import { focused, visits } from "./visits.js";

const { visit, complaints } = visits();

/** Opens the panel with a function that makes rows, and a sheet of the page that styles them. */
async function open(render: RenderItem, query = "state=usual"): Promise<[Page, string[]]> {
  const lines: string[] = [];
  const page = await visit(query, {}, async (empty) =>
    empty.on("console", (message) => lines.push(message.text())),
  );
  await page.evaluate(`document.querySelector("tidings-inbox").renderItem = ${render}`);
  await page.evaluate(() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(".mine { color: rgb(1, 2, 3); height: 30px }");
    document.adoptedStyleSheets.push(sheet);
  });
  await page.locator(".bell").click();
  await page.locator(".item").nth(6).waitFor();
  return [page, lines];
}

const standard = (page: Page) => page.locator(".item .row:not(.own) .title").count();
const boxes = (page: Page) => page.locator("tidings-inbox > [slot^=item-]").count();

test("Elements, texts and the usual content stand side by side, with the page's styles and no complaint of its policy.", async () => {
  const [page] = await open(({ notification: { title } }) => {
    if (title?.startsWith("ana"))
      return Object.assign(document.createElement("p"), { className: "mine", textContent: title });
    return title?.startsWith("Deploy") ? `<b>${title}</b>` : undefined;
  });
  const own = page.locator("p.mine");
  expect(await own.evaluate((each) => getComputedStyle(each).color)).toBe("rgb(1, 2, 3)");
  expect(await own.isVisible()).toBe(true);
  // A text is no markup.
  expect(await page.locator("tidings-inbox > [slot]").nth(1).textContent()).toBe(
    "<b>Deploy needs your approval</b>",
  );
  expect(await standard(page)).toBe(5);
  expect(complaints).toEqual([]);
});

test("A row keeps its name, keys and tools, and a press on its content opens it, but not one on a control.", async () => {
  const [page] = await open(({ notification: { title }, read_at }) => {
    const box = document.createElement("div");
    const button = Object.assign(document.createElement("button"), { textContent: "Own" });
    button.onclick = () => Object.assign(window, { pressed: title });
    box.append(`${title} ${read_at ? "read" : "new"} `, button);
    return box;
  });
  expect(await standard(page)).toBe(0);
  await page.keyboard.press("ArrowDown");
  expect(await focused(page)).toBe("Unread: ana mentioned you");
  await page.getByRole("button", { name: "Own" }).nth(1).click();
  expect(await page.evaluate("pressed")).toBe("Deploy needs your approval");
  expect(await page.evaluate(() => window.inbox.marks.filter(({ state }) => state === "read"))).toEqual([]);
  await page.getByText("Deploy needs your approval new").click({ position: { x: 5, y: 5 } });
  // The function is called again with the new state.
  await page.getByText("Deploy needs your approval read").waitFor();
  await page.locator(".row").nth(1).hover();
  await page.locator(".row .tool").nth(3).click();
  await expect.poll(() => boxes(page)).toBe(6);
});

test.each<[string, RenderItem]>([
  [
    "throws",
    () => {
      throw new Error("broken");
    },
  ],
  ["returns no content", (() => ({ title: "An object" })) as unknown as RenderItem],
])("A function that %s leaves the usual rows, and one line in the console.", async (_name, render) => {
  const [page, lines] = await open(render);
  expect(await standard(page)).toBe(7);
  expect(lines.filter((line) => line.startsWith("[tidings] renderItem failed"))).toHaveLength(1);
  expect(await boxes(page)).toBe(0);
});

test("Of ten thousand rows the page has the content of those near the view, and none after they are gone.", async () => {
  const [page] = await open(
    ({ notification: { title } }) =>
      Object.assign(document.createElement("p"), { className: "mine", textContent: title }),
    "state=many",
  );
  for (let step = 0; step < 6; step++)
    await page.locator(".scroller").evaluate((each) => each.scrollBy(0, 3_000));
  await expect.poll(() => boxes(page)).toBeLessThan(100);
  await expect.poll(async () => (await boxes(page)) === (await page.locator(".own").count())).toBe(true);
  await page.evaluate(() => window.inbox.become("stopped", "logout"));
  await expect.poll(() => boxes(page)).toBe(0);
});

test("Another function shows at once with the same panel, and none brings the usual rows back.", async () => {
  const [page] = await open(({ notification: { title } }) => `First ${title}`);
  await page.getByText("First ana mentioned you").waitFor();
  await page.evaluate(() => {
    const inbox = document.querySelector("tidings-inbox");
    if (inbox) inbox.renderItem = ({ notification: { title } }) => `Second ${title}`;
  });
  await page.getByText("Second ana mentioned you").waitFor();
  await page.evaluate(() => {
    const inbox = document.querySelector("tidings-inbox");
    if (inbox) inbox.renderItem = undefined;
  });
  await expect.poll(() => boxes(page)).toBe(0);
  await page.locator(".bell").click();
  await expect.poll(() => standard(page)).toBe(7);
});
