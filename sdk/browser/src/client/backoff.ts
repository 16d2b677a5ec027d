/** When and how a client reconnects after a connection ended. Pure: the random function is a parameter. */

import { INVALID_TOKEN, NO_INBOX_SCOPE, REVOKED, VERDICTS, type Verdict } from "../protocol.js";

/** How a connection ended. `code` is undefined if there was no close frame, or the socket never opened. */
export interface Ending {
  readonly code?: number | undefined;
  readonly reason?: string;
  /** The error that prevented the opening. */
  readonly error?: unknown;
  /** Milliseconds from the welcome to the end; 0 without a welcome. */
  readonly lived: number;
  /** The token was requested for this connection, not kept from an earlier one. */
  readonly fresh: boolean;
}

/** Reconnect after `wait` milliseconds. `renew`: with a new token. `another`: only if that token differs. */
export interface Return {
  readonly wait: number;
  readonly renew: boolean;
  readonly another: boolean;
}

/** Upper bound of the first wait after an end without a close code, in milliseconds. */
const BASE = 500;
/** The same after a close code that asks for a later reconnect. It spreads the clients after a restart. */
const SPREAD = 2_000;
/** Upper bound of all waits, in milliseconds. */
const CAP = 15_000;
/** A connection of at least this many milliseconds resets the waits. */
const STABLE = 10_000;
const TOKENS_FAULT = [INVALID_TOKEN, REVOKED, NO_INBOX_SCOPE];

/** The verdict of a close code. An unknown code has the verdict of its range. */
export function verdictOf(code = 0): Verdict {
  const range = Math.floor(code / 100);
  return VERDICTS[code] ?? (range === 40 ? "stay_away" : range === 42 ? "now" : "later");
}

/** Decides after each ending, and counts the endings since the last stable connection. */
export class Backoff {
  #later = 0;
  #atOnce = 0;
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** When to reconnect; undefined if a reconnect cannot succeed. */
  after({ code = 0, lived, fresh }: Ending): Return | undefined {
    if (lived >= STABLE) this.#later = this.#atOnce = 0;
    const verdict = verdictOf(code);
    // The signing key may have changed since the server accepted this token, or since it was kept. Only then
    // another token is worth a try.
    const another = verdict === "stay_away";
    if (another && !(TOKENS_FAULT.includes(code) && (lived || !fresh))) return undefined;
    // Immediately for the first time, then with a growing wait: this never becomes a tight loop.
    const wait =
      verdict === "later"
        ? this.#jitter(code ? SPREAD : BASE, this.#later++)
        : this.#jitter(this.#atOnce && BASE, this.#atOnce++);
    return { wait, renew: another || verdict === "refresh", another };
  }

  /** Full jitter: a random time up to a bound that doubles with each failure. */
  #jitter(first: number, failures: number): number {
    return this.#random() * Math.min(CAP, first * 2 ** failures);
  }
}
