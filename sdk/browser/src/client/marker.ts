/** Marks from their making to their answer: by frame while connected, else by REST. */

import type { ErrorFrame, Mark, Marked, MarkInbox, Stated } from "../protocol.js";
import { TidingsError } from "./errors.js";
import { isRetryable } from "./rest.js";
import type { Clock } from "./types.js";

/** A connection may break and come back meanwhile; the mark is sent again then, which is safe. */
const ANSWER_WITHIN = 10_000;
const TRIES = 4;
const BASE = 200;

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
  reject(error: unknown): void;
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
    for (let tries = 1; ; tries++) {
      try {
        return await (isConnected() ? this.#send(ref, mark, concerns) : post(mark));
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
    waiting?.resolve({ changed, counts, ...(unknown && { unknown }) });
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
    for (const ref of this.#waiting.keys()) this.#take(ref)?.reject(unanswered());
  }

  #send(ref: string, mark: MarkInbox, concerns: number): Promise<Marked> {
    const { clock, send } = this.#options;
    const frame: Mark = { type: "mark", ...mark, ref };
    const text = JSON.stringify(frame);
    return new Promise<Marked>((resolve, reject) => {
      const timer = clock.setTimeout(() => this.#take(ref)?.reject(unanswered()), ANSWER_WITHIN);
      const settled = () => clock.clearTimeout(timer);
      this.#waiting.set(ref, {
        frame: text,
        concerns,
        resolve: (marked) => {
          settled();
          resolve(marked);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      send(text);
    });
  }

  #take(ref: string | number | undefined): Waiting | undefined {
    const waiting = this.#waiting.get(String(ref));
    this.#waiting.delete(String(ref));
    return waiting;
  }
}

function unanswered(): TidingsError {
  return new TidingsError("unanswered", "The mark was not answered in time");
}
