/** The client: one inbox of one user, live on any number of tabs. */

import type { Counts, Delivered, Marked, MarkInbox, Positions, ServerFrame, State } from "../protocol.js";
import { CLOCK } from "./clock.js";
import { Emitter } from "./emitter.js";
import { Ledger } from "./ledger.js";
import { Marker } from "./marker.js";
import { poll } from "./poll.js";
import { Rest } from "./rest.js";
import { isAhead } from "./session.js";
import { SharedConnection } from "./shared.js";
import { Tokens } from "./tokens.js";
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

export class Tidings implements Inbox {
  readonly #rest: Rest;
  readonly #connection: SharedConnection;
  readonly #events = new Emitter<Events>();
  #ledger = new Ledger();
  readonly #marker: Marker;
  readonly #prefix: string;
  /** On while there is no connection. */
  readonly #poll: (on: boolean) => void;
  #marks = 0;
  #status: Status = "idle";
  #shown: Counts | undefined;
  /** The page that was listed last, from the newest on. */
  #listed: Page | undefined;
  /** A gap of another epoch came: all that was listed is to be listed again. */
  #lost = false;
  #missed: number | null | undefined;

  constructor(options: TidingsOptions) {
    const clock = options.clock ?? CLOCK;
    const url = options.url.replace(/(?<!\/)\/+$/, "");
    const tokens = new Tokens(options.token, clock);
    this.#rest = new Rest(url, tokens, clock);
    this.#poll = poll(clock, async () => {
      // A token that cannot be had is the connection's to ask for.
      if (tokens.kept) await this.#ask();
    });
    this.#prefix = `${clock.random().toString(36).slice(2)}-`;
    this.#connection = new SharedConnection({ ...options, url }, tokens, clock, {
      receive: (frame) => {
        this.#receive(frame);
        this.#show();
      },
      changed: (change) => this.#changed(change),
      followed: (first, missed) => {
        this.#show();
        if (missed || (first && this.#isStale(this.#session.point()?.positions ?? {}))) this.#reload();
      },
      another: () => {
        this.#ledger = new Ledger();
        this.#missed = this.#listed = this.#shown = undefined;
      },
    });
    this.#marker = new Marker({
      clock,
      isConnected: () => this.status === "connected",
      send: (frame) => this.#connection.send(frame),
      post: (mark) => this.#rest.mark(mark),
    });
  }

  get status(): Status {
    return this.#status;
  }

  /** The newest counts, with marks that are not answered yet; undefined before the first. */
  get counts(): Counts | undefined {
    return this.#session.counts && this.#ledger.counts(this.#session.counts);
  }

  /** Whose inbox it is; undefined before the first connection, and after `logout()`. */
  get user(): string | undefined {
    return this.#session.user;
  }

  /**
   * How many notifications are missing by the gaps that were told, also before anybody listened: null
   * where nobody knows how many, undefined where nothing is missing.
   */
  get missed(): number | null | undefined {
    return this.#missed;
  }

  /** The reader knows what is missing: `missed` begins anew. */
  forgetMissed(): void {
    this.#missed = undefined;
  }

  /** Whether this tab holds the connection: one of those that share it, so the one to play sounds. */
  get leads(): boolean {
    return this.#connection.leads;
  }

  /**
   * Comes and stays connected, resuming where this user last was in this browser, until `close`,
   * `logout`, or the server or the token source says to stay away.
   */
  connect(): void {
    this.#connection.open();
  }

  /** Acknowledges what arrived and leaves; other tabs go on. */
  close(): Promise<void> {
    return this.#connection.close();
  }

  /** Stops on all tabs of this user, and forgets where this browser was. */
  logout(): Promise<void> {
    return this.#connection.logout();
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
    // Somebody else may be here when it comes.
    const [session, ledger] = [this.#session, this.#ledger];
    let page = await this.#rest.list(query);
    // Answered before something that was told since: what it says of that is old.
    if (!session.listed(page)) page = await this.#rest.list(query);
    if (!query.cursor && ledger === this.#ledger) this.#listed = page;
    const items = ledger.list(page.items, page.state_version);
    this.#show();
    return { ...page, items, counts: ledger.counts(page.counts) };
  }

  /**
   * Changes the state of notifications, for all devices of the user. Shown at once, and taken back where
   * the server refuses; then, or where no answer comes, it throws TidingsError. `changed` of the answer
   * counts those that this client knows where `what` names no ids.
   */
  async mark(state: State, what: Marking): Promise<Marked> {
    const [session, ledger] = [this.#session, this.#ledger];
    const { upTo: up_to, ...how } = what as { readonly upTo?: Positions };
    const mark = { state, up_to, ...how } as MarkInbox;
    const ref = this.#prefix + ++this.#marks;
    const items = ledger.begin(ref, mark, new Date().toISOString(), session.counts);
    this.#tell(items, true);
    try {
      const marked = await this.#marker.mark(ref, mark, items.length);
      session.count(marked.counts);
      this.#tell(ledger.confirm(ref));
      return marked;
    } catch (error) {
      this.#tell(ledger.cancel(ref));
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

  get #session() {
    return this.#connection.session;
  }

  #receive(frame: ServerFrame): void {
    switch (frame.type) {
      case "welcome":
        // Between a page that was listed and a connection from the ends on, something may have come.
        if (frame.resume === "none" && this.#isStale(frame.positions)) this.#reload();
        break;
      case "notification":
        this.#events.emit("notification", {
          item: this.#ledger.arrive(arrived(frame)),
          replayed: frame.replayed ?? false,
        });
        break;
      case "gap":
        // Once the number is unknown it stays so.
        this.#missed =
          frame.missed === null || this.#missed === null ? null : (this.#missed ?? 0) + frame.missed;
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
        if (frame.expired) this.#events.emit("expired", frame.expired);
        break;
      case "recalled":
        this.#ledger.remove(frame.id);
        this.#events.emit("recalled", frame);
        break;
      case "state":
        this.#tell(this.#ledger.apply(frame), false, frame.reload);
        this.#marker.answer(frame);
        break;
      case "error":
        this.#marker.refuse(frame);
        break;
    }
  }

  #isStale(positions: Positions): boolean {
    return this.#listed !== undefined && isAhead(positions, this.#listed.positions);
  }

  #changed(change: StatusChange): void {
    const before = this.#status;
    this.#status = change.status;
    this.#poll(change.status === "connecting" || change.status === "offline");
    if (before === change.status && before !== "offline") return;
    if (change.status === "connected") this.#marker.resend();
    if (change.status === "idle" || change.status === "stopped") this.#marker.end();
    this.#events.emit("status", change);
  }

  /** Learns by REST what a connection would have told: the counts, and that the list is another one. */
  async #ask(): Promise<void> {
    const session = this.#session;
    const page = await this.#rest.list({ limit: 1 });
    session.listed(page);
    this.#show();
    if (session !== this.#session || page.counts.version <= (this.#listed?.counts.version ?? 0)) return;
    this.#listed = page;
    this.#reload();
  }

  #tell(items: readonly Item[], optimistic = false, reload = false): void {
    if (items.length || reload) this.#events.emit("state", { items, reload, optimistic });
    this.#show();
  }

  #reload(): void {
    this.#tell([], false, true);
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
