/** The client: one inbox of one user, live on any number of tabs. */

import type {
  Counts,
  Delivered,
  Marked,
  MarkInbox,
  Positions,
  ServerFrame,
  State,
  Stated,
} from "../protocol.js";
import { Backoff } from "./backoff.js";
import { CLOCK } from "./clock.js";
import { Connector } from "./connector.js";
import { Emitter } from "./emitter.js";
import { TidingsError } from "./errors.js";
import { Ledger } from "./ledger.js";
import { Marker } from "./marker.js";
import { watchPage } from "./page.js";
import { Rest } from "./rest.js";
import { isAhead, Session, type Snapshot } from "./session.js";
import { defaultStorage } from "./storage.js";
import { type Message, Tabs } from "./tabs.js";
import { type Access, Tokens } from "./tokens.js";
import type {
  Clock,
  Events,
  Inbox,
  Item,
  ListQuery,
  Marking,
  Page,
  ResumeStorage,
  SocketConstructor,
  Status,
  StatusChange,
  TidingsOptions,
} from "./types.js";

export class Tidings implements Inbox {
  readonly #options: TidingsOptions;
  readonly #clock: Clock;
  readonly #storage: ResumeStorage;
  readonly #tokens: Tokens;
  readonly #rest: Rest;
  readonly #events = new Emitter<Events>();
  readonly #ledger = new Ledger();
  readonly #marker: Marker;
  readonly #prefix: string;
  #marks = 0;
  #change: StatusChange = { status: "idle" };
  #shown: Counts | undefined;
  #identity = "";
  #listed: Positions | undefined;
  #lost = false;
  #session = new Session();
  #connector: Connector | undefined;
  #tabs: Tabs | undefined;
  #unwatch: (() => void) | undefined;
  #key: string | undefined;
  /** Rises with each coming and going: what was begun before does nothing any more. */
  #turn = 0;

  constructor(options: TidingsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? CLOCK;
    this.#storage = options.storage ?? defaultStorage();
    this.#tokens = new Tokens(options.token, this.#clock);
    this.#rest = new Rest(options.url, this.#tokens);
    this.#prefix = `${this.#clock.random().toString(36).slice(2)}-`;
    this.#marker = new Marker({
      clock: this.#clock,
      isConnected: () => this.status === "connected",
      send: (frame) => this.#send(frame),
      post: (mark) => this.#rest.mark(mark),
    });
  }

  get status(): Status {
    return this.#change.status;
  }

  /** The newest counts, with marks that are not answered yet; undefined before the first. */
  get counts(): Counts | undefined {
    return this.#session.counts && this.#ledger.counts(this.#session.counts);
  }

  /** Whose inbox it is; undefined before the first connection. */
  get user(): string | undefined {
    return this.#session.user;
  }

  /** Whether this tab holds the connection: one of those that share it, so the one to play sounds. */
  get leads(): boolean {
    return this.#tabs?.leads ?? false;
  }

  /**
   * Comes and stays connected, resuming where this user last was in this browser, until `close`,
   * `logout`, or the server or the token source says to stay away.
   */
  connect(): void {
    if (this.#unwatch) return;
    this.#session = new Session();
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
  async close(): Promise<void> {
    if (!this.#unwatch) return;
    await this.#end({ status: "idle" });
  }

  /** Stops on all tabs of this user, and forgets where this browser was. */
  async logout(): Promise<void> {
    const key = this.#key;
    await this.#stop({ status: "stopped", reason: "logout" });
    if (key) await this.#storage.delete(key).catch(() => undefined);
  }

  /** Calls the handler with each event from now on, until the function that is returned is called. */
  on<Name extends keyof Events>(event: Name, handler: (value: Events[Name]) => void): () => void {
    return this.#events.on(event, handler);
  }

  /**
   * A page of the inbox, with marks that are not answered yet. Throws TidingsError, what the token source
   * throws, or the signal's reason.
   */
  async list(query: ListQuery = {}): Promise<Page> {
    let page = await this.#rest.list(query);
    // Answered before something that was told since: what it says of that is old.
    if (!this.#session.listed(page)) page = await this.#rest.list(query);
    if (!query.cursor) this.#listed = page.positions;
    const items = this.#ledger.list(page.items);
    this.#show();
    return { ...page, items, counts: this.#ledger.counts(page.counts) };
  }

  /**
   * Changes the state of notifications, for all devices of the user. Shown at once, and taken back where
   * the server refuses; then, or where no answer comes, it throws TidingsError. `changed` of the answer
   * counts those that this client knows where `what` names no ids.
   */
  async mark(state: State, what: Marking): Promise<Marked> {
    const mark: MarkInbox = {
      state,
      ...("ids" in what
        ? { ids: what.ids }
        : "upTo" in what
          ? { up_to: what.upTo }
          : { all: true, ...(what.category !== undefined && { category: what.category }) }),
    };
    const ref = this.#prefix + ++this.#marks;
    const at = new Date(this.#clock.now()).toISOString();
    const items = this.#ledger.begin(ref, mark, at, this.#session.counts);
    this.#tell(items, true);
    try {
      const marked = await this.#marker.mark(ref, mark, items.length);
      this.#session.count(marked.counts);
      this.#tell(this.#ledger.confirm(ref));
      return marked;
    } catch (error) {
      this.#tell(this.#ledger.cancel(ref));
      throw error;
    }
  }

  markSeen(...ids: string[]): Promise<Marked> {
    return this.mark("seen", { ids });
  }

  markRead(...ids: string[]): Promise<Marked> {
    return this.mark("read", { ids });
  }

  markUnread(...ids: string[]): Promise<Marked> {
    return this.mark("unread", { ids });
  }

  archive(...ids: string[]): Promise<Marked> {
    return this.mark("archived", { ids });
  }

  unarchive(...ids: string[]): Promise<Marked> {
    return this.mark("unarchived", { ids });
  }

  // Coming and going

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
      if (!plan || isLoggedOut(error)) return void this.#stop({ status: "stopped", error });
      this.#clock.setTimeout(() => turn === this.#turn && void this.#enter(backoff), plan.wait);
      return this.#changed({ status: "offline", retryIn: plan.wait, error });
    }
    if (turn !== this.#turn) return;
    const { identity } = access;
    if (identity !== this.#identity) this.#ledger.clear();
    this.#identity = identity;
    this.#key = identity && `${this.#options.url}#${identity}`;
    const tabs = new Tabs(
      this.#key && this.#options.shared !== false ? `tidings:${this.#key}` : undefined,
      {
        lead: () => void this.#lead(turn),
        follow: () => this.#follow(),
        receive: (message) => this.#hear(message),
      },
      this.#clock,
    );
    this.#tabs = tabs;
    tabs.join();
  }

  /** This tab holds the connection from now on. */
  async #lead(turn: number): Promise<void> {
    const session = this.#session;
    if (this.#key) session.restore(await this.#storage.get(this.#key).catch(() => undefined));
    if (turn !== this.#turn || !this.leads) return;
    this.#connector = new Connector({
      tokens: this.#tokens,
      session,
      clock: this.#clock,
      device: this.#options.device,
      webSocket: this.#options.webSocket ?? (globalThis.WebSocket as unknown as SocketConstructor),
      address: (access) => this.#options.realtimeUrl ?? access.realtimeUrl ?? beside(this.#options.url),
      receive: (text) => {
        this.#tabs?.post({ kind: "frame", text });
        this.#receive(text);
      },
      changed: (change) => {
        if (change.status === "stopped") return void this.#stop(change);
        this.#tabs?.post({ kind: "status", change });
        this.#changed(change);
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

  async #end(change: StatusChange): Promise<void> {
    this.#unwatch?.();
    this.#unwatch = undefined;
    const left = this.#leave();
    this.#tokens.forget();
    this.#changed(change);
    this.#marker.end();
    await left;
  }

  /** Stops on all tabs. */
  async #stop(change: StatusChange): Promise<void> {
    this.#tabs?.post({ kind: "stop", change });
    this.#key = undefined;
    await this.#end(change);
  }

  #wake(): void {
    if (this.#tabs) this.#connector?.wake();
    else if (this.status === "offline") void this.#enter();
  }

  #save(): void {
    const point = this.#session.point();
    if (this.#key && point) void this.#storage.set(this.#key, point).catch(() => undefined);
  }

  // What other tabs say

  #hear(message: Message): void {
    switch (message.kind) {
      case "hello":
        this.#tabs?.post({ kind: "snapshot", snapshot: this.#session.snapshot(), change: this.#change });
        break;
      case "send":
        this.#connector?.send(message.frame);
        break;
      case "snapshot":
        if (message.snapshot) this.#adopt(message.snapshot);
        this.#changed(message.change);
        break;
      case "frame":
        this.#receive(message.text);
        break;
      case "status":
        this.#changed(message.change);
        break;
      case "stop":
        this.#key = undefined;
        void this.#end(message.change);
        break;
    }
  }

  #adopt(snapshot: Snapshot): void {
    const first = this.user === undefined;
    const missed = this.#session.follow(snapshot);
    this.#show();
    if (missed || (first && this.#isStale(snapshot.point.positions))) this.#reload();
  }

  #send(frame: string): void {
    if (this.leads) this.#connector?.send(frame);
    else this.#tabs?.post({ kind: "send", frame });
  }

  // What the server says

  /** Takes a frame of the server, on the tab that leads and on those that follow. */
  #receive(text: string): void {
    const frame = this.#session.receive(text);
    if (!frame) return;
    this.#dispatch(frame);
    this.#connector?.arrived();
    this.#show();
  }

  #dispatch(frame: ServerFrame): void {
    switch (frame.type) {
      case "welcome":
        // Between a page that was listed and a connection from the ends on, something may have come.
        if (frame.resume === "none" && this.#isStale(frame.positions)) this.#reload();
        this.#connector?.welcomed(frame.heartbeat);
        break;
      case "notification":
        this.#events.emit("notification", {
          item: this.#ledger.arrive(arrived(frame)),
          replayed: frame.replayed ?? false,
        });
        break;
      case "gap":
        this.#events.emit("gap", frame);
        if (frame.reason === "epoch") {
          this.#ledger.clear();
          this.#lost = true;
        }
        break;
      case "caught_up":
        // There was a gap for each log; all of them together are one reason to list again.
        if (this.#lost) this.#reload();
        this.#lost = false;
        break;
      case "recalled":
        this.#ledger.remove(frame.id);
        this.#events.emit("recalled", frame);
        break;
      case "state":
        this.#stated(frame);
        break;
      case "error":
        this.#marker.refuse(frame);
        break;
      case "expiring":
        this.#connector?.refresh(frame.in);
        break;
    }
  }

  #stated(frame: Stated): void {
    const items = this.#ledger.apply(frame);
    if (items.length) this.#events.emit("state", { items, reload: false, optimistic: false });
    if (frame.reload) this.#reload();
    this.#marker.answer(frame);
  }

  #isStale(positions: Positions): boolean {
    return this.#listed !== undefined && isAhead(positions, this.#listed);
  }

  // What the page is told

  #changed(change: StatusChange): void {
    const { status } = this.#change;
    this.#change = change;
    if (change.status === "connected" && status !== "connected") this.#marker.resend();
    if (status !== change.status || change.status === "offline") this.#events.emit("status", change);
  }

  #tell(items: readonly Item[], optimistic = false): void {
    if (items.length) this.#events.emit("state", { items, reload: false, optimistic });
    this.#show();
  }

  #reload(): void {
    this.#events.emit("state", { items: [], reload: true, optimistic: false });
  }

  /** Tells the counts where they look different. */
  #show(): void {
    const { counts } = this;
    const shown = this.#shown;
    if (!counts || (counts.unseen === shown?.unseen && counts.unread === shown.unread)) return;
    this.#shown = counts;
    this.#events.emit("counts", counts);
  }
}

function arrived({ log, position, notification }: Delivered): Item {
  return { log, position, state: "unseen", seen_at: null, read_at: null, archived_at: null, notification };
}

/** Where a gateway is expected that is reached beside the API, as behind one proxy. */
function beside(url: string): string {
  return `${url.replace(/^http/, "ws").replace(/\/+$/, "")}/v1/realtime`;
}

function isLoggedOut(error: unknown): boolean {
  return error instanceof TidingsError && error.code === "logged_out";
}
