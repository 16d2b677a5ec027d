import type { Clock } from "../../src/client/index.js";

/** A clock that only the test advances. */
export class ManualClock implements Clock {
  #now = Date.parse("2026-11-22T07:00:00.000Z");
  #timers = new Map<number, { readonly at: number; readonly run: () => void }>();
  #next = 1;

  now(): number {
    return this.#now;
  }

  /** The upper bound of full jitter. */
  random(): number {
    return 1;
  }

  setTimeout(run: () => void, milliseconds: number): number {
    this.#timers.set(this.#next, { at: this.#now + milliseconds, run });
    return this.#next++;
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as number);
  }

  /** Advances the time. Due timers run in order, each followed by its microtasks. */
  async pass(milliseconds: number): Promise<void> {
    const until = this.#now + milliseconds;
    for (;;) {
      const [due] = [...this.#timers].filter(([, { at }]) => at <= until).sort((a, b) => a[1].at - b[1].at);
      if (!due) break;
      this.#timers.delete(due[0]);
      this.#now = due[1].at;
      due[1].run();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#now = until;
  }
}

/** The clock of the machine, faster by a factor. */
export function hurried(times: number): Clock {
  const start = performance.now();
  return {
    now: () => Date.now() + (performance.now() - start) * (times - 1),
    random: Math.random,
    setTimeout: (run, milliseconds) => setTimeout(run, milliseconds / times),
    clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
  };
}
