/** The page before the script of the widget has loaded, and how far that moves the rest of the page. */

import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, inject, test } from "vitest";
import { launch } from "./harness.mjs";

const { api } = inject("ready");
/** The largest shift that a page may have, in the unit of the Layout Instability API. */
const MOST = 0.02;
let browser: Awaited<ReturnType<typeof launch>>;
let documented: string;

beforeAll(async () => {
  browser = await launch();
  const guide = await readFile(new URL("../../../../docs/browser.md", import.meta.url), "utf8");
  documented = /```css\n([^`]*:not\(:defined\)[^`]*)```/.exec(guide)?.[1] ?? "";
});
afterAll(() => browser?.close());
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});

const HEADER = `<header><b>Acme</b><nav>Orders</nav><tidings-inbox ATTRIBUTES>
<img slot="bell" src="/bell.svg" width="96" height="96" alt=""><a slot="head" href="/settings">Settings</a>
<p slot="empty">Nothing at all</p><a slot="foot" href="/all">All of them</a></tidings-inbox></header>`;
const CSS =
  "body{margin:0;font:15px/1.5 sans-serif}header{display:flex;gap:12px;padding:8px;align-items:center}";

/** Opens a page whose script loads half a second after its first paint. Returns the sum of its shifts. */
async function shifts(css: string, attributes = ""): Promise<[number, Page]> {
  const page = await browser.newPage({ viewport: { width: 900, height: 600 } });
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route("http://shop.test/**", async (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname === "/")
      return route.fulfill({
        contentType: "text/html",
        body: `<!doctype html><style>${CSS}${css}</style><script src="/widget.js" defer></script>
${HEADER.replace("ATTRIBUTES", attributes)}<main><h1>Your orders</h1>${"<p>A line of the page.</p>".repeat(30)}</main>`,
      });
    if (pathname === "/bell.svg")
      return route.fulfill({
        contentType: "image/svg+xml",
        body: "<svg xmlns='http://www.w3.org/2000/svg'/>",
      });
    if (!/m?js$/.test(pathname)) return route.fulfill({ status: 503 });
    if (pathname === "/widget.js") await held;
    return route.fulfill({ response: await route.fetch({ url: api + pathname }) });
  });
  await page.goto("http://shop.test/", { waitUntil: "commit" });
  await page.locator("main p").nth(29).waitFor();
  await page.evaluate(() => {
    const seen = { sum: 0 };
    Object.assign(window, { seen });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) seen.sum += (entry as unknown as { value: number }).value;
    }).observe({ type: "layout-shift", buffered: true });
    return new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)));
  });
  release();
  await page.waitForFunction(() =>
    document.querySelector("tidings-inbox")?.shadowRoot?.querySelector("section"),
  );
  // Shifts are reported after the frame that has them. The panel has loaded by then, and the client, which gets no
  // token, has tried several times.
  await page.evaluate(async () => {
    for (let frames = 0; frames < 120; frames++) await new Promise(requestAnimationFrame);
  });
  return [await page.evaluate(() => (window as unknown as { seen: { sum: number } }).seen.sum), page];
}

const GIVEN = 'url="/api" token-url="/token"';

test.each([
  ["a bell", GIVEN],
  ["an inbox in place", `${GIVEN} mode="page" style="width:100%"`],
])("With the documented lines of CSS nothing moves when the script defines %s.", async (_, attributes) => {
  const [sum] = await shifts(documented, attributes);
  expect(documented).toContain("display");
  expect(sum).toBeLessThan(MOST);
});

test("Without them the content of the slots shows first, and the page moves.", async () => {
  const [sum] = await shifts("", GIVEN);
  expect(sum).toBeGreaterThan(MOST);
});
