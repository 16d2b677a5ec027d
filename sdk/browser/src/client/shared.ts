/**
 * The connection of one user that all tabs share: who holds it, how it comes and goes, and its session.
 *
 * Every tab has the session and sees each frame; the one that leads has the socket.
 */

import type { ServerFrame } from "../protocol.js";
import { Backoff } from "./backoff.js";
import { within } from "./clock.js";
import { Connector } from "./connector.js";
import { isLoggedOut } from "./errors.js";
import { watchPage } from "./page.js";
import { Session } from "./session.js";
import { defaultStorage } from "./storage.js";
import { type Message, Tabs } from "./tabs.js";
import type { Access, Tokens } from "./tokens.js";
import type { Clock, ResumeStorage, SocketConstructor, StatusChange, TidingsOptions } from "./types.js";

const LOGOUT = "logout";
/** A storage that takes longer is done without. */
const STORED_WITHIN = 1_000;

export interface SharedHooks {
  /** A frame that was not told before; the session holds it already. */
  receive(frame: ServerFrame): void;
  changed(change: StatusChange): void;
  /** This tab goes on where the leader is; `first` for the first time, `missed` where frames passed it by. */
  followed(first: boolean, missed: boolean): void;
  /** Another user than before; called before anything else of that user. */
  another(): void;
}

export class SharedConnection {
  session = new Session();
  readonly #options: TidingsOptions;
  readonly #tokens: Tokens;
  readonly #clock: Clock;
  readonly #hooks: SharedHooks;
  readonly #storage: ResumeStorage | undefined;
  #change: StatusChange = { status: "idle" };
  #connector: Connector | undefined;
  #tabs: Tabs | undefined;
  #unwatch: (() => void) | undefined;
  #identity = "";
  /** Where the resume point is kept, and what tabs find each other by; empty where the token is nobody's. */
  #key = "";
  /** Rises with each coming and going: what was begun before does nothing any more. */
  #turn = 0;

  constructor(options: TidingsOptions, tokens: Tokens, clock: Clock, hooks: SharedHooks) {
    this.#options = options;
    this.#tokens = tokens;
    this.#clock = clock;
    this.#hooks = hooks;
    this.#storage = options.storage ?? defaultStorage();
  }

  /** Whether this tab holds the connection. */
  get leads(): boolean {
    return this.#tabs?.leads ?? false;
  }

  /** Comes and stays, until `close` or `stop`. */
  open(): void {
    if (this.#unwatch) return;
    this.#unwatch = watchPage({
      wake: () => this.#wake(),
      hide: () => this.#connector?.flush(),
      offline: () => this.#connector?.lost(),
      leave: () => void this.#leave(),
      enter: () => void this.#enter(),
    });
    void this.#enter();
  }

  /** Acknowledges what arrived and leaves; other tabs go on. */
  async close(change: StatusChange = { status: "idle" }): Promise<void> {
    if (!this.#unwatch) return;
    this.#unwatch();
    this.#unwatch = undefined;
    const left = this.#leave();
    this.#tokens.forget();
    this.#changed(change);
    await left;
  }

  /** Stops on all tabs of the user. */
  async stop(change: StatusChange): Promise<void> {
    this.#tabs?.post({ kind: "stop", change });
    await this.close(change);
  }

  /** Stops on all tabs of the user, and forgets where this browser was. */
  async logout(): Promise<void> {
    const key = this.#key;
    this.#forget();
    await this.stop({ status: "stopped", reason: LOGOUT });
    await this.#stored((storage) => storage.delete(key), key);
  }

  send(frame: string): void {
    if (this.leads) this.#connector?.send(frame);
    else this.#tabs?.post({ kind: "send", frame });
  }

  /** Learns whose tab this is, then joins the others of that user. Nothing where it has. */
  async #enter(backoff = new Backoff(this.#clock.random)): Promise<void> {
    // A page that comes out of the cache is both resumed and shown.
    if (this.#tabs) return;
    const turn = ++this.#turn;
    this.#changed({ status: "connecting" });
    let access: Access;
    try {
      access = await this.#tokens.get();
    } catch (error) {
      if (turn !== this.#turn) return;
      const plan = backoff.after({ lived: 0, fresh: true });
      if (!plan || isLoggedOut(error)) return this.stop({ status: "stopped", error });
      this.#clock.setTimeout(() => turn === this.#turn && void this.#enter(backoff), plan.wait);
      return this.#changed({ status: "offline", retryIn: plan.wait, error });
    }
    if (turn !== this.#turn) return;
    const { identity } = access;
    if (this.#identity && identity !== this.#identity) {
      this.session = new Session();
      this.#hooks.another();
    }
    this.#identity = identity;
    this.#key = identity && `${this.#options.url}#${identity}`;
    this.#tabs = new Tabs(
      this.#key && this.#options.shared !== false ? `tidings:${this.#key}` : undefined,
      {
        lead: () => void this.#lead(turn),
        follow: () => this.#follow(),
        receive: (message) => this.#hear(message),
      },
      this.#clock,
    );
    this.#tabs.join();
  }

  /** This tab holds the connection from now on. */
  async #lead(turn: number): Promise<void> {
    const { session } = this;
    session.restore(await this.#stored((storage, key) => storage.get(key)));
    // It may have lost the lead meanwhile, and got it back.
    if (turn !== this.#turn || !this.leads || this.#connector) return;
    this.#connector = new Connector({
      tokens: this.#tokens,
      session,
      clock: this.#clock,
      device: this.#options.device,
      webSocket: this.#options.webSocket ?? (globalThis.WebSocket as unknown as SocketConstructor),
      address: (access) => this.#options.realtimeUrl ?? access.realtimeUrl ?? beside(this.#options.url),
      receive: (text) => this.#receive(text),
      changed: (change) => {
        if (change.status === "stopped") return void this.stop(change);
        this.#changed(change);
        this.#tabs?.post({ kind: "status", change: this.#change });
      },
      save: () => this.#save(),
    });
    void this.#connector.start();
  }

  /** Another tab took over, while this one hung perhaps: ask for what it missed. */
  #follow(): void {
    void this.#connector?.stop();
    this.#connector = undefined;
    this.#tabs?.post({ kind: "hello" });
  }

  async #leave(): Promise<void> {
    this.#turn++;
    const stopped = this.#connector?.stop();
    this.#connector = undefined;
    this.#tabs?.leave();
    this.#tabs = undefined;
    await stopped;
  }

  #wake(): void {
    if (this.#tabs) this.#connector?.wake();
    else if (this.#change.status === "offline") void this.#enter();
  }

  #save(): void {
    const point = this.session.point();
    if (point) void this.#stored((storage, key) => storage.set(key, point));
  }

  /** What a storage throws, or keeps to itself, is passed over. */
  async #stored<Value>(
    act: (storage: ResumeStorage, key: string) => Promise<Value>,
    key = this.#key,
  ): Promise<Value | undefined> {
    const storage = this.#storage;
    try {
      return storage && key
        ? await within(this.#clock, STORED_WITHIN, "", () => act(storage, key))
        : undefined;
    } catch {
      return undefined;
    }
  }

  /** Nothing more is kept of this user, and nothing remembered. */
  #forget(): void {
    this.#key = "";
    this.session = new Session();
  }

  /** Something that another tab says. */
  #hear(message: Message): void {
    switch (message.kind) {
      case "hello":
        this.#tabs?.post({ kind: "snapshot", snapshot: this.session.snapshot(), change: this.#change });
        break;
      case "send":
        this.#connector?.send(message.frame);
        break;
      case "snapshot": {
        const first = this.session.user === undefined;
        if (message.snapshot) this.#hooks.followed(first, this.session.follow(message.snapshot));
        this.#changed(message.change);
        break;
      }
      case "frame":
        this.#receive(message.text);
        break;
      case "status":
        this.#changed(message.change);
        break;
      case "stop":
        if (message.change.reason === LOGOUT) this.#forget();
        void this.close(message.change);
        break;
    }
  }

  /** Takes a frame of the server, on the tab that leads and on those that follow. */
  #receive(text: string): void {
    const frame = this.session.receive(text);
    if (!frame) return;
    if (this.leads) this.#tabs?.post({ kind: "frame", text });
    this.#hooks.receive(frame);
    if (frame.type === "welcome") this.#connector?.welcomed(frame.heartbeat);
    else if (frame.type === "expiring") this.#connector?.refresh(frame.in);
    else this.#connector?.arrived();
  }

  #changed(change: StatusChange): void {
    // Other tabs can be told the text of what was thrown, whatever that was.
    this.#change = { ...change, error: change.error && String(change.error) };
    this.#hooks.changed(change);
  }
}

/** Where a gateway is expected that is reached beside the API, as behind one proxy. */
function beside(url: string): string {
  return `${url.replace(/^http/, "ws")}/v1/realtime`;
}
