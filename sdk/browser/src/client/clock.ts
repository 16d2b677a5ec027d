import type { Clock } from "./types.js";

/** The machine's own time and chance. */
export const CLOCK: Clock = {
  now: Date.now,
  random: Math.random,
  setTimeout: (run, milliseconds) => setTimeout(run, milliseconds),
  clearTimeout: (timer) => clearTimeout(timer as number),
};
