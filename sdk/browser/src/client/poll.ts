/** Asking now and then while there is no connection, as where a network blocks WebSockets. */

import type { Clock } from "./types.js";

/** Milliseconds until the first question, and from it to the next; each further wait doubles, up to the last. */
const FIRST = 4_000;
const NEXT = 10_000;
const LAST = 60_000;

/**
 * A switch: while it is on, `ask` runs again and again where the page is in sight. Waits are half chance, so
 * that those who lost a server do not ask together.
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
    // What fails is asked again later.
    if (!hidden) await ask().catch(() => undefined);
    // Switched off meanwhile, and perhaps on again.
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
