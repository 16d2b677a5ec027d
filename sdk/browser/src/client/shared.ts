/**
 * The connection of one user that all tabs share: its leader, its life cycle, and its session.
 *
 * Each tab has the session and processes each frame. Only the leader has the socket.
 */

import { type ServerFrame, SUBPROTOCOL } from "../protocol.js";
import { Backoff } from "./backoff.js";
import { within } from "./clock.js";
import { Connector } from "./connector.js";
import { isLoggedOut } from "./errors.js";
import type { Fallback } from "./fallback.js";
import { watchPage } from "./page.js";
import { type OfTopic, Session } from "./session.js";
import { defaultStorage } from "./storage.js";
import { type Message, Tabs } from "./tabs.js";
import type { Access, Tokens } from "./tokens.js";
import type { Clock, ResumeStorage, SocketConstructor, StatusChange, TidingsOptions } from "./types.js";

const LOGOUT = "logout";
/** Milliseconds. An access to the storage that takes longer is ignored. */
const STORED_WITHIN = 1_000;

export interface SharedHooks {
  /** A new frame. The session has processed it already. */
  receive(frame: ServerFrame | OfTopic): void;
  turned(change: StatusChange): void;
  /** This tab took the leader's state: for the first time if `first`, and after a loss of frames if `missed`. */
  followed(first: boolean, missed: boolean): void;
  /** The user changed. Called before all other calls for the new user. */
  another(): void;
}

export class SharedConnection {
  session = new Session();
  /** Takes the place of a WebSocket that the network blocks. It is loaded when there was no connection for a while. */
  declare fallback?: Fallback;
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
  /** The key of the stored resume point and of the tabs' channel; empty if the token names no user. */
  #key = "";
  /** Increases with each enter and leave. Callbacks of an earlier turn do nothing. */
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
    return !!this.#tabs?.leads;
  }

  /** Connects, and stays connected until `close` or `stop`. */
  open(): void {
    if (this.#unwatch) return;
    this.#unwatch = watchPage({
      wake: () => this.#wake(),
      hide: () => this.#connector?.flush(),
      offline: () => this.#connector?.lost(),
      leave: () => this.#leave(),
      enter: () => this.#enter(),
    });
    void this.#enter();
  }

  /** Acknowledges all received frames and closes. Other tabs stay connected. */
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

  /** Stops on all tabs of the user, and deletes the resume point of this browser. */
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

  /** Requests a token to learn the user, then joins the other tabs of that user, once. */
  async #enter(backoff = new Backoff(this.#clock.random)): Promise<void> {
    // A page from the back/forward cache gets both events, `resume` and `pageshow`.
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
        receive: (message) => this.#receiveMessage(message),
      },
      this.#clock,
    );
    this.#tabs.join();
  }

  /** Makes this tab the leader: it opens the connection. */
  async #lead(turn: number): Promise<void> {
    const { session } = this;
    session.restore(await this.#stored((storage, key) => storage.get(key)));
    // During the wait this tab may have lost the lead, and won it again.
    if (turn !== this.#turn || !this.leads || this.#connector) return;
    this.#connector = new Connector({
      tokens: this.#tokens,
      session,
      clock: this.#clock,
      device: this.#options.device,
      open: (access, connect, blocked) => {
        const { url, realtimeUrl, webSocket = WebSocket as unknown as SocketConstructor } = this.#options;
        // By default the gateway is beside the API, as behind one proxy.
        const address = realtimeUrl ?? access.realtimeUrl ?? `${url.replace(/^http/, "ws")}/v1/realtime`;
        const other = blocked && this.fallback?.(address, connect, webSocket);
        return other || new webSocket(address, [SUBPROTOCOL]);
      },
      receive: (text) => this.#receiveFrame(text),
      turned: (change) => {
        if (change.status === "stopped") return void this.stop(change);
        this.#changed(change);
        this.#tabs?.post({ kind: "status", change: this.#change });
      },
      save: () => this.#save(),
    });
    void this.#connector.start();
  }

  /** Another tab took the lead: closes the connection and asks for the new leader's state. */
  #follow(): void {
    void this.#connector?.stop();
    this.#connector = undefined;
    // The new leader's status follows. The new connection has no topics and marks of this tab.
    this.#changed({ status: "connecting" });
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

  /** Accesses the storage. Returns undefined after an error or a timeout. */
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

  /** Drops the session of this user. Nothing more is stored under the key. */
  #forget(): void {
    this.#key = "";
    this.session = new Session();
  }

  /** Handles a message of another tab. */
  #receiveMessage(message: Message): void {
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
        this.#receiveFrame(message.text);
        break;
      case "status":
        this.#changed(message.change);
        break;
      case "stop":
        if (message.change.reason === LOGOUT) this.#forget();
        void this.close(message.change);
    }
  }

  /** Handles a frame of the server, on the leader and on following tabs. */
  #receiveFrame(text: string): void {
    const frame = this.session.receive(text);
    if (!frame) return;
    if (this.leads) this.#tabs?.post({ kind: "frame", text });
    this.#hooks.receive(frame);
    if (frame.type === "welcome") this.#connector?.welcomed(frame);
    else if (frame.type === "expiring") this.#connector?.refresh(frame.in);
    else this.#connector?.arrived();
  }

  #changed(change: StatusChange): void {
    // An error becomes text, because not every error can be posted to other tabs.
    this.#change = { ...change, error: change.error && String(change.error) };
    this.#hooks.turned(change);
  }
}
