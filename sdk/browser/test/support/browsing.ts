import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { Chromium, Site } from "./browser.js";
import type { Application } from "./server.js";

/** A Chromium for the tests of a file, with pages of an application. */
export class Browsing {
  readonly chromium = new Chromium();
  readonly site: Site;
  readonly #pages: Page[] = [];

  /** Create it at the top of a test file. It starts before the tests, and closes their pages after each test. */
  constructor(application: Application) {
    this.site = new Site(application);
    beforeAll(async () => {
      await Promise.all([this.site.start(), this.chromium.start()]);
    });
    afterEach(async () => {
      await Promise.all(this.#pages.splice(0).map((page) => page.close()));
    });
    afterAll(async () => {
      await Promise.all([this.site.stop(), this.chromium.stop()]);
    });
  }

  /** A page of a user, connected. */
  async tab(user: string, how: Parameters<Site["address"]>[1] = {}): Promise<Page> {
    const page = await this.empty();
    await page.goto(this.site.address(user, how));
    await until(page, () => tidings.status === "connected");
    return page;
  }

  /** Two tabs of a user: the leader and the following tab. */
  async pair(user: string, how: Parameters<Site["address"]>[1] = {}): Promise<[Page, Page]> {
    const pages = [await this.tab(user, how), await this.tab(user, how)];
    return (await leaderFirst(pages)) as [Page, Page];
  }

  async empty(): Promise<Page> {
    const page = await this.chromium.context.newPage();
    this.#pages.push(page);
    return page;
  }
}

/** Polls, because a hidden page paints no frames to wait for. */
export async function until(page: Page, holds: () => boolean): Promise<void> {
  await expect.poll(() => page.evaluate(holds), { interval: 20, timeout: 5_000 }).toBe(true);
}

/** The leader, then the other pages. On a busy machine the first page need not be the leader. */
export async function leaderFirst(pages: readonly Page[]): Promise<Page[]> {
  let led: boolean[] = [];
  await expect
    .poll(async () => {
      led = await Promise.all(pages.map((page) => page.evaluate(() => tidings.leads)));
      return led.filter(Boolean).length;
    })
    .toBe(1);
  return [...pages.filter((_, n) => led[n]), ...pages.filter((_, n) => !led[n])];
}

export const titles = (page: Page) => page.evaluate(() => globalThis.titles);
export const unread = (page: Page) => page.evaluate(() => tidings.counts?.unread);
