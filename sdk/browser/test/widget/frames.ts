/** How often the open list of a page changes within one frame, and by how many rows. */

import type { Page } from "playwright-core";

interface Frame {
  changes: number;
  rows: number;
}

declare global {
  interface Window {
    /** By their time, which all that happens in a frame shares. */
    changed: Map<unknown, Frame>;
  }
}

/** Watches from now on; gives back what tells the most that fell into one frame. */
export async function watchFrames(page: Page): Promise<() => Promise<Frame>> {
  await page.evaluate(() => {
    const feed = document.querySelector("tidings-inbox")?.shadowRoot?.querySelector("[role=feed]");
    window.changed = new Map();
    new MutationObserver((records) => {
      const { currentTime } = document.timeline;
      const frame = window.changed.get(currentTime) ?? { changes: 0, rows: 0 };
      frame.changes += 1;
      frame.rows += records.reduce((sum, { addedNodes }) => sum + addedNodes.length, 0);
      window.changed.set(currentTime, frame);
    }).observe(feed as Element, { childList: true });
  });
  return () =>
    page.evaluate(() => {
      const frames = [...window.changed.values()];
      return {
        changes: Math.max(...frames.map(({ changes }) => changes)),
        rows: Math.max(...frames.map(({ rows }) => rows)),
      };
    });
}
