/** The place, the size and the colors of the widget in pages of several kinds, measured in Chromium. */

import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { visits } from "./visits.js";

const { visit: load } = visits();
/** Without the animation of the opening, which moves the panel by some pixels. */
const visit: typeof load = (query, options) => load(query, { reducedMotion: "reduce", ...options });

interface Box {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
  readonly height: number;
}

const box = (page: Page, selector: string): Promise<Box> =>
  page.locator(selector).evaluate((element) => element.getBoundingClientRect().toJSON());

/** Adds a style sheet to the page, as the policy of the page allows. */
const style = (page: Page, css: string) =>
  page.evaluate((text) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    document.adoptedStyleSheets.push(sheet);
  }, css);

/** Puts the bell to a place in the window, and opens it. */
async function openAt(
  page: Page,
  place: string,
  attributes: Record<string, string> = {},
): Promise<[Box, Box]> {
  await style(page, `tidings-inbox{position:fixed;${place}}`);
  await page.evaluate((given) => {
    for (const [name, value] of Object.entries(given))
      document.querySelector("tidings-inbox")?.setAttribute(name, value);
  }, attributes);
  await page.locator(".bell").click();
  await page.locator(".item").nth(6).waitFor();
  return [await box(page, ".bell"), await box(page, ".panel")];
}

const overlap = (one: Box, other: Box) =>
  one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
const closeShows = (page: Page) => page.locator(".head .close").isVisible();

describe("The panel is beside its bell and inside the window:", () => {
  test.each([
    ["a usual laptop", 1366, 625, "top:8px;right:16px", "below"],
    ["a zoom of 200 %", 640, 400, "top:8px;right:16px", "below"],
    ["the end of a sidebar", 1280, 900, "bottom:12px;left:12px", "above"],
    ["the middle of a window", 1280, 900, "top:500px;left:300px", "above"],
    ["a high window", 900, 1500, "top:760px;right:20px", "below"],
  ])("%s.", async (_, width, height, place, side) => {
    const page = await visit("", { viewport: { width, height } });
    const [bell, panel] = await openAt(page, place);
    expect(overlap(bell, panel)).toBe(false);
    expect(side === "below" ? panel.top - bell.bottom : bell.top - panel.bottom).toBeCloseTo(8, 0);
    expect(panel.top).toBeGreaterThanOrEqual(8);
    expect(panel.bottom).toBeLessThanOrEqual(height - 8);
    expect(panel.left).toBeGreaterThanOrEqual(8);
    expect(panel.right).toBeLessThanOrEqual(width - 8);
    expect(panel.height).toBeGreaterThanOrEqual(280);
    expect(await closeShows(page)).toBe(false);
  });

  test("a low and wide window, where it is at the side of the bell.", async () => {
    const page = await visit("", { viewport: { width: 900, height: 300 } });
    const [bell, panel] = await openAt(page, "top:130px;right:16px");
    expect(overlap(bell, panel)).toBe(false);
    expect(panel.right).toBeLessThanOrEqual(bell.left);
  });

  test("a window without room on any side, where it covers the bell and shows a button that closes it.", async () => {
    const page = await visit("", { viewport: { width: 500, height: 300 } });
    const [bell, panel] = await openAt(page, "top:130px;left:230px");
    expect(overlap(bell, panel)).toBe(true);
    expect(await closeShows(page)).toBe(true);
    // The second click of a double click on the bell is for nothing.
    await page.waitForTimeout(450);
    await page.locator(".head .close").click();
    await page.locator(".panel:popover-open").waitFor({ state: "detached" });
  });

  test.each([
    [
      "top",
      "top:420px;left:500px",
      (bell: Box, panel: Box) => [bell.top - panel.bottom, panel.right - bell.right],
    ],
    [
      "top-start",
      "top:420px;left:300px",
      (bell: Box, panel: Box) => [bell.top - panel.bottom, panel.left - bell.left],
    ],
    [
      "bottom-start",
      "top:500px;left:300px",
      (bell: Box, panel: Box) => [panel.top - bell.bottom, panel.left - bell.left],
    ],
    [
      "bottom-end",
      "top:500px;left:500px",
      (bell: Box, panel: Box) => [panel.top - bell.bottom, panel.right - bell.right],
    ],
  ] as const)(
    "with the placement %s, also where the other side has more room.",
    async (placement, place, gaps) => {
      const page = await visit("", { viewport: { width: 1280, height: 900 } });
      const [bell, panel] = await openAt(page, place, { placement });
      expect(gaps(bell, panel).map(Math.round)).toEqual([8, 0]);
    },
  );
});

test("A double click on a bell that its panel covers leaves the panel open.", async () => {
  const page = await visit("", { viewport: { width: 390, height: 700 } });
  await page.locator(".bell").hover();
  await page.locator(".tab").first().waitFor({ state: "attached" });
  await page.locator(".bell").dblclick();
  await page.waitForTimeout(100);
  expect(await page.locator(".panel:popover-open").count()).toBe(1);
});

test("The panel is as high as its rows, at least 280 pixels, and a shorter filter does not move its controls.", async () => {
  const page = await visit("state=empty", { viewport: { width: 1280, height: 900 } });
  await page.locator(".bell").click();
  await page.locator("[part=empty]").waitFor();
  expect((await box(page, ".panel")).height).toBe(280);
  await page.evaluate(() => {
    for (let n = 0; n < 30; n++) window.inbox.arrive(window.notification(0, { title: `Number ${n}` }));
  });
  await expect.poll(async () => (await box(page, ".panel")).height).toBe(600);
  await page.locator("#archived").click();
  await page.locator("[part=empty]").waitFor();
  expect((await box(page, ".panel")).height).toBe(600);
});

describe("mode=page has its rows in view", () => {
  test.each([
    ["without a height around it", "#home:has([mode=page]){height:auto}", 560, 560],
    ["in a box of a height", "#home:has([mode=page]){height:420px}", 420, 420],
    [
      "in a column that stretches it",
      "#home:has([mode=page]){height:700px;display:flex;flex-direction:column}",
      700,
      700,
    ],
    ["with its custom property", "tidings-inbox{--tidings-height:500px}", 500, 500],
  ])("%s.", async (_, css, least, most) => {
    const page = await visit("mode=page", { viewport: { width: 1000, height: 800 } });
    await style(page, css);
    await page.locator(".item").nth(6).waitFor();
    const { height } = await box(page, "tidings-inbox");
    expect(height).toBeGreaterThanOrEqual(least);
    expect(height).toBeLessThanOrEqual(most);
    const stage = await box(page, ".stage");
    expect(stage.height).toBeGreaterThan(280);
    const inside = await page.locator(".item").evaluateAll(
      (all, { top, bottom }) =>
        all.filter((each) => {
          const at = each.getBoundingClientRect();
          return at.bottom > top && at.top < bottom;
        }).length,
      stage,
    );
    expect(inside).toBeGreaterThan(2);
  });
});

/** The contrast of two colors, as WCAG computes it. */
function contrast(one: number[], other: number[]): number {
  const luminance = (color: number[]) => {
    const [red = 0, green = 0, blue = 0] = color
      .map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const LIGHT = ":root{color-scheme:light}body,header{background:#fff;color:#16181d}";
const BARE = ":root{color-scheme:normal}body,header{background:#fff;color:#16181d}";
const DARK = ":root{color-scheme:dark}body,header{background:#111216;color:#eceef2}";

describe("Bell and panel have the scheme of the page, whatever that of the system:", () => {
  test.each([
    ["a light page, a dark system", LIGHT, "dark", "", "light"],
    ["a page without a scheme, a dark system", BARE, "dark", "", "light"],
    ["a dark page, a light system", DARK, "light", "", "dark"],
    ["a light page that asks for the system's", LIGHT, "dark", "auto", "dark"],
    ["a dark page that asks for light", DARK, "dark", "light", "light"],
  ] as const)("%s.", async (_, css, colorScheme, theme, expected) => {
    const page = await visit(theme && `theme=${theme}`, { colorScheme });
    await style(page, css);
    await page.locator(".bell").click();
    await page.locator(".item").first().waitFor();
    const colors = await page.evaluate(() => {
      const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      const read = (color: string) => {
        if (!canvas) return [];
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
      };
      const of = (selector: string) =>
        getComputedStyle(
          document.querySelector("tidings-inbox")?.shadowRoot?.querySelector(selector) as Element,
        );
      return {
        header: read(getComputedStyle(document.querySelector("header") as Element).backgroundColor),
        bell: read(of(".bell").color),
        panel: read(of(".panel").backgroundColor),
        text: read(of(".item .title").color),
      };
    });
    expect(contrast(colors.bell, colors.header)).toBeGreaterThan(4.5);
    expect(contrast(colors.text, colors.panel)).toBeGreaterThan(4.5);
    expect(contrast(colors.panel, [255, 255, 255]) > 4.5 ? "dark" : "light").toBe(expected);
  });
});

test("No separator begins a line of time and category, and text of the foot is clear of the corners.", async () => {
  const page = await visit("mode=page&width=280");
  await page.locator(".item").first().waitFor();
  await page.evaluate(() => {
    window.inbox.arrive(
      window.notification(95, {
        title: "Long",
        category: "orders.delivery.in_transit.late",
        priority: "urgent",
      }),
    );
    const foot = document.createElement("a");
    foot.slot = "foot";
    foot.textContent = "All settings";
    document.querySelector("tidings-inbox")?.append(foot);
  });
  await page.locator(".meta").nth(7).waitFor();
  const starts = await page.locator(".meta").evaluateAll((all) =>
    all.map((meta) => {
      const edge = meta.getBoundingClientRect().left + 14;
      return [...meta.children].map((child) => child.getBoundingClientRect().left + 14 - edge);
    }),
  );
  // The separator of a part is left of it: that of a part at the start of a line is in the clipped 14 pixels.
  for (const line of starts) expect(Math.min(...line)).toBe(0);
  expect(
    await page
      .locator(".meta")
      .first()
      .evaluate((meta) => getComputedStyle(meta).clipPath),
  ).toContain("14px");
  const [foot, text] = [await box(page, "tidings-inbox"), await box(page, "[slot=foot]")];
  const padding = await page.locator("[slot=foot]").evaluate((each) => {
    const { paddingLeft, paddingBottom } = getComputedStyle(each);
    return [paddingLeft, paddingBottom].map(Number.parseFloat);
  });
  expect(Math.min(...padding)).toBeGreaterThanOrEqual(10);
  expect(text.bottom).toBeLessThanOrEqual(foot.bottom);
});

test.each([
  ["below", "top:8px;right:16px", (bell: Box, panel: Box) => panel.top - bell.bottom],
  ["above", "bottom:12px;left:12px", (bell: Box, panel: Box) => bell.top - panel.bottom],
])(
  "The panel %s its bell has the offset that the page gives, and is inside the window.",
  async (_, place, gap) => {
    const page = await visit("", { viewport: { width: 1280, height: 720 } });
    const [bell, panel] = await openAt(page, place, { offset: "20" });
    expect(gap(bell, panel)).toBe(20);
    expect(panel.top).toBeGreaterThanOrEqual(8);
    expect(panel.bottom).toBeLessThanOrEqual(712);
  },
);
