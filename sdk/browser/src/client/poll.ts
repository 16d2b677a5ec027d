/** Polling while there is no connection, such as in a network that blocks WebSockets. */

import type { Clock } from "./types.js";

/** Milliseconds from the start to the first poll, and from it to the second. Each further wait doubles, up to LAST. */
const FIRST = 2_000;
const NEXT = 10_000;
const LAST = 60_000;

/**
 * Returns a switch. While it is on and the page is visible, `ask` runs repeatedly. Half of each wait is random, so
 * that clients of one server do not poll at the same time.
 */
export function poll(clock: Clock, ask: () => Promise<void>): (on: boolean) => void {
  let timer: unknown;
  let next = NEXT;
  const wait = (milliseconds: number) => {
    timer = clock.setTimeout(run, (milliseconds * (1 + clock.random())) / 2);
  };
  const run = async () => {
    const own = timer;
    const hidden = globalThis.document?.hidden;
    // After an error the next poll tries again.
    if (!hidden) await ask().catch(() => undefined);
    // The switch was turned off during the poll. It may be on again, with another timer.
    if (own !== timer) return;
    wait(hidden ? FIRST : next);
    next = hidden ? NEXT : Math.min(LAST, 2 * next);
  };
  return (on) => {
    if (on === (timer !== undefined)) return;
    clock.clearTimeout(timer);
    timer = undefined;
    next = NEXT;
    if (on) wait(FIRST);
  };
}
