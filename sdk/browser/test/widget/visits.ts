/** Pages with the widget in one of its states, for the tests of a file. */

import type { BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll } from "vitest";
import { start } from "./harness.mjs";

export interface Visits {
  /** Opens the page of a state, such as `state=many&lang=ar`. `before` gets the empty page first. Each test closes its pages. */
  visit(
    query?: string,
    options?: BrowserContextOptions,
    before?: (page: Page) => Promise<unknown>,
  ): Promise<Page>;
  /** The same with the panel open. */
  open(query?: string, options?: BrowserContextOptions): Promise<Page>;
  /** The errors of the page, including refusals by its policy. */
  readonly complaints: string[];
}

export function visits(path = ""): Visits {
  let harness: Awaited<ReturnType<typeof start>>;
  const pages: Page[] = [];
  const complaints: string[] = [];
  beforeAll(async () => {
    harness = await start();
  });
  afterAll(() => harness?.stop());
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.close();
  });

  async function visit(
    query = "",
    options: BrowserContextOptions = {},
    before: (page: Page) => Promise<unknown> = async () => undefined,
  ): Promise<Page> {
    complaints.length = 0;
    const page = await harness.browser.newPage(options);
    pages.push(page);
    page.on("console", (message) => {
      if (message.text().includes("Content Security Policy")) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    await before(page);
    await page.goto(`${harness.url}${path}?${query}`, { waitUntil: "domcontentloaded" });
    return page;
  }

  async function open(query = "", options: BrowserContextOptions = {}): Promise<Page> {
    const page = await visit(query, options);
    await page.locator(".bell").click();
    await page.locator(".tab").first().waitFor();
    return page;
  }

  return { visit, open, complaints };
}

/** The text or class of the focused element, inside or outside the widget. */
export function focused(page: Page): Promise<string | undefined> {
  return page.evaluate(() => {
    let element = document.activeElement;
    while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    return element?.ariaLabel || element?.textContent || element?.className;
  });
}
