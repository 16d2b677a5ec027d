/** The tokens of the application. A token is kept while it is valid; only one request runs at a time. */

import { ANSWER_WITHIN, within } from "./clock.js";
import { TidingsError } from "./errors.js";
import type { Clock, TokenSource, UserToken } from "./types.js";

/** The values that a connection or a request needs. */
export interface Access {
  readonly token: string;
  readonly realtimeUrl: string | undefined;
  /** Tenant and user; empty if the token does not name them. */
  readonly identity: string;
  /** The token is used until this time, in milliseconds since 1970. */
  readonly until: number;
}

/** Milliseconds before the expiry at which a token is replaced; at most half of its remaining time. */
const RENEW_BEFORE = 60_000;

export class Tokens {
  readonly #source: TokenSource;
  readonly #clock: Clock;
  /** The latest token. */
  declare kept: Access | undefined;
  #request: Promise<Access> | undefined;
  #identity: string | undefined;

  constructor(source: TokenSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /**
   * Returns the kept token while it is valid, else a new one; with `renew` always a new one.
   *
   * Throws an error of the application's source; TidingsError `logged_out` if no user is logged in, or another
   * user than before; and TidingsError `no_token` if the answer is not usable.
   */
  async get(renew = false): Promise<Access> {
    if (!renew && this.kept && this.kept.until > this.#clock.now()) return this.kept;
    this.#request ??= this.#requestToken();
    return this.#request;
  }

  /** Drops the token and the user. The answer of a running request is not kept, since another user may log in. */
  forget(): void {
    this.kept = this.#identity = this.#request = undefined;
  }

  #requestToken(): Promise<Access> {
    const asking = within(this.#clock, ANSWER_WITHIN, "no_token", (signal) => read(this.#source, signal))
      .then((answer) => {
        const access = accessOf(answer, this.#clock.now());
        if (asking !== this.#request) return access;
        this.#identity ??= access.identity;
        if (this.#identity !== access.identity) {
          throw new TidingsError("logged_out", "Another user");
        }
        this.kept = access;
        return access;
      })
      .finally(() => {
        if (asking === this.#request) this.#request = undefined;
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
    // The clock of this machine may be wrong. The server reports the expiry then.
    until: left > 0 ? now + Math.max(left - RENEW_BEFORE, left / 2) : 2 ** 53,
  };
}

async function read(source: TokenSource, signal: AbortSignal): Promise<UserToken> {
  let answer: unknown = await source(signal);
  let status = 0;
  if (answer instanceof Response) {
    status = answer.status;
    // A token as plain text begins with a JSON object in base64. An error has no token.
    answer = answer.ok
      ? await answer
          .text()
          .then((text) => (text.startsWith("ey") ? text.trim() : JSON.parse(text)))
          .catch((error: unknown) => error)
      : status !== 401 && status !== 403 && {};
  }
  if (!answer) throw new TidingsError("logged_out", "No user");
  const read = (typeof answer === "string" ? { token: answer } : answer) as UserToken;
  if (read.token && typeof read.token === "string") return read;
  throw new TidingsError("no_token", "No token", status);
}

/** The claims of a token. They let tabs of one user find each other, and are not verified. */
function claimsOf(token: string): { iss?: string; sub?: string; exp?: number } {
  try {
    return JSON.parse(atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return {};
  }
}
