/** The sound: heard once for what is new, on the tab that leads, and never before the reader touched the page. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { visits } from "./visits.js";

const { visit } = visits();

/** Counts the notes that the page plays, each with its pitch, without keeping any from being played. */
async function listen(page: Page): Promise<() => Promise<number[]>> {
  await page.evaluate(() => {
    const notes: number[] = [];
    Object.assign(window, { notes });
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...when) {
      notes.push(this.frequency.value);
      start.apply(this, when);
    };
  });
  return () => page.evaluate(() => (window as unknown as { notes: number[] }).notes);
}

/** Lets something come in and the time of a sound pass: an urgent one is heard at last. */
async function arrive(page: Page, priority: string, replayed = false): Promise<void> {
  await page.evaluate(
    ([kind, late]) => {
      const item = window.notification(0, { title: kind, priority: kind });
      window.inbox.emit("notification", { item, replayed: late });
    },
    [priority, replayed] as const,
  );
}

const CHIME = [660, 880];

test("Two elements of a page chime once for what comes in, after a touch.", async () => {
  const page = await visit("state=empty&sound&toasts-beside");
  await page.evaluate(() => document.querySelector("tidings-toasts")?.setAttribute("sound", ""));
  const notes = await listen(page);
  await page.locator("#after").click();
  await arrive(page, "normal");
  await expect.poll(notes).toEqual(CHIME);
  await arrive(page, "urgent");
  await expect.poll(notes).toEqual([...CHIME, ...CHIME]);
});

test("What comes late, what is of low priority, and a tab that does not lead are not heard.", async () => {
  const page = await visit("state=empty&sound");
  const notes = await listen(page);
  await page.locator("#after").click();
  await arrive(page, "low");
  await arrive(page, "urgent", true);
  await page.evaluate(() => {
    window.inbox.leads = false;
  });
  await arrive(page, "urgent");
  await page.evaluate(() => {
    window.inbox.leads = true;
  });
  await arrive(page, "high");
  await expect.poll(notes).toEqual(CHIME);
});

test("Before the reader has touched the page nothing is played, and what came then stays unheard.", async () => {
  // Asking a page anything counts as a touch: it tells by itself, and is asked afterwards.
  let told: Promise<unknown> = Promise.resolve();
  const page = await visit("state=empty&sound", {}, async (empty) => {
    told = empty.waitForEvent("console", (message) => message.text() === "came");
    await empty.addInitScript(() => {
      Object.assign(window, { contexts: 0 });
      const Real = AudioContext;
      window.AudioContext = class extends Real {
        constructor() {
          super();
          (window as unknown as { contexts: number }).contexts += 1;
        }
      };
      addEventListener("load", () => {
        const item = window.notification(0, { title: "Untouched", priority: "urgent" });
        window.inbox.emit("notification", { item, replayed: false });
        // biome-ignore lint/suspicious/noConsole: the one way to tell that is not asked for
        console.log("came");
      });
    });
  });
  await told;
  expect(await page.evaluate(() => (window as unknown as { contexts: number }).contexts)).toBe(0);
  const notes = await listen(page);
  await page.locator("#after").click();
  await arrive(page, "normal");
  await expect.poll(notes).toEqual(CHIME);
});
