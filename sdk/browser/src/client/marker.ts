/** Sends marks and waits for their answers: by frame while connected, else by REST. */

import {
  type ErrorFrame,
  FRAME_BYTES,
  type Mark,
  type Marked,
  type MarkInbox,
  type Stated,
} from "../protocol.js";
import { within } from "./clock.js";
import { TidingsError } from "./errors.js";
import { isRetryable } from "./rest.js";
import type { Clock } from "./types.js";

/** Milliseconds. A reconnect within this time sends the mark again, which is safe. */
const ANSWER_WITHIN = 10_000;
const TRIES = 4;
const BASE = 200;
const UNANSWERED = "unanswered";

export interface MarkerOptions {
  readonly clock: Clock;
  isConnected(): boolean;
  send(frame: string): void;
  /** Sends a mark by REST. */
  post(mark: MarkInbox): Promise<Marked>;
}

interface Waiting {
  readonly frame: string;
  readonly concerns: number;
  resolve(marked: Marked): void;
  reject(error: TidingsError): void;
}

export class Marker {
  readonly #options: MarkerOptions;
  readonly #waiting = new Map<string, Waiting>();

  constructor(options: MarkerOptions) {
    this.#options = options;
  }

  /**
   * Sends a mark with its own `ref`. `concerns` is the number of notifications, as far as the client knows them.
   * Throws TidingsError if the mark is refused or not answered.
   */
  async mark(ref: string, mark: MarkInbox, concerns: number): Promise<Marked> {
    const { clock, isConnected, post } = this.#options;
    const frame: Mark = { type: "mark", ...mark, ref };
    const text = JSON.stringify(frame);
    // A frame above the server's limit would close the connection. By REST only the mark itself can be refused.
    const isSmall = new TextEncoder().encode(text).length <= FRAME_BYTES;
    for (let tries = 1; ; tries++) {
      try {
        return await (isSmall && isConnected() ? this.#send(ref, text, concerns) : post(mark));
      } catch (error) {
        if (tries === TRIES || !isRetryable(error)) throw error;
        // Full jitter.
        await new Promise<void>((resolve) => {
          clock.setTimeout(resolve, clock.random() * BASE * 2 ** tries);
        });
      }
    }
  }

  /** A `state` frame was received. It answers the mark that has its `ref`. */
  answer({ ref, changes, counts, unknown }: Stated): void {
    const waiting = this.#take(ref);
    const changed = changes?.length ?? waiting?.concerns ?? 0;
    waiting?.resolve({ changed, counts, unknown } as Marked);
  }

  refuse({ ref, code, detail }: ErrorFrame): void {
    this.#take(ref)?.reject(new TidingsError(code, detail));
  }

  /** After a reconnect: sends the marks again that have no answer. */
  resend(): void {
    for (const { frame } of this.#waiting.values()) this.#options.send(frame);
  }

  /** Rejects all marks that have no answer. */
  end(): void {
    for (const ref of this.#waiting.keys())
      this.#take(ref)?.reject(new TidingsError(UNANSWERED, "No answer"));
  }

  async #send(ref: string, frame: string, concerns: number): Promise<Marked> {
    const answer = new Promise<Marked>((resolve, reject) => {
      this.#waiting.set(ref, { frame, concerns, resolve, reject });
    });
    this.#options.send(frame);
    try {
      return await within(this.#options.clock, ANSWER_WITHIN, UNANSWERED, () => answer);
    } finally {
      this.#take(ref);
    }
  }

  #take(ref: string | number | undefined): Waiting | undefined {
    const waiting = this.#waiting.get(String(ref));
    this.#waiting.delete(String(ref));
    return waiting;
  }
}
