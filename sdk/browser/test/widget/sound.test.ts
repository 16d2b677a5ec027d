/** The sound: played once per new notification, on the leading tab, and never before a gesture of the reader. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { visits } from "./visits.js";

const { visit } = visits();

/** Counts the notes that the page plays, by pitch, and plays them. */
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

/** Emits a notification. A test emits an urgent one last: after its sound no earlier one can follow. */
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

test("Two elements of a page play one sound for a new notification, after a gesture.", async () => {
  const page = await visit("state=empty&sound&toasts-beside");
  await page.evaluate(() => document.querySelector("tidings-toasts")?.setAttribute("sound", ""));
  const notes = await listen(page);
  await page.locator("#after").click();
  await arrive(page, "normal");
  await expect.poll(notes).toEqual(CHIME);
  await arrive(page, "urgent");
  await expect.poll(notes).toEqual([...CHIME, ...CHIME]);
});

test("Replayed notifications, those of low priority, and following tabs play no sound.", async () => {
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

test("Before a gesture of the reader no sound is played, and none is played later for that time.", async () => {
  // An evaluation in the page counts as a gesture, so the page writes to the console instead.
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
        // biome-ignore lint/suspicious/noConsole: the only way to report without an evaluation
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
