/** Time, and not waiting for ever. */

import { TidingsError } from "./errors.js";
import type { Clock } from "./types.js";

/** The machine's own time and chance. Its hours may be set back: what is waited for must not wait for them. */
export const CLOCK: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  random: Math.random,
  setTimeout: (run, milliseconds) => setTimeout(run, milliseconds),
  clearTimeout: (timer) => clearTimeout(timer as number),
};

/**
 * What `run` promises, or a TidingsError with the code where that takes longer. The signal aborts at the end,
 * so that nothing goes on that was given up.
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
