/** One socket, from its opening to its end. */

import { CONNECT_SECONDS, NO_CONNECT } from "../protocol.js";
import type { Ending } from "./backoff.js";
import { within } from "./clock.js";
import { pace } from "./pace.js";
import type { Clock, Socket } from "./types.js";

/** A socket that has not come to its welcome by then is given up. */
const OPEN_WITHIN = 10_000;
/** Something must be heard this soon after a ping: of the timer, or of a page that was asleep or offline. */
const ANSWER_WITHIN = 5_000;
const PROBE_WITHIN = 2_000;
const PING = JSON.stringify({ type: "ping" });

export interface ConnectionHooks {
  /** The first frame to send. */
  connect(): string;
  /** Takes a frame's text. What it throws ends the connection. */
  receive(text: string): void;
  /** Called once, at the end; `lived` counts from `welcomed`. */
  ended(ending: Omit<Ending, "fresh">): void;
}

export class Connection {
  readonly #socket: Socket;
  readonly #hooks: ConnectionHooks;
  readonly #clock: Clock;
  readonly #pace = pace();
  #timer: unknown;
  #silence = 0;
  #asked = false;
  #heardAt: number;
  #welcomedAt: number | undefined;
  #late = false;
  #ended = false;

  constructor(socket: Socket, hooks: ConnectionHooks, clock: Clock) {
    this.#socket = socket;
    this.#hooks = hooks;
    this.#clock = clock;
    this.#heardAt = clock.now();
    socket.onopen = () => {
      this.#late = clock.now() - this.#heardAt >= CONNECT_SECONDS * 1_000;
      socket.send(hooks.connect());
    };
    socket.onmessage = ({ data }: MessageEvent<unknown>) => this.#receive(data);
    socket.onclose = ({ code, reason }: CloseEvent) => {
      // 1005 and 1006 are never sent: the connection ended without a code. And a page that was busy for
      // so long that it was late with its first frame is not to blame for that.
      const none = code === 1005 || code === 1006 || (code === NO_CONNECT && this.#late);
      this.#end(none ? {} : { code, reason });
    };
    // A close follows.
    socket.onerror = () => undefined;
    this.#watch(OPEN_WITHIN);
  }

  /** Frames other than the first may be sent; the server lets itself be heard every `heartbeat` seconds. */
  welcomed(heartbeat: number): void {
    this.#welcomedAt = this.#clock.now();
    // Pages don't see the server's pings, so a quiet one asks; any answer will do.
    this.#silence = 2 * heartbeat * 1_000;
    this.#watch(this.#silence);
  }

  get isOpen(): boolean {
    return this.#welcomedAt !== undefined && !this.#ended;
  }

  /** Sends a frame at a pace the server allows, or nothing where the connection has ended. */
  send(text: string): void {
    const wait = this.#pace(this.#clock.now());
    if (wait) this.#clock.setTimeout(() => this.#send(text), wait);
    else this.#send(text);
  }

  /** Finds out soon whether anybody is still there. */
  probe(): void {
    if (this.isOpen && !this.#asked) this.#ask(PROBE_WITHIN);
  }

  /** Gives it up; `ended` is called. */
  drop(error?: unknown): void {
    this.#socket.close();
    this.#end({ error });
  }

  /** Closes it; `ended` is not called any more. Resolves when the server has taken what was sent. */
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
    this.#heardAt = this.#clock.now();
    this.#asked = false;
    try {
      this.#hooks.receive(data as string);
    } catch (error) {
      this.drop(error);
    }
  }

  #send(text: string): void {
    if (this.#socket.readyState === 1) this.#socket.send(text);
  }

  #ask(within: number): void {
    this.#asked = true;
    this.#send(PING);
    this.#watch(within);
  }

  /** Not set anew with each frame: whoever comes too early goes on. */
  #watch(milliseconds: number): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(() => {
      const rest = this.#heardAt + this.#silence - this.#clock.now();
      if (this.isOpen && !this.#asked) return rest > 0 ? this.#watch(rest) : this.#ask(ANSWER_WITHIN);
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
