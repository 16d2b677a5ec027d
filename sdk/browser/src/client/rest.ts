/** The API routes of an inbox that accept a user's token. */

import { type InboxPage, type Problem, RETRYABLE } from "../protocol.js";
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

  /** Returns a page of the inbox. Throws TidingsError, an error of the token source, or the signal's reason. */
  list({ signal, ...query }: ListQuery): Promise<InboxPage> {
    // JSON leaves out undefined values.
    const search = new URLSearchParams(JSON.parse(JSON.stringify(query)));
    return this.#request(`?${search}`, {}, signal);
  }

  /**
   * Posts to a path below that of the inbox. The browser finishes a short request even if the page closes: all such
   * requests together may have 64 KB. Throws TidingsError, or an error of the token source.
   */
  post<Answer>(path: string, what?: unknown): Promise<Answer> {
    // Undefined without `what`.
    const body = JSON.stringify(what);
    return this.#request(path, { method: "POST", body, keepalive: !(body?.length > KEPT_ALIVE) });
  }

  /** Requests a path below that of the inbox, once more with a new token after a 401. */
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
          // With the cache, a hanging request would block all further requests of this address.
          cache: "no-store",
          headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
          signal: AbortSignal.any(given ? [given, late] : [late]),
        });
        return [response, await response.json().catch(() => undefined)];
      });
    } catch (error) {
      throw new TidingsError("no_answer", String(error));
    } finally {
      // The reason of the signal takes the place of that error.
      given?.throwIfAborted();
    }
    if (response.status === 401 && !renew) return this.#request(path, init, given, true);
    if (response.ok && answer) return answer as Answer;
    const { code = "no_answer", detail = response.statusText } = (answer ?? {}) as Partial<Problem>;
    throw new TidingsError(code, detail, response.status);
  }
}

/** Whether the same request may succeed later. */
export function isRetryable(error: unknown): boolean {
  return ["no_answer", ...RETRYABLE].includes((error as Partial<TidingsError> | undefined)?.code ?? "");
}
