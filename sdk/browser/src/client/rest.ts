/** The two routes of the API that a user's token allows. */

import { type InboxPage, type Marked, type MarkInbox, type Problem, RETRYABLE } from "../protocol.js";
import { TidingsError } from "./errors.js";
import type { Tokens } from "./tokens.js";
import type { ListQuery } from "./types.js";

export class Rest {
  readonly #root: string;
  readonly #tokens: Tokens;

  constructor(url: string, tokens: Tokens) {
    this.#root = `${url.replace(/\/+$/, "")}/v1/me/notifications`;
    this.#tokens = tokens;
  }

  /** A page of the inbox. Throws TidingsError, what the token source throws, or the signal's reason. */
  list({ signal, ...query }: ListQuery): Promise<InboxPage> {
    const asked = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    );
    const search = new URLSearchParams(asked).toString();
    return this.#request(search && `?${search}`, { signal: signal ?? null });
  }

  /** Carries out a mark. Throws TidingsError, or what the token source throws. */
  mark(mark: MarkInbox): Promise<Marked> {
    return this.#request("/mark", {
      method: "POST",
      body: JSON.stringify(mark),
      headers: { "Content-Type": "application/json" },
      // A mark that is made while the page closes is still carried out.
      keepalive: true,
    });
  }

  async #request<Answer>(path: string, init: RequestInit, renew = false): Promise<Answer> {
    const { token } = await this.#tokens.get(renew);
    let response: Response;
    try {
      response = await fetch(this.#root + path, {
        ...init,
        headers: { ...init.headers, Authorization: `Bearer ${token}` },
      });
    } catch (error) {
      init.signal?.throwIfAborted();
      throw new TidingsError("no_answer", String(error));
    }
    if (response.status === 401 && !renew) return this.#request(path, init, true);
    const answer = await response.json().catch(() => undefined);
    if (response.ok && answer) return answer as Answer;
    const { code = "no_answer", detail = response.statusText } = (answer ?? {}) as Partial<Problem>;
    throw new TidingsError(code, detail, response.status);
  }
}

/** Whether the same may succeed later, unchanged. */
export function isRetryable(error: unknown): boolean {
  return error instanceof TidingsError && (error.code === "no_answer" || RETRYABLE.includes(error.code));
}
