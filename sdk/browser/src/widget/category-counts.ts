/**
 * The numbers of unread notifications by category. The server sends only the totals with each change, so these numbers
 * follow the notifications that this page knows. When their sum differs from the total, or an unknown notification has
 * changed, they are requested again.
 */

import type { Counts, Inbox, Item } from "../client/types.js";
import type { Feed } from "./feed.js";
import { matches } from "./listing.js";

/** Milliseconds from a difference to the next request: at first, and after many requests without certainty. */
const SOON = 150;
const LATEST = 30_000;

export class CategoryCounts {
  readonly #client: Inbox;
  /** By category. Undefined before the first answer. */
  #unread: Map<string, number> | undefined;
  /** By id: the category of an unread notification; undefined for another one. */
  readonly #known = new Map<string, string | undefined>();
  /** The number of changes so far: an answer is certain if none happened since its request. */
  #changes = 0;
  #stop: (() => void)[] = [];
  #timer = 0;
  #wait = SOON;
  #changed: () => void = () => undefined;

  constructor(client: Inbox) {
    this.#client = client;
  }

  /** The number of a category, or with a final dot of all that begin with it. Undefined before the first answer. */
  unread(category: string): number | undefined {
    return this.#unread && sum([...this.#unread].filter(([name]) => matches(name, category)));
  }

  /** Takes the counts of each page of the feed. Calls `changed` after each change that no event of the client reports. */
  start(feed: Feed, changed: () => void): void {
    const client = this.#client;
    this.#changed = changed;
    feed.counting = () => this.#request();
    this.#stop = [
      // Before the feed: it shows the change in the next frame.
      client.on("notification", ({ item }) => this.#change(item.notification.id, item, true)),
      client.on("state", ({ items, reload }) => {
        for (const item of items) this.#change(item.notification.id, item);
        if (reload) this.#doubt();
      }),
      client.on("recalled", ({ id }) => this.#change(id)),
      client.on("counts", () => this.#agrees(this.#unread) || this.#doubt()),
      client.on("gap", () => this.#doubt()),
      client.on("status", ({ status }) => status === "connected" && this.#doubt()),
      feed.subscribe(() => {
        for (const item of feed.snapshot.items)
          if (!this.#known.has(item.notification.id)) this.#known.set(item.notification.id, unreadIn(item));
      }),
    ];
  }

  rest(): void {
    for (const stop of this.#stop) stop();
    this.#stop = [];
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#known.clear();
    this.#unread = undefined;
  }

  /** A notification is new, has another state, or was removed. */
  #change(id: string, item?: Item, isNew = false): void {
    this.#changes++;
    const after = item && unreadIn(item);
    const isKnown = this.#known.has(id);
    if (isKnown || isNew) {
      this.#add(this.#known.get(id), -1);
      this.#add(after, 1);
    } else this.#doubt();
    this.#known.set(id, after);
  }

  #add(category: string | undefined, number: number): void {
    if (category !== undefined) this.#unread?.set(category, (this.#unread.get(category) ?? 0) + number);
  }

  #agrees(unread: ReadonlyMap<string, number> | undefined): boolean {
    return !!unread && sum(unread) === this.#client.counts?.unread;
  }

  /** Requests the numbers soon. Without a connection the next page of the feed has them. */
  #doubt(): void {
    if (!this.#stop.length) return;
    this.#timer ||= window.setTimeout(async () => {
      this.#timer = 0;
      if (this.#client.status !== "connected") return;
      this.#wait = Math.min(this.#wait * 2, LATEST);
      const answer = this.#request();
      await this.#client.list({ limit: 1, counts: "category" }).then(
        ({ counts }) => answer(counts),
        () => this.#doubt(),
      );
    }, this.#wait);
  }

  /** A request begins. Returns the function that takes its answer. */
  #request(): (counts: Counts) => void {
    const changes = this.#changes;
    return ({ categories = {} }) => {
      if (!this.#stop.length) return;
      const fresh = new Map(Object.entries(categories).map(([name, { unread }]) => [name, unread]));
      const isCertain = changes === this.#changes && this.#agrees(fresh);
      if (isCertain || !this.#agrees(this.#unread)) this.#unread = fresh;
      if (isCertain) this.#wait = SOON;
      else this.#doubt();
      this.#changed();
    };
  }
}

function unreadIn({ read_at, archived_at, notification }: Item): string | undefined {
  return read_at === null && archived_at === null ? (notification.category ?? "") : undefined;
}

function sum(counts: Iterable<readonly [string, number]>): number {
  let all = 0;
  for (const [, count] of counts) all += count;
  return all;
}
