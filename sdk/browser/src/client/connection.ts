/** One socket, from its opening to its close. */

import { CONNECT_SECONDS, NO_CONNECT } from "../protocol.js";
import type { Ending } from "./backoff.js";
import { within } from "./clock.js";
import { pace } from "./pace.js";
import type { Clock, Socket } from "./types.js";

/** Milliseconds from the start to the welcome. After that the socket is dropped. */
const OPEN_WITHIN = 10_000;
/** Milliseconds from a ping to the next frame: for a ping of the timer, and for one after sleep or offline time. */
const ANSWER_WITHIN = 5_000;
const PROBE_WITHIN = 2_000;
const PING = JSON.stringify({ type: "ping" });

export interface ConnectionHooks {
  /** Returns the first frame to send. */
  connect(): string;
  /** Receives the text of a frame. An error that it throws ends the connection. */
  receive(text: string): void;
  /** Called once, at the end. `lived` counts from `welcomed`. */
  ended(ending: Omit<Ending, "fresh">): void;
}

export class Connection {
  readonly #socket: Socket;
  readonly #hooks: ConnectionHooks;
  readonly #clock: Clock;
  readonly #pace = pace();
  #timer: unknown;
  #silence = 0;
  #pinged = false;
  #receivedAt: number;
  #welcomedAt: number | undefined;
  #late = false;
  #ended = false;

  constructor(socket: Socket, hooks: ConnectionHooks, clock: Clock) {
    this.#socket = socket;
    this.#hooks = hooks;
    this.#clock = clock;
    this.#receivedAt = clock.now();
    socket.onopen = () => {
      this.#late = clock.now() - this.#receivedAt >= CONNECT_SECONDS * 1_000;
      socket.send(hooks.connect());
    };
    socket.onmessage = ({ data }: MessageEvent<unknown>) => this.#receive(data);
    socket.onclose = ({ code, reason }: CloseEvent) => {
      // Browsers report 1005 and 1006 for an end without a code. NO_CONNECT is ignored if the page was so busy
      // that it sent its first frame too late: a reconnect can succeed then.
      const none = code === 1005 || code === 1006 || (code === NO_CONNECT && this.#late);
      this.#end(none ? {} : { code, reason });
    };
    // The close event follows.
    socket.onerror = () => undefined;
    this.#watch(OPEN_WITHIN);
  }

  /** Allows further frames. The server sends something at least every `heartbeat` seconds. */
  welcomed(heartbeat: number): void {
    this.#welcomedAt = this.#clock.now();
    // Pages do not see the server's pings. After a silence the page sends its own ping; any frame answers it.
    this.#silence = 2 * heartbeat * 1_000;
    this.#watch(this.#silence);
  }

  get isOpen(): boolean {
    return this.#welcomedAt !== undefined && !this.#ended;
  }

  /** Sends a frame at a rate that the server allows. After the end it does nothing. */
  send(text: string): void {
    const wait = this.#pace(this.#clock.now());
    if (wait) this.#clock.setTimeout(() => this.#send(text), wait);
    else this.#send(text);
  }

  /** Sends a ping with a short timeout, to detect a lost connection early. */
  probe(): void {
    if (this.isOpen && !this.#pinged) this.#ping(PROBE_WITHIN);
  }

  /** Drops the socket, and calls `ended`. */
  drop(error?: unknown): void {
    this.#socket.close();
    this.#end({ error });
  }

  /** Closes the socket without a call of `ended`. Resolves with the server's close, or after a short timeout. */
  async close(): Promise<void> {
    this.#ended = true;
    this.#clock.clearTimeout(this.#timer);
    const closed = new Promise((resolve) => {
      this.#socket.onclose = resolve;
    });
    this.#socket.close(1000);
    await within(this.#clock, PROBE_WITHIN, "", () => closed).catch(() => undefined);
  }

  #receive(data: unknown): void {
    if (this.#ended) return;
    this.#receivedAt = this.#clock.now();
    this.#pinged = false;
    try {
      this.#hooks.receive(data as string);
    } catch (error) {
      this.drop(error);
    }
  }

  #send(text: string): void {
    if (this.#socket.readyState === 1) this.#socket.send(text);
  }

  #ping(within: number): void {
    this.#pinged = true;
    this.#send(PING);
    this.#watch(within);
  }

  /** The timer is not reset per frame. If it fires early, it re-arms for the rest. */
  #watch(milliseconds: number): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(() => {
      const rest = this.#receivedAt + this.#silence - this.#clock.now();
      if (this.isOpen && !this.#pinged) return rest > 0 ? this.#watch(rest) : this.#ping(ANSWER_WITHIN);
      this.drop();
    }, milliseconds);
  }

  #end(how: Omit<Ending, "fresh" | "lived">): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#clock.clearTimeout(this.#timer);
    const lived = this.#welcomedAt === undefined ? 0 : this.#clock.now() - this.#welcomedAt;
    this.#hooks.ended({ ...how, lived });
  }
}
