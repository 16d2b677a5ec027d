/** The tokens that the application gives: kept while they hold, and asked for once at a time. */

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
   * Throws what the application's source throws, and TidingsError `logged_out` where nobody is logged in,
   * or somebody else than before.
   */
  async get(renew = false): Promise<Access> {
    if (!renew && this.kept && this.kept.until > this.#clock.now()) return this.kept;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** Somebody else may log in from now on. */
  forget(): void {
    this.kept = this.#identity = undefined;
  }

  async #ask(): Promise<Access> {
    const { token, expires_at, realtime_url } = await read(await this.#source());
    const claims = claimsOf(token);
    const identity = claims.sub ? `${claims.iss}/${claims.sub}` : "";
    if (this.#identity !== undefined && this.#identity !== identity) {
      throw new TidingsError("logged_out", "The token is another user's: call connect() again");
    }
    this.#identity = identity;
    const now = this.#clock.now();
    const left = (claims.exp ? claims.exp * 1000 : Date.parse(expires_at ?? "")) - now;
    this.kept = {
      token,
      realtimeUrl: realtime_url,
      identity,
      // Where the clocks differ that much, the server says when it has ended.
      until: left > 0 ? now + Math.max(left - RENEW_BEFORE, left / 2) : Number.POSITIVE_INFINITY,
    };
    return this.kept;
  }
}

async function read(given: Awaited<ReturnType<TokenSource>>): Promise<UserToken> {
  let answer: unknown = given;
  if (given instanceof Response) {
    if (given.status === 401 || given.status === 403) answer = null;
    else if (!given.ok) throw new TidingsError("no_token", "The token endpoint failed", given.status);
    else answer = await given.json();
  }
  if (typeof answer === "string" && answer) return { token: answer };
  if (!answer) throw new TidingsError("logged_out", "Nobody is logged in");
  return answer as UserToken;
}

/** What a token says of itself: whose it is, so that tabs of one user find each other. Never trusted. */
function claimsOf(token: string): { iss?: string; sub?: string; exp?: number } {
  try {
    return JSON.parse(atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return {};
  }
}
