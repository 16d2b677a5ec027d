/** The two routes of the API that a user's token allows. */

import { type InboxPage, type Marked, type MarkInbox, type Problem, RETRYABLE } from "../protocol.js";
import { within } from "./clock.js";
import { TidingsError } from "./errors.js";
import type { Tokens } from "./tokens.js";
import type { Clock, ListQuery } from "./types.js";

const ANSWER_WITHIN = 30_000;
const KEPT_ALIVE = 10_000;

export class Rest {
  readonly #root: string;
  readonly #tokens: Tokens;
  readonly #clock: Clock;

  constructor(url: string, tokens: Tokens, clock: Clock) {
    this.#root = `${url}/v1/me/notifications`;
    this.#tokens = tokens;
    this.#clock = clock;
  }

  /** A page of the inbox. Throws TidingsError, what the token source throws, or the signal's reason. */
  list({ signal, ...query }: ListQuery): Promise<InboxPage> {
    // What is undefined is left out of JSON.
    const search = new URLSearchParams(JSON.parse(JSON.stringify(query)));
    return this.#request(`?${search}`, {}, signal);
  }

  /** Carries out a mark. Throws TidingsError, or what the token source throws. */
  mark(mark: MarkInbox): Promise<Marked> {
    const body = JSON.stringify(mark);
    return this.#request("/mark", {
      method: "POST",
      body,
      // A mark that is made while the page closes is still carried out. All such together may have 64 KB.
      keepalive: body.length < KEPT_ALIVE,
    });
  }

  async #request<Answer>(
    path: string,
    init: RequestInit,
    given?: AbortSignal,
    renew = false,
  ): Promise<Answer> {
    const { token } = await this.#tokens.get(renew);
    let response: Response;
    let answer: unknown;
    try {
      [response, answer] = await within(this.#clock, ANSWER_WITHIN, "no_answer", async (late) => {
        const response = await fetch(this.#root + path, {
          ...init,
          // A cache would have others of this address wait for one that hangs.
          cache: "no-store",
          headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
          signal: AbortSignal.any(given ? [given, late] : [late]),
        });
        return [response, await response.json().catch(() => undefined)];
      });
    } catch (error) {
      given?.throwIfAborted();
      throw new TidingsError("no_answer", String(error));
    }
    given?.throwIfAborted();
    if (response.status === 401 && !renew) return this.#request(path, init, given, true);
    if (response.ok && answer) return answer as Answer;
    const { code = "no_answer", detail = response.statusText } = (answer ?? {}) as Partial<Problem>;
    throw new TidingsError(code, detail, response.status);
  }
}

/** Whether the same may succeed later, unchanged. */
export function isRetryable(error: unknown): boolean {
  return error instanceof TidingsError && (error.code === "no_answer" || RETRYABLE.includes(error.code));
}
