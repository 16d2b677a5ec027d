/** The clock passed in (for tests), and a timeout for promises. */

import { TidingsError } from "./errors.js";
import type { Clock } from "./types.js";

/** Milliseconds. After that a mark, or a request for a token, counts as failed. */
export const ANSWER_WITHIN = 10_000;

/** The clock of the machine. It is monotonic: setting the system time back does not lengthen a wait. */
export const CLOCK: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  random: Math.random,
  setTimeout: (run, milliseconds) => setTimeout(run, milliseconds),
  clearTimeout: (timer) => clearTimeout(timer as number),
};

/**
 * Returns the result of `run`, or throws TidingsError with `code` if that takes longer. The signal aborts in both
 * cases, so that no request continues after a timeout.
 */
export async function within<Value>(
  clock: Clock,
  milliseconds: number,
  code: string,
  run: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const running = new AbortController();
  let timer: unknown;
  const late = new Promise<never>((_, reject) => {
    timer = clock.setTimeout(() => reject(new TidingsError(code, "No answer")), milliseconds);
  });
  try {
    return await Promise.race([run(running.signal), late]);
  } finally {
    clock.clearTimeout(timer);
    running.abort();
  }
}
