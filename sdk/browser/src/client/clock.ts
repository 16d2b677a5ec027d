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

/** What is promised, or a TidingsError with the code where that takes longer. */
export async function within<Value>(
  clock: Clock,
  milliseconds: number,
  code: string,
  promised: Promise<Value>,
): Promise<Value> {
  let timer: unknown;
  const late = new Promise<never>((_, reject) => {
    timer = clock.setTimeout(() => reject(new TidingsError(code, "No answer")), milliseconds);
  });
  try {
    return await Promise.race([promised, late]);
  } finally {
    clock.clearTimeout(timer);
  }
}
