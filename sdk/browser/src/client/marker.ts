/** Sends marks and waits for their answers: by frame while connected, else by REST. */

import {
  type ErrorFrame,
  FRAME_BYTES,
  type Marked,
  type MarkInbox,
  type SnoozeInbox,
  type Stated,
} from "../protocol.js";
import { ANSWER_WITHIN, within } from "./clock.js";
import { TidingsError } from "./errors.js";
import { isRetryable } from "./rest.js";
import type { Clock, StatusChange } from "./types.js";

const TRIES = 4;
const BASE = 200;
/** Milliseconds without a connection after which a mark is tried again by REST. */
const LATER = 30_000;

/** A mark, or a snooze, which is sent by REST. */
export type Wanted = MarkInbox | (SnoozeInbox & { readonly state?: undefined });

export interface MarkerOptions {
  readonly clock: Clock;
  now(): StatusChange;
  send(frame: string): void;
  /** Sends a mark or a snooze by REST. */
  post(wanted: Wanted): Promise<Marked>;
}

/** A mark without an answer. After a reconnect it is sent again, or for the first time. */
interface Waiting {
  readonly concerns?: number;
  resend(): void;
  settle(marked?: Marked): void;
  fail(error: TidingsError): void;
}

export class Marker {
  readonly #options: MarkerOptions;
  /** The connection is lost, and REST has no answer: the timer of the next try. */
  #lost: unknown = 0;
  readonly #waiting = new Map<Stated["ref"], Waiting>();

  constructor(options: MarkerOptions) {
    this.#options = options;
  }

  /**
   * Sends a mark with its own `ref`. `concerns` is the number of notifications, as far as the client knows them. While
   * the connection is lost the mark waits for the next one: marks are sent in their order.
   * Throws TidingsError if the mark is refused, if it is not answered while connected, or if the client stops.
   */
  async mark(ref: string, mark: Wanted, concerns: number): Promise<Marked> {
    const { clock, now, post } = this.#options;
    const text = JSON.stringify({ type: "mark", ...mark, ref });
    // A frame above the server's limit would close the connection. By REST only the mark itself can be refused. A
    // character has three bytes at most.
    const isSmall = mark.state && text.length <= FRAME_BYTES / 3;
    for (let tries = 1; ; tries++) {
      try {
        if (this.#lost)
          await new Promise<unknown>((resolve, reject) => {
            this.#waiting.set(ref, { resend: resolve as () => void, settle: resolve, fail: reject });
          });
        // A stream of events carries no marks.
        return await (isSmall && now().transport === "websocket"
          ? this.#send(ref, text, concerns)
          : post(mark));
      } catch (error) {
        // Connecting or offline; no_answer or unanswered.
        if (/[gf]/.test(now().status) && /swe/.test((error as TidingsError).code))
          this.#lost ||= clock.setTimeout(() => this.resend(), LATER);
        else if (tries < TRIES && isRetryable(error))
          // Full jitter.
          await new Promise<void>((resolve) => {
            clock.setTimeout(resolve, clock.random() * BASE * 2 ** tries);
          });
        else throw error;
      }
    }
  }

  /** A `state` frame was received. It answers the mark that has its `ref`. */
  answer({ ref, changes, counts, unknown }: Stated): void {
    const waiting = this.#take(ref);
    const changed = changes?.length ?? waiting?.concerns ?? 0;
    waiting?.settle({ changed, counts, unknown } as Marked);
  }

  refuse({ ref, code, detail }: ErrorFrame): void {
    this.#take(ref)?.fail(new TidingsError(code, detail));
  }

  /** After a reconnect: sends the marks that have no answer, in their order. */
  resend(): void {
    this.#lost = 0;
    for (const { resend } of this.#waiting.values()) resend();
  }

  /** Rejects all marks that have no answer. */
  end(): void {
    this.#lost = 0;
    for (const { fail } of this.#waiting.values()) fail(new TidingsError("unanswered", "No answer"));
  }

  async #send(ref: string, frame: string, concerns: number): Promise<Marked> {
    const resend = () => this.#options.send(frame);
    const answer = new Promise<Marked>((resolve, reject) => {
      this.#waiting.set(ref, { concerns, resend, settle: resolve as Waiting["settle"], fail: reject });
    });
    resend();
    try {
      // A reconnect within this time sends the mark again, which is safe.
      return await within(this.#options.clock, ANSWER_WITHIN, "unanswered", () => answer);
    } finally {
      this.#take(ref);
    }
  }

  #take(ref: Stated["ref"]): Waiting | undefined {
    const waiting = this.#waiting.get(ref);
    this.#waiting.delete(ref);
    return waiting;
  }
}
