/** Counts the changes of an open list within one frame, and their rows. */

import type { Page } from "playwright-core";

interface Frame {
  changes: number;
  rows: number;
}

declare global {
  interface Window {
    /** By the time of the frame, which all its changes share. */
    changed: Map<unknown, Frame>;
  }
}

/** Starts to watch. The returned function returns the maximum of one frame. */
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
