/**
 * The cost of the widget for the page, in time of the page's own thread. Other load of the machine does not count.
 */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { BEST } from "../support/best.js";
import { watchFrames } from "./frames.js";
import { visits } from "./visits.js";

const { visit, open } = visits();

/** The duration of a frame at 60 per second, in milliseconds. */
const FRAME = 1_000 / 60;

const SPENT = ["ScriptDuration", "RecalcStyleDuration", "LayoutDuration"];

/** Milliseconds that the page's thread runs scripts, styles and layout for an action. */
async function cost(page: Page, run: () => Promise<unknown>): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const spent = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.reduce((sum, { name, value }) => (SPENT.includes(name) ? sum + value * 1_000 : sum), 0);
  };
  const before = await spent();
  await run();
  const after = await spent();
  await session.detach();
  return after - before;
}

/** Opens the panel and resolves when the first rows were painted. */
const painted = (page: Page) =>
  page.evaluate(async () => {
    const root = document.querySelector("tidings-inbox")?.shadowRoot;
    root?.querySelector<HTMLElement>(".bell")?.click();
    while (!root?.querySelector(".item")) await new Promise(requestAnimationFrame);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  });

test("Of ten thousand items the first paint of the list takes less than 100 ms.", BEST, async () => {
  const page = await visit("state=many");
  const took = await cost(page, () => painted(page));
  expect(took).toBeLessThan(100);
});

test(
  "While a thousand notifications arrive in a second each frame is in time, and changes the list once.",
  BEST,
  async () => {
    const page = await open();
    await page.locator(".item").nth(6).waitFor();
    const most = await watchFrames(page);
    const took = await cost(page, () =>
      page.evaluate(async () => {
        for (let frame = 0; frame < 60; frame++) {
          for (let n = 0; n < 17; n++)
            window.inbox.arrive(window.notification(0, { title: `Number ${frame * 17 + n}` }));
          await new Promise(requestAnimationFrame);
        }
      }),
    );
    expect(took / 60).toBeLessThan(FRAME);
    expect((await most()).changes).toBe(1);
  },
);

test("A thousand notifications at once cost the page a few frames, not a second.", BEST, async () => {
  const page = await open();
  await page.locator(".item").nth(6).waitFor();
  const took = await cost(page, async () => {
    await page.evaluate(async () => {
      for (let n = 0; n < 1_000; n++) window.inbox.arrive(window.notification(0, { title: `Number ${n}` }));
      for (let frames = 0; frames < 10; frames++) await new Promise(requestAnimationFrame);
    });
  });
  expect(took).toBeLessThan(10 * FRAME);
});
