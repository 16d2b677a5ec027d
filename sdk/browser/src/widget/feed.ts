/** The live list of a reader: pages of the inbox, merged with new notifications and changes. */

import type { Arrival, Counts, Inbox, Item, ListQuery, State, StatusChange } from "../client/types.js";
import { OnceAFrame } from "./dom.js";
import { hasLeft } from "./leaving.js";
import { belongs, newestFirst } from "./listing.js";
import type { Filter, Snapshot } from "./snapshot.js";
import { instant } from "./time.js";

const PAGE = 50;
/** A list of more than KEPT_AT_MOST items, with the reader near its head, is cut to KEPT. The rest can load again. */
const KEPT = 200;
const KEPT_AT_MOST = 1_000;

/** The longest timer of a browser, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

/**
 * A live list. It starts with the first subscriber and stops with the last. Subscribers are called at most once a
 * frame, at any rate of notifications.
 */
export class Feed {
  readonly client: Inbox;
  /** The reader is far down in the list: the end must not be cut. */
  deep = false;
  /** Is called at each request of a page. The returned function gets the counts of the answer, with categories. */
  counting?: () => (counts: Counts) => void;
  /** The notifications of the row of one, which are several for a group. `groups.ts` sets it. */
  declare members?: (id: string) => readonly string[];
  #snapshot: Snapshot;
  #query: ListQuery = {};
  #cursor: string | null = null;
  #loading: AbortController | undefined;
  /** Changes since the last frame, and since the request of a page. Null removes an item. */
  readonly #changed = new Map<string, Item | null>();
  readonly #since = new Map<string, Item | null>();
  readonly #listeners = new Set<() => void>();
  readonly #frame = new OnceAFrame(() => this.#flush());
  #stop: (() => void)[] = [];
  /** The time of the last removal of expired items, and the timer of the next. */
  #expiredAt = Date.now();
  #expiry = 0;
  /** The user of the items; undefined before it is known, null after a logout. */
  #user: string | null | undefined;

  constructor(client: Inbox, filter: Filter = "all", category?: string) {
    this.client = client;
    this.#user = client.user;
    this.#snapshot = {
      filter,
      category,
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

  /** Calls `listener` after each new snapshot. The returned function removes the listener. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#begin();
    return () => {
      if (this.#listeners.delete(listener) && !this.#listeners.size) this.#rest();
    };
  }

  /** Shows another part of the inbox, from its newest item on. A category with a final dot is a prefix. */
  show(filter: Filter, category?: string): void {
    const shown = this.#snapshot;
    if (filter === shown.filter && category === shown.category) return;
    this.#set({ filter, category });
    this.#empty("loading");
    void this.reload();
  }

  /** Loads the first page again. The current items stay until the answer. */
  async reload(): Promise<void> {
    const { filter, category, items } = this.#snapshot;
    if (!items.length) this.#set({ phase: "loading" });
    this.#query = { limit: PAGE, ...(filter !== "all" && { state: filter }), ...(category && { category }) };
    await this.#load(this.#query, false);
  }

  /** Loads the next page, unless there is none or a request is running. After a failure, call it again. */
  async loadMore(): Promise<void> {
    const { items, more } = this.#snapshot;
    const last = items.at(-1);
    if (!more || this.#loading || !last) return;
    if (this.#cursor) await this.#load({ ...this.#query, cursor: this.#cursor }, true);
    else {
      // The end was cut, so there is no cursor. `before` is exclusive, and several items can have one millisecond.
      const before = new Date(instant(last.notification.created_at).getTime() + 1).toISOString();
      this.#query = { ...this.#query, before };
      await this.#load(this.#query, true);
    }
  }

  /** Marks items. The change shows at once, and is taken back if the server refuses it. */
  mark(state: State, ids: readonly string[]): void {
    this.client.mark(state, { ids }).catch(ignore);
  }

  /**
   * Marks all notifications as read, or those of the category that the list shows, also the ones that are not loaded.
   * Returns the ids of those that were unread; undefined if not all of them are loaded.
   */
  markAllRead(): readonly string[] | undefined {
    return this.#markAll("read");
  }

  /** Archives them, and returns the ids in the same way. */
  archiveAll(): readonly string[] | undefined {
    return this.#markAll("archived");
  }

  #markAll(state: State): readonly string[] | undefined {
    const { items, more, category } = this.#snapshot;
    this.client.mark(state, { all: true, ...(category && { category }) }).catch(ignore);
    return more
      ? undefined
      : items.flatMap((item) =>
          item.archived_copy || (state === "read" && item.read_at) ? [] : item.notification.id,
        );
  }

  /** Resets `missed`, when the reader has seen the notice. */
  dismissMissed(): void {
    this.client.forgetMissed();
    this.#frame.request();
  }

  #begin(): void {
    const { client } = this;
    this.#set({ items: this.#withoutExpired(this.#snapshot.items) });
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
    clearTimeout(this.#expiry);
    this.#changed.clear();
  }

  /** Follows the user: a logout empties the list, and another user gets a new one. */
  #follow(change: StatusChange): void {
    this.#frame.request();
    if (hasLeft(change)) {
      this.#user = null;
      this.#empty("ready");
    } else if (change.status === "connected") {
      const { user } = this.client;
      const another = this.#user !== undefined && this.#user !== user;
      this.#user = user;
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
      const counted = this.counting?.();
      const { signal } = loading;
      const page = await this.client.list({ ...query, ...(counted && { counts: "category" }), signal });
      counted?.(page.counts);
      if (this.#loading !== loading) return;
      this.#cursor = page.next;
      this.#loading = undefined;
      const listed = new Map(page.items.map((item) => [item.notification.id, item]));
      const more = !!page.next;
      const items = this.#merge(further ? this.#snapshot.items : [], listed);
      const { history } = page;
      this.#set({
        items: this.#merge(items, this.#since, more),
        phase: "ready",
        more,
        history,
        stuck: false,
      });
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
    items = this.#withoutExpired(items);
    const { counts, missed } = this.#user === null ? {} : client;
    this.#snapshot = { ...this.#snapshot, items, more, counts, missed, status: client.status };
    for (const listener of this.#listeners) listener();
  }

  /**
   * Returns `items` without those that expired since the last call, and sets the timer for the next expiry. An item
   * that had expired before stays: the server still lists it, so the clock of this page is ahead.
   */
  #withoutExpired(items: readonly Item[]): readonly Item[] {
    const now = Date.now();
    const before = this.#expiredAt;
    let next = 0;
    const left = items.filter(({ notification }) => {
      const end = instant(notification.expires_at ?? "").getTime();
      if (end > now) next = Math.min(next || end, end);
      return end <= before || end > now;
    });
    this.#expiredAt = now;
    clearTimeout(this.#expiry);
    if (next) this.#expiry = window.setTimeout(() => this.#frame.request(), Math.min(next - now, LONGEST));
    return left.length < items.length ? left : items;
  }

  /**
   * Returns `items` with `changes`: items are added, replaced, or removed if the filter excludes them. If there are
   * `more` pages, an item older than all loaded ones is left to its page: otherwise the list would have a hole.
   */
  #merge(items: readonly Item[], changes: ReadonlyMap<string, Item | null>, more = false): readonly Item[] {
    if (!changes.size) return items;
    const snapshot = this.#snapshot;
    const oldest = more ? items.at(-1) : undefined;
    const kept: Item[] = [];
    const rest = new Map(changes);
    for (const item of items) {
      const { id } = item.notification;
      const changed = rest.get(id);
      rest.delete(id);
      if (changed === undefined) kept.push(item);
      else if (changed && belongs(changed, snapshot)) kept.push(changed);
    }
    const added: Item[] = [];
    for (const item of rest.values()) if (item && belongs(item, snapshot)) added.push(item);
    const inside = oldest ? added.filter((item) => newestFirst(item, oldest) < 0) : added;
    if (!inside.length) return kept;
    return [...kept, ...inside].sort(newestFirst);
  }
}

/** The client has taken a failed mark back already, and the list shows that. */
function ignore(): void {}
