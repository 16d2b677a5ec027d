/** Keeps one tab connected: opens a socket, and another one when that ended, as its ending says. */

import { SUBPROTOCOL } from "../protocol.js";
import { Backoff, type Ending, type Return } from "./backoff.js";
import { Connection } from "./connection.js";
import { isLoggedOut } from "./errors.js";
import type { Session } from "./session.js";
import type { Access, Tokens } from "./tokens.js";
import type { Clock, Socket, SocketConstructor, StatusChange } from "./types.js";

/** At most four a second: what arrived is acknowledged, and where that is will be kept. */
const ACK_EVERY = 250;
/** The part of what a token has left after which it is replaced; twice that at most, not all at once. */
const REFRESH_AFTER = 0.1;
const CLIENT = "tidings-js/0.1";

type Reason = Omit<StatusChange, "status">;

export interface ConnectorOptions {
  readonly tokens: Tokens;
  readonly session: Session;
  readonly clock: Clock;
  readonly device: string | undefined;
  readonly webSocket: SocketConstructor;
  /** Where to connect with a token. */
  address(access: Access): string;
  /** Takes a frame's text; throws where it is none. */
  receive(text: string): void;
  changed(change: StatusChange): void;
  /** The session went on: keep where it is. */
  save(): void;
}

export class Connector {
  readonly #options: ConnectorOptions;
  readonly #backoff: Backoff;
  #connection: Connection | undefined;
  /** Rises with each start and stop: what belongs to an earlier one does nothing. */
  #turn = 0;
  #retry: unknown;
  #hurried: (() => unknown) | undefined;
  #acks: unknown;

  constructor(options: ConnectorOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.clock.random);
  }

  /**
   * Connects, and stays connected until `stop`, or a change to `stopped`. With a plan it is for another
   * time, and `why` tells what ended the time before.
   */
  async start(plan?: Return, why: Reason = {}): Promise<void> {
    const turn = ++this.#turn;
    const { tokens, session, device, clock, changed } = this.#options;
    changed({ status: "connecting" });
    let access: Access;
    let socket: Socket;
    let fresh = false;
    try {
      const kept = tokens.kept?.token;
      access = await tokens.get(plan?.renew);
      fresh = access.token !== kept;
      if (turn !== this.#turn) return;
      if (plan?.another && !fresh) return this.#give(why);
      socket = new this.#options.webSocket(this.#options.address(access), [SUBPROTOCOL]);
    } catch (error) {
      if (turn === this.#turn) this.#ended({ error, lived: 0, fresh });
      return;
    }
    this.#connection = new Connection(
      socket,
      {
        connect: () => session.connect(access.token, device, CLIENT),
        receive: this.#options.receive,
        ended: (ending) => this.#ended({ ...ending, fresh }),
      },
      clock,
    );
  }

  /** The server said welcome. */
  welcomed(heartbeat: number): void {
    this.#connection?.welcomed(heartbeat);
    // From here on something may be missed: a visit that ends at once is resumed from here.
    this.#options.save();
    this.#options.changed({ status: "connected" });
    this.arrived();
  }

  /** Something arrived: acknowledge it soon, together with what else arrives in the next moment. */
  arrived(): void {
    this.#acks ??= this.#options.clock.setTimeout(() => this.flush(), ACK_EVERY);
  }

  /** Acknowledges and keeps what arrived, now. */
  flush(): void {
    if (this.#acks === undefined) return;
    this.#acks = undefined;
    this.#options.save();
    if (!this.#connection?.isOpen) return;
    for (const frame of this.#options.session.acks()) this.#connection.send(frame);
  }

  send(frame: string): void {
    if (this.#connection?.isOpen) this.#connection.send(frame);
  }

  /**
   * The token ends in so many seconds: replaces it on the connection, a little later. Not at once, or a
   * source of short tokens would be asked without a pause. Where that fails the old one holds to its end.
   */
  refresh(seconds: number): void {
    const turn = this.#turn;
    const { clock, tokens } = this.#options;
    clock.setTimeout(
      async () => {
        if (turn !== this.#turn) return;
        try {
          const { token } = await tokens.get(true);
          this.send(JSON.stringify({ type: "refresh", token }));
        } catch (error) {
          if (turn === this.#turn && isLoggedOut(error)) this.#give({ error });
        }
      },
      seconds * REFRESH_AFTER * (1 + clock.random()) * 1_000,
    );
  }

  /** The page is awake or online again: do not wait for what may happen now. */
  wake(): void {
    this.#connection?.probe();
    this.#hurried?.();
  }

  /** The network is gone: what is there of a connection is of no use. */
  lost(): void {
    this.#connection?.drop();
  }

  /** Acknowledges what arrived and leaves. */
  async stop(): Promise<void> {
    this.#turn++;
    this.flush();
    this.#options.clock.clearTimeout(this.#retry);
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close();
  }

  #ended(ending: Ending): void {
    this.#connection = undefined;
    const { code, reason, error } = ending;
    const why = { code, reason, error };
    const plan = isLoggedOut(error) ? undefined : this.#backoff.after(ending);
    if (!plan) {
      this.#give(why);
      return;
    }
    const turn = this.#turn;
    const again = () => turn === this.#turn && void this.start(plan, why);
    this.#retry = this.#options.clock.setTimeout(again, plan.wait);
    // Where the server asked to come later, that holds for who is in a hurry too.
    this.#hurried = code === undefined ? again : undefined;
    this.#options.changed({ status: "offline", retryIn: plan.wait, ...why });
  }

  #give(why: Reason): void {
    this.#turn++;
    this.#options.changed({ status: "stopped", ...why });
  }
}
