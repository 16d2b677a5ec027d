/** Keeps one tab connected: opens a socket, and reconnects after its end as `Backoff` decides. */

import type { Welcome } from "../protocol.js";
import { Backoff, type Ending, type Return } from "./backoff.js";
import { Connection } from "./connection.js";
import { isLoggedOut } from "./errors.js";
import type { Session } from "./session.js";
import type { Access, Tokens } from "./tokens.js";
import type { Clock, Socket, StatusChange, Transport } from "./types.js";

/** Milliseconds between acknowledgements. Each also saves the resume point. */
const ACK_EVERY = 250;
/** The part of a token's remaining time after which it is replaced: this, up to twice this, at random. */
const REFRESH_AFTER = 0.1;
const CLIENT = "tidings-js/0.1";

type Reason = Omit<StatusChange, "status">;

export interface ConnectorOptions {
  readonly tokens: Tokens;
  readonly session: Session;
  readonly clock: Clock;
  readonly device: string | undefined;
  /** Opens a socket. `connect` returns its first frame. `blocked`: the last socket failed without an answer. */
  open(access: Access, connect: () => string, blocked: boolean): Socket;
  /** Receives the text of a frame. Throws if the text is not a frame. */
  receive(text: string): void;
  turned(change: StatusChange): void;
  /** Saves the resume point of the session. */
  save(): void;
}

export class Connector {
  readonly #options: ConnectorOptions;
  readonly #backoff: Backoff;
  #connection: Connection | undefined;
  /** Increases with each start and stop. Callbacks of an earlier turn do nothing. */
  #turn = 0;
  /** The last WebSocket was not opened and has no close code, or a stream of events in its place was cut. */
  #blocked = false;
  #retry: unknown;
  #hurried: (() => unknown) | undefined;
  #acks: unknown;

  constructor(options: ConnectorOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.clock.random);
  }

  /**
   * Connects, and reconnects until `stop` or a change to `stopped`. `plan` and `why` are given for a reconnect:
   * the plan that led to it, and how the previous connection ended.
   */
  async start(plan?: Return, why: Reason = {}): Promise<void> {
    const turn = ++this.#turn;
    const { tokens, session, device, clock, turned, open } = this.#options;
    turned({ status: "connecting" });
    let access: Access;
    let socket: Socket;
    let fresh = false;
    const connect = () => session.connect(access.token, device, CLIENT);
    try {
      const kept = tokens.kept?.token;
      access = await tokens.get(plan?.renew);
      fresh = access.token !== kept;
      if (turn !== this.#turn) return;
      if (plan?.another && !fresh) return this.#give(why);
      socket = open(access, connect, this.#blocked);
    } catch (error) {
      if (turn === this.#turn) this.#ended({ error, lived: 0, fresh });
      return;
    }
    this.#connection = new Connection(
      socket,
      {
        connect,
        receive: this.#options.receive,
        ended: (ending) => {
          this.#blocked = !(ending.code || ending.lived) === !socket.transport;
          this.#ended({ ...ending, fresh });
        },
      },
      clock,
    );
  }

  /** The welcome was received. */
  welcomed({ heartbeat, transport = "websocket" }: Welcome & { readonly transport?: Transport }): void {
    this.#connection?.welcomed(heartbeat);
    // Notifications can be missed from now on. If the page closes at once, the next visit resumes here.
    this.#options.save();
    this.#options.turned({ status: "connected", transport });
    this.arrived();
  }

  /** A frame was received. It is acknowledged soon, together with the frames of the next moment. */
  arrived(): void {
    this.#acks ??= this.#options.clock.setTimeout(() => this.flush(), ACK_EVERY);
  }

  /** Acknowledges all received frames and saves the resume point now. */
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
   * The token expires in `seconds`: replaces it on the connection after a short wait. Without the wait a source of
   * short-lived tokens would be called in a loop. If that fails, the connection ends with the old token.
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

  /** The page is awake or online again: probes the connection, or reconnects without the rest of the wait. */
  wake(): void {
    this.#connection?.probe();
    this.#hurried?.();
  }

  /** The network is lost: drops the connection. */
  lost(): void {
    this.#connection?.drop();
  }

  /** Acknowledges all received frames and closes the connection. */
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
    // A close code that asks for a later reconnect also holds after `wake`.
    this.#hurried = code === undefined ? again : undefined;
    this.#options.turned({ status: "offline", retryIn: plan.wait, ...why });
  }

  #give(why: Reason): void {
    this.#turn++;
    this.#options.turned({ status: "stopped", ...why });
  }
}
