/** How fast a connection may send. Pure: the clock is handed in. */

import { FRAMES_BURST, FRAMES_PER_SECOND } from "../protocol.js";

/** Below what the server allows: frames may bunch up on their way there. Milliseconds for one. */
const INTERVAL = 1_000 / (FRAMES_PER_SECOND * 0.9);
const BURST = FRAMES_BURST / 2;

/**
 * Spreads frames over time, so that an application that marks in a loop is not closed with 4101. The
 * function reserves a place for one frame: milliseconds from now until it may be sent.
 */
export function pace(): (now: number) => number {
  let wholeAt = 0;
  return (now) => {
    const start = Math.max(wholeAt, now);
    wholeAt = start + INTERVAL;
    return Math.max(0, start - now - (BURST - 1) * INTERVAL);
  };
}
