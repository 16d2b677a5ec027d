/** Marks from their making to their answer: by frame while connected, else by REST. */

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

/** A connection may break and come back meanwhile; the mark is sent again then, which is safe. */
const ANSWER_WITHIN = 10_000;
const TRIES = 4;
const BASE = 200;
const UNANSWERED = "unanswered";

export interface MarkerOptions {
  readonly clock: Clock;
  isConnected(): boolean;
  send(frame: string): void;
  /** By REST. */
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
   * Carries out a mark under a ref of its own, which `concerns` so many notifications as far as is known.
   * Throws TidingsError where it is refused or not answered.
   */
  async mark(ref: string, mark: MarkInbox, concerns: number): Promise<Marked> {
    const { clock, isConnected, post } = this.#options;
    const frame: Mark = { type: "mark", ...mark, ref };
    const text = JSON.stringify(frame);
    // Larger than the server takes frames: by REST it is refused, or not, and nothing else happens.
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

  /** A change of state came, perhaps the answer to a mark. */
  answer({ ref, changes, counts, unknown }: Stated): void {
    const waiting = this.#take(ref);
    const changed = changes?.length ?? waiting?.concerns ?? 0;
    waiting?.resolve({ changed, counts, unknown } as Marked);
  }

  refuse({ ref, code, detail }: ErrorFrame): void {
    this.#take(ref)?.reject(new TidingsError(code, detail));
  }

  /** A new connection stands: what the old one did not answer is sent again. */
  resend(): void {
    for (const { frame } of this.#waiting.values()) this.#options.send(frame);
  }

  /** No answer comes any more. */
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
