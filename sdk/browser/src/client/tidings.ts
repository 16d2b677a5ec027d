/** The client: one inbox of one user, live on any number of tabs. Over 300 lines: a split costs bytes. */

import type {
  Acted,
  Counts,
  Delivered,
  Marked,
  MarkInbox,
  Positions,
  ServerFrame,
  State,
  Stated,
  UsedAction,
} from "../protocol.js";
import { CLOCK } from "./clock.js";
import { Emitter } from "./emitter.js";
import { TidingsError } from "./errors.js";
import { type Change, Ledger, marked } from "./ledger.js";
import type { Frames } from "./link.js";
import { loadFallback, loadTopics } from "./load.js";
import { Marker, type Wanted } from "./marker.js";
import { Rest } from "./rest.js";
import { isAhead, type OfTopic } from "./session.js";
import { SharedConnection } from "./shared.js";
import { Tokens } from "./tokens.js";
import type { TopicHandler, TopicOptions } from "./topics.js";
import type {
  Events,
  Inbox,
  Item,
  ListQuery,
  Marking,
  Page,
  Status,
  StatusChange,
  TidingsOptions,
} from "./types.js";

/** The functions of the module for topics, and what they get beside the parts of this client. */
type Functions = Pick<typeof import("./topics.js"), "subscribe" | "message">;
type Further<Call> = Call extends (events: never, link: never, failed: never, ...rest: infer Rest) => unknown
  ? Rest
  : never;

/** Milliseconds without a connection. Then the module for networks that block WebSockets is loaded. */
const AWAY = 2_000;

export class Tidings implements Inbox {
  readonly #rest: Rest;
  readonly #connection: SharedConnection;
  readonly #events = new Emitter<Frames>();
  #ledger = new Ledger();
  readonly #marker: Marker;
  readonly #prefix: string;
  /** Switches polling on and off. It is on while there is no connection. */
  readonly #poll: (on: boolean) => void;
  #marks = 0;
  #change: StatusChange = { status: "idle" };
  #emitted: Counts | undefined;
  /** The page that was listed last without a cursor. */
  #listed: Page | undefined;
  /** A gap of another epoch was received: all lists are out of date. */
  #epochChanged = false;
  #missed: number | null | undefined;

  constructor(options: TidingsOptions) {
    const clock = options.clock ?? CLOCK;
    const url = options.url.replace(/(?<!\/)\/+$/, "");
    const tokens = new Tokens(options.token, clock);
    this.#rest = new Rest(url, tokens, clock);
    let away: boolean;
    let turn: ((on: boolean) => void) | undefined;
    const load = () =>
      away &&
      loadFallback().then(
        ({ start }) => {
          turn ??= start(
            this.#connection,
            url,
            tokens,
            clock,
            this,
            () => this.#listed,
            () => this.#reload(),
          );
          turn(away);
        },
        () => undefined,
      );
    this.#poll = (on) => {
      away = on;
      if (turn) turn(on);
      else if (on) clock.setTimeout(load, AWAY);
    };
    this.#prefix = `${clock.random().toString(36).slice(2)}-`;
    this.#connection = new SharedConnection({ ...options, url }, tokens, clock, {
      receive: (frame) => {
        this.#receive(frame);
        this.#emitCounts();
        this.#events.emit("frame", frame);
      },
      turned: (change) => this.#changed(change),
      followed: (first, missed) => {
        this.#emitCounts();
        if (missed || (first && this.#isStale(this.#session.point()?.positions ?? {}))) this.#reload();
      },
      another: () => {
        this.#ledger = new Ledger();
        this.#missed = this.#listed = this.#emitted = undefined;
      },
    });
    this.#marker = new Marker({
      clock,
      now: () => this.#change,
      send: (frame) => this.#connection.send(frame),
      post: (wanted) => this.#rest.post(wanted.state ? "/mark" : "/snooze", wanted),
    });
  }

  get status(): Status {
    return this.#change.status;
  }

  /** The newest counts, including marks without an answer; undefined before the first counts. */
  get counts(): Counts | undefined {
    return this.#session.counts && this.#ledger.counts(this.#session.counts);
  }

  /** The user of the inbox; undefined before the first connection and after `logout()`. */
  get user(): string | undefined {
    return this.#session.user;
  }

  /**
   * The number of missed notifications, by all gaps since the start: null if the number is unknown, undefined if
   * none is missed.
   */
  get missed(): number | null | undefined {
    return this.#missed;
  }

  /** Resets `missed`. Call it when the user has seen the notice. */
  forgetMissed(): void {
    this.#missed = undefined;
  }

  /** Whether this tab holds the connection. Exactly one of the tabs that share it does: let that one play sounds. */
  get leads(): boolean {
    return this.#connection.leads;
  }

  /**
   * Connects and reconnects, resuming where this user last was in this browser. It stops with `close`, `logout`, or
   * when the server or the token source refuses the user for good.
   */
  connect(): void {
    this.#connection.open();
  }

  /** Acknowledges all received frames and closes. Other tabs stay connected. */
  close(): Promise<void> {
    return this.#connection.close();
  }

  /** Stops on all tabs of this user, and deletes the resume point of this browser. */
  logout(): Promise<void> {
    return this.#connection.logout();
  }

  /** Calls the handler with each further event. The returned function removes the handler. */
  on<Name extends keyof Events>(event: Name, handler: (value: Events[Name]) => void): () => void {
    return this.#events.on(event, handler);
  }

  /**
   * Returns a page of the inbox, including marks without an answer. Throws TidingsError, an error of the token
   * source, or the signal's reason.
   */
  async list(query: ListQuery = {}): Promise<Page> {
    // The user may change before the answer.
    const [session, ledger] = [this.#session, this.#ledger];
    let page = await this.#rest.list(query);
    // The page is older than a `state` frame that was received during the request.
    if (!session.listed(page)) page = await this.#rest.list(query);
    if (!query.cursor && ledger === this.#ledger) this.#listed = page;
    const items = ledger.list(page.items, page.state_version);
    this.#emitCounts();
    return { ...page, items, counts: ledger.counts(page.counts) };
  }

  /**
   * Changes the state of notifications, for all devices of the user. The change shows at once, and is taken back
   * if the server refuses it. Throws TidingsError if the server refuses or does not answer. Without ids in `what`,
   * `changed` of the answer counts the notifications that this client knows.
   */
  mark(state: State, what: Marking): Promise<Marked> {
    const { upTo: up_to, ...how } = what as { readonly upTo?: Positions };
    return this.#make([state, new Date().toISOString()], { state, up_to, ...how } as MarkInbox);
  }

  /**
   * Hides notifications until a time, for all devices of the user; then they are unseen again. Null ends a snooze now.
   * It shows at once, and is taken back if the server refuses it. Throws TidingsError, as `mark` does.
   */
  snooze(ids: readonly string[], time: Date | string | null): Promise<Marked> {
    const until = time && new Date(time).toISOString();
    return this.#make(["snoozed", until], { ids, until });
  }

  /** Shows a change before its answer. */
  async #make(change: Change, wanted: Wanted): Promise<Marked> {
    const [session, ledger] = [this.#session, this.#ledger];
    const ref = this.#prefix + ++this.#marks;
    const items = ledger.pend(ref, change, wanted, session.counts);
    this.#emitState(items, true);
    try {
      const marked = await this.#marker.mark(ref, wanted, items.length);
      session.recount(marked.counts);
      this.#emitState(ledger.confirm(ref));
      return marked;
    } catch (error) {
      this.#emitState(ledger.revoke(ref));
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

  /**
   * Calls the handler with each notification of a topic, over reconnects and changes of the leading tab. The token
   * or the tenant has to allow the topic. The returned function ends the subscription.
   */
  subscribe(topic: string, handler: TopicHandler, options: TopicOptions = {}): () => void {
    const ended = this.#load("subscribe", topic, handler, options).catch(options.onEnd);
    return () => ended.then((end) => end?.());
  }

  /**
   * Uses an action of a notification, for all devices of the user. Resolves to the first use, with its time. The
   * request finishes also if the page closes. Throws TidingsError: `action_used` after another action,
   * `unknown_action`, `not_found`, or as `list` does.
   */
  async act(id: string, action: string): Promise<UsedAction> {
    const acted = await this.#rest.post<Acted>(`/${id}/actions/${encodeURIComponent(action)}`);
    // Without a connection there is no `state` frame.
    this.#emitState(this.#ledger.apply({ acted } as Stated));
    return acted.action;
  }

  /**
   * Sends a message to the application. Resolves to the data of the reply. A message without a reply is sent again
   * after a reconnect, with the same id for the application. Rejects with TidingsError: the code of the server,
   * `unanswered` after 30 seconds or when the client stops, or `no_websocket` on a stream of events.
   */
  message(event: string, data?: unknown): Promise<unknown> {
    return this.#load("message", this.#change, event, data);
  }

  async #load<Name extends keyof Functions>(
    name: Name,
    ...rest: Further<Functions[Name]>
  ): Promise<Awaited<ReturnType<Functions[Name]>>> {
    const call = (await loadTopics())[name] as (...given: unknown[]) => Awaited<ReturnType<Functions[Name]>>;
    return call(this.#events, this.#connection, TidingsError, ...rest);
  }

  get #session() {
    return this.#connection.session;
  }

  #receive(frame: ServerFrame | OfTopic): void {
    switch (frame.type) {
      case "welcome":
        // Notifications may have been sent between the last list and the start of this connection.
        if (frame.resume === "none" && this.#isStale(frame.positions)) this.#reload();
        break;
      case "notification":
        this.#events.emit("notification", {
          item: this.#ledger.arrive(arrived(frame)),
          replayed: frame.replayed ?? false,
        });
        break;
      case "gap":
        // An unknown number stays unknown.
        this.#missed =
          frame.missed === null || this.#missed === null ? null : (this.#missed ?? 0) + frame.missed;
        this.#events.emit("gap", frame);
        if (frame.reason === "epoch") {
          this.#ledger.clear();
          this.#epochChanged = true;
        }
        break;
      case "caught_up":
        // The gaps of all logs precede this frame, so one reload is enough for them.
        if (this.#epochChanged) this.#reload();
        this.#epochChanged = false;
        if (frame.expired) this.#events.emit("expired", frame.expired);
        break;
      case "recalled":
        this.#ledger.drop(frame.id);
        this.#events.emit("recalled", frame);
        break;
      case "state":
        this.#emitState(this.#ledger.apply(frame), false, frame.reload || frame.snoozed?.until === null);
        this.#marker.answer(frame);
        break;
      case "error":
        this.#marker.refuse(frame);
    }
  }

  #isStale(positions: Positions): boolean {
    return this.#listed !== undefined && isAhead(positions, this.#listed.positions);
  }

  #changed(change: StatusChange): void {
    const { status, transport } = change;
    const before = this.#change;
    this.#change = change;
    this.#poll(status === "connecting" || status === "offline");
    if (before.status === status && before.transport === transport && status !== "offline") return;
    if (status === "connected") this.#marker.resend();
    if (status === "idle" || status === "stopped") this.#marker.end();
    this.#events.emit("status", change);
  }

  #emitState(items: readonly Item[], optimistic = false, reload = false): void {
    if (items.length || reload) this.#events.emit("state", { items, reload, optimistic });
    this.#emitCounts();
  }

  #reload(): void {
    this.#emitState([], false, true);
  }

  /** Emits the counts if they changed. */
  #emitCounts(): void {
    const { counts } = this;
    const shown = this.#emitted;
    if (!counts || (counts.unseen === shown?.unseen && counts.unread === shown.unread)) return;
    this.#emitted = counts;
    this.#events.emit("counts", counts);
  }
}

function arrived({ type, replayed, ...item }: Delivered): Item {
  return marked({ action: null, ...item } as Item, "unarchived", "");
}
