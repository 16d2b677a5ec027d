/** How fast a connection may send. Pure: the time is a parameter. */

import { FRAMES_BURST, FRAMES_PER_SECOND } from "../protocol.js";

/** Milliseconds per frame. Below the server's limit, because the network can deliver frames in bunches. */
const INTERVAL = 1_000 / (FRAMES_PER_SECOND * 0.9);
const BURST = FRAMES_BURST / 2;

/**
 * Spreads frames over time, so that an application that marks in a loop is not closed with 4101. The returned
 * function reserves a slot for one frame, and returns the milliseconds until that slot.
 */
export function pace(): (now: number) => number {
  let wholeAt = 0;
  return (now) => {
    const start = Math.max(wholeAt, now);
    wholeAt = start + INTERVAL;
    return Math.max(0, start - now - (BURST - 1) * INTERVAL);
  };
}
