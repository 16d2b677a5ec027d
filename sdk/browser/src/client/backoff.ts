/** When and how a client comes back after a connection ended. Pure: chance is handed in. */

import { INVALID_TOKEN, NO_INBOX_SCOPE, REVOKED, VERDICTS, type Verdict } from "../protocol.js";

/** How a connection ended. `code` is undefined where it just broke, or was never open. */
export interface Ending {
  readonly code?: number | undefined;
  readonly reason?: string;
  /** What kept it from being opened. */
  readonly error?: unknown;
  /** Milliseconds that it stood after its welcome. */
  readonly lived: number;
  /** Its token was made for it. */
  readonly fresh: boolean;
}

/** Come back after `wait` milliseconds; with a new token if `renew`, and only if it is `another`. */
export interface Return {
  readonly wait: number;
  readonly renew: boolean;
  readonly another: boolean;
}

/** Upper end of the first wait after a connection that just broke, in milliseconds. */
const BASE = 500;
/** The same where the server asked to come later, so that a restart does not bring everybody back at once. */
const SPREAD = 2_000;
/** Nobody waits longer for a server that is back. */
const CAP = 15_000;
/** After a connection that held this long the waits begin anew. */
const STABLE = 10_000;
const TOKENS_FAULT = [INVALID_TOKEN, REVOKED, NO_INBOX_SCOPE];

/** The verdict of any close code, known or not. */
export function verdictOf(code = 0): Verdict {
  const range = Math.floor(code / 100);
  return VERDICTS[code] ?? (range === 40 ? "stay_away" : range === 42 ? "now" : "later");
}

/** Decides after each ending, and remembers how many there were in a row. */
export class Backoff {
  #later = 0;
  #atOnce = 0;
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** When to come back; undefined where that cannot help. */
  after({ code = 0, lived, fresh }: Ending): Return | undefined {
    if (lived >= STABLE) this.#later = this.#atOnce = 0;
    const verdict = verdictOf(code);
    // A token that did once, or was kept, may have been signed with what has changed since: another shows.
    const another = verdict === "stay_away";
    if (another && !(TOKENS_FAULT.includes(code) && (lived || !fresh))) return undefined;
    // At once, but never in a tight loop; who could not reach the server for long has waited already.
    const wait =
      verdict === "later"
        ? this.#jitter(code ? SPREAD : BASE, this.#later++)
        : this.#jitter(this.#atOnce && BASE, this.#atOnce++);
    return { wait, renew: another || verdict === "refresh", another };
  }

  /** Full jitter: any time up to a bound that doubles with each failure. */
  #jitter(first: number, failures: number): number {
    return this.#random() * Math.min(CAP, first * 2 ** failures);
  }
}
