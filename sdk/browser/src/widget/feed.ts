/** The list that a reader sees: pages of the inbox and what arrives and changes meanwhile, as one. */

import type {
  Arrival,
  Counts,
  Inbox,
  Item,
  ListQuery,
  State,
  Status,
  StatusChange,
} from "../client/types.js";
import { OnceAFrame } from "./dom.js";
import { hasLeft } from "./leaving.js";
import { instant } from "./time.js";

export type Filter = "all" | "unread" | "archived";

/** What there is to show. A new object with each change. */
export interface Snapshot {
  readonly filter: Filter;
  /** Newest first. */
  readonly items: readonly Item[];
  /** `loading` and `failed` are about the first page; `more` says whether there are further ones. */
  readonly phase: "loading" | "ready" | "failed";
  readonly more: boolean;
  readonly counts: Counts | undefined;
  readonly status: Status;
  /** The next page could not be had: `loadMore` asks again. */
  readonly stuck: boolean;
  /** How many can't be had any more, until `dismissMissed`: null where nobody knows, undefined for none. */
  readonly missed: number | null | undefined;
}

const PAGE = 50;
/** Of what arrives while the list stands at its head this much is kept, and the rest paged in again. */
const KEPT = 200;
const KEPT_AT_MOST = 1_000;

/** The longest that a timer of a browser can be. */
const LONGEST = 2 ** 31 - 1;

/**
 * A live list. It begins with the first subscriber and rests with the last. Subscribers are told at most
 * once a frame, however much arrives.
 */
export class Feed {
  readonly client: Inbox;
  /** The reader has gone far down: nothing may be dropped there. */
  deep = false;
  #snapshot: Snapshot;
  #query: ListQuery = {};
  #cursor: string | null = null;
  #loading: AbortController | undefined;
  /** What came in since the last frame, and while a page is on its way: null takes an item out. */
  readonly #changed = new Map<string, Item | null>();
  readonly #since = new Map<string, Item | null>();
  readonly #listeners = new Set<() => void>();
  readonly #frame = new OnceAFrame(() => this.#flush());
  #stop: (() => void)[] = [];
  /** Up to when what ended was taken out, and the timer for what ends next. */
  #ended = Date.now();
  #ending = 0;
  /** Whose items these are; undefined before that was known, null when nobody is logged in. */
  #whose: string | null | undefined;

  constructor(client: Inbox, filter: Filter = "all") {
    this.client = client;
    this.#whose = client.user;
    this.#snapshot = {
      filter,
      items: [],
      phase: "loading",
      more: false,
      stuck: false,
      missed: client.missed,
      counts: client.counts,
      status: client.status,
    };
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Tells `listener` of each new snapshot, until the function that it gives back is called. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#begin();
    return () => {
      if (this.#listeners.delete(listener) && !this.#listeners.size) this.#rest();
    };
  }

  /** Shows another part of the inbox, from its newest. */
  show(filter: Filter): void {
    if (filter === this.#snapshot.filter) return;
    this.#set({ filter });
    this.#empty("loading");
    void this.reload();
  }

  /** Asks for the first page again; what is shown stays until it is there. */
  async reload(): Promise<void> {
    const { filter } = this.#snapshot;
    if (!this.#snapshot.items.length) this.#set({ phase: "loading" });
    this.#query = filter === "all" ? { limit: PAGE } : { limit: PAGE, state: filter };
    await this.#load(this.#query, false);
  }

  /** The next page, if there is one and it is not on its way. What fails can be asked for again. */
  async loadMore(): Promise<void> {
    const { items, more } = this.#snapshot;
    const last = items.at(-1);
    if (!more || this.#loading || !last) return;
    if (this.#cursor) await this.#load({ ...this.#query, cursor: this.#cursor }, true);
    else {
      // The end was dropped, its cursor with it. `before` is exclusive, and a millisecond may hold several.
      const before = new Date(instant(last.notification.created_at).getTime() + 1).toISOString();
      this.#query = { ...this.#query, before };
      await this.#load(this.#query, true);
    }
  }

  /** Marks items. It shows at once; what the server refuses is taken back. */
  mark(state: State, ids: readonly string[]): void {
    this.client.mark(state, { ids }).catch(ignore);
  }

  /** Marks everything that is there as read, also what was not loaded. */
  markAllRead(): void {
    this.client.mark("read", { all: true }).catch(ignore);
  }

  /** The reader knows what is missing. */
  dismissMissed(): void {
    this.client.forgetMissed();
    this.#frame.request();
  }

  #begin(): void {
    const { client } = this;
    this.#set({ items: this.#unended(this.#snapshot.items) });
    this.#stop = [
      client.on("notification", (arrival: Arrival) =>
        this.#change(arrival.item.notification.id, arrival.item),
      ),
      client.on("recalled", ({ id }) => this.#change(id, null)),
      client.on("state", (changes) => {
        for (const item of changes.items) this.#change(item.notification.id, item);
        if (changes.reload) void this.reload();
      }),
      client.on("counts", () => this.#frame.request()),
      client.on("gap", () => this.#frame.request()),
      client.on("status", (change) => this.#follow(change)),
    ];
    void this.reload();
  }

  #rest(): void {
    for (const stop of this.#stop) stop();
    this.#stop = [];
    this.#loading?.abort();
    this.#loading = undefined;
    this.#frame.cancel();
    clearTimeout(this.#ending);
    this.#changed.clear();
  }

  /** What the user who was here has left is taken away, and whoever comes starts anew. */
  #follow(change: StatusChange): void {
    this.#frame.request();
    if (hasLeft(change)) {
      this.#whose = null;
      this.#empty("ready");
    } else if (change.status === "connected") {
      const { user } = this.client;
      const another = this.#whose !== undefined && this.#whose !== user;
      this.#whose = user;
      if (another) this.#empty("loading");
      if (another || this.#snapshot.phase === "failed") void this.reload();
    }
  }

  #empty(phase: Snapshot["phase"]): void {
    this.#loading?.abort();
    this.#loading = undefined;
    this.#changed.clear();
    this.#set({ items: [], more: false, phase });
  }

  #change(id: string, item: Item | null): void {
    this.#changed.set(id, item);
    if (this.#loading) this.#since.set(id, item);
    this.#frame.request();
  }

  async #load(query: ListQuery, further: boolean): Promise<void> {
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    this.#since.clear();
    try {
      const page = await this.client.list({ ...query, signal: loading.signal });
      if (this.#loading !== loading) return;
      this.#cursor = page.next;
      this.#loading = undefined;
      const listed = new Map(page.items.map((item) => [item.notification.id, item]));
      const more = page.next !== null;
      const items = this.#merge(further ? this.#snapshot.items : [], listed);
      this.#set({ items: this.#merge(items, this.#since, more), phase: "ready", more, stuck: false });
    } catch {
      if (this.#loading !== loading) return;
      this.#loading = undefined;
      this.#set(this.#snapshot.items.length ? { stuck: further } : { phase: "failed" });
    }
  }

  #set(change: Partial<Snapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...change };
    this.#frame.request();
  }

  #flush(): void {
    const { client } = this;
    let { items, more } = this.#snapshot;
    if (this.#changed.size) {
      items = this.#merge(items, this.#changed, more);
      this.#changed.clear();
      if (items.length > KEPT_AT_MOST && !this.deep) {
        items = items.slice(0, KEPT);
        more = true;
        this.#cursor = null;
      }
    }
    items = this.#unended(items);
    const { counts, missed } = this.#whose === null ? {} : client;
    this.#snapshot = { ...this.#snapshot, items, more, counts, missed, status: client.status };
    for (const listener of this.#listeners) listener();
  }

  /**
   * `items` without what ended by its own expiry since this was asked last, and a timer for what ends next.
   * What had ended when it came stays: the server lists it, so this clock is ahead.
   */
  #unended(items: readonly Item[]): readonly Item[] {
    const now = Date.now();
    const before = this.#ended;
    let next = Number.POSITIVE_INFINITY;
    const left = items.filter(({ notification }) => {
      const end = instant(notification.expires_at ?? "").getTime();
      if (end > now) next = Math.min(next, end);
      return end <= before || end > now;
    });
    this.#ended = now;
    clearTimeout(this.#ending);
    if (next < Number.POSITIVE_INFINITY)
      this.#ending = window.setTimeout(() => this.#frame.request(), Math.min(next - now, LONGEST));
    return left.length < items.length ? left : items;
  }

  /**
   * `items` with `changes` put in, replaced, or taken out where they no longer belong here. With `more` to
   * come, what is older than all that was loaded comes with its page: else there would be a hole before it.
   */
  #merge(items: readonly Item[], changes: ReadonlyMap<string, Item | null>, more = false): readonly Item[] {
    if (!changes.size) return items;
    const { filter } = this.#snapshot;
    const oldest = more ? items.at(-1) : undefined;
    const kept: Item[] = [];
    const rest = new Map(changes);
    for (const item of items) {
      const { id } = item.notification;
      const changed = rest.get(id);
      rest.delete(id);
      if (changed === undefined) kept.push(item);
      else if (changed && belongs(changed, filter)) kept.push(changed);
    }
    const added: Item[] = [];
    for (const item of rest.values()) if (item && belongs(item, filter)) added.push(item);
    const inside = oldest ? added.filter((item) => newestFirst(item, oldest) < 0) : added;
    if (!inside.length) return kept;
    return [...kept, ...inside].sort(newestFirst);
  }
}

function belongs(item: Item, filter: Filter): boolean {
  if (filter === "archived") return item.archived_at !== null;
  return item.archived_at === null && (filter === "all" || item.read_at === null);
}

/** The server's order: by the millisecond that an id begins with, within it by log and position. */
function newestFirst(one: Item, other: Item): number {
  const [at, than] = [millisecond(one), millisecond(other)];
  if (at !== than) return at < than ? 1 : -1;
  if (one.log !== other.log) return one.log < other.log ? -1 : 1;
  return other.position - one.position;
}

/** The first 48 bits of a UUID of version 7: what follows is chance. */
function millisecond(item: Item): string {
  return item.notification.id.slice(0, 13);
}

/** A mark that failed was taken back by the client, which is what the reader sees. */
function ignore(): void {}
