/** The tokens that the application gives: kept while they hold, and asked for once at a time. */

import { within } from "./clock.js";
import { TidingsError } from "./errors.js";
import type { Clock, TokenSource, UserToken } from "./types.js";

/** What a connection or request needs. */
export interface Access {
  readonly token: string;
  readonly realtimeUrl: string | undefined;
  /** Whose it is, by tenant and user; empty where the token does not say. */
  readonly identity: string;
  /** Milliseconds since 1970 until which it is used. */
  readonly until: number;
}

/** A token is replaced this long before it ends, or in the middle of what a short one has left. */
const RENEW_BEFORE = 60_000;
/** An application that has not answered by then is asked again. */
const ANSWER_WITHIN = 10_000;

export class Tokens {
  readonly #source: TokenSource;
  readonly #clock: Clock;
  /** The token that was given last. */
  kept: Access | undefined;
  #asking: Promise<Access> | undefined;
  #identity: string | undefined;

  constructor(source: TokenSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /**
   * A kept token while it is good for a while, else a new one; with `renew` always a new one.
   *
   * Throws what the application's source throws; TidingsError `logged_out` where nobody is logged in, or
   * somebody else than before, and `no_token` where nothing of use comes.
   */
  async get(renew = false): Promise<Access> {
    if (!renew && this.kept && this.kept.until > this.#clock.now()) return this.kept;
    this.#asking ??= this.#ask();
    return this.#asking;
  }

  /** Somebody else may log in from now on: what was asked for before is not kept. */
  forget(): void {
    this.kept = this.#identity = this.#asking = undefined;
  }

  #ask(): Promise<Access> {
    const asking = within(this.#clock, ANSWER_WITHIN, "no_token", (signal) => read(this.#source, signal))
      .then((answer) => {
        const access = accessOf(answer, this.#clock.now());
        if (asking !== this.#asking) return access;
        this.#identity ??= access.identity;
        if (this.#identity !== access.identity) {
          throw new TidingsError("logged_out", "Somebody else is");
        }
        this.kept = access;
        return access;
      })
      .finally(() => {
        if (asking === this.#asking) this.#asking = undefined;
      });
    return asking;
  }
}

function accessOf({ token, expires_at, realtime_url }: UserToken, now: number): Access {
  const { iss, sub, exp } = claimsOf(token);
  const left = (exp ? exp * 1000 : Date.parse(expires_at ?? "")) - now;
  return {
    token,
    realtimeUrl: realtime_url,
    identity: sub ? `${iss}/${sub}` : "",
    // Where the clocks differ that much, the server says when it has ended.
    until: left > 0 ? now + Math.max(left - RENEW_BEFORE, left / 2) : Number.POSITIVE_INFINITY,
  };
}

async function read(source: TokenSource, signal: AbortSignal): Promise<UserToken> {
  let answer: unknown = await source(signal);
  let status = 0;
  if (answer instanceof Response) {
    status = answer.status;
    answer = answer.ok ? await answer.json() : status !== 401 && status !== 403 && {};
  }
  if (!answer) throw new TidingsError("logged_out", "Nobody is logged in");
  const read = (typeof answer === "string" ? { token: answer } : answer) as UserToken;
  if (read.token && typeof read.token === "string") return read;
  throw new TidingsError("no_token", "No token", status);
}

/** What a token says of itself: whose it is, so that tabs of one user find each other. Never trusted. */
function claimsOf(token: string): { iss?: string; sub?: string; exp?: number } {
  try {
    return JSON.parse(atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return {};
  }
}
