/** An inbox in memory, for states of the widget that a server seldom has. */

import type {
  Counts,
  Events,
  Inbox,
  Item,
  ListQuery,
  Marked,
  Marking,
  Notification,
  Page,
  State,
  Status,
  UsedAction,
} from "../../src/client/types.js";

type Handlers = { [Name in keyof Events]: Set<(value: Events[Name]) => void> };

let made = 0;

/** Makes a notification with an age in minutes. Its id increases with time, as the server's do. */
export function notification(minutes: number, fields: Partial<Notification>): Item {
  const at = new Date(Date.now() - minutes * 60_000);
  made += 1;
  const id = `${at.getTime().toString(16).padStart(12, "0")}-${String(100_000 + made)}`;
  return {
    log: "user",
    position: made,
    state: "unseen",
    seen_at: null,
    read_at: null,
    archived_at: null,
    snoozed_until: null,
    action: null,
    notification: { id, priority: "normal", created_at: at.toISOString(), ...fields },
  };
}

function isOf({ notification: { category = "" } }: Item, wanted = ""): boolean {
  return wanted.endsWith(".") ? category.startsWith(wanted) : !wanted || category === wanted;
}

export class FakeInbox implements Inbox {
  status: Status = "connected";
  user = "ana";
  missed: number | null | undefined;
  leads = true;
  /** The behavior of `list`. */
  mode: "answers" | "hangs" | "fails" = "answers";
  /** Older items are in the history, which does not answer. */
  away = false;
  items: Item[];
  marks: { state: State; what: Marking }[] = [];
  lists: ListQuery[] = [];
  readonly #handlers: Handlers = {
    notification: new Set(),
    counts: new Set(),
    state: new Set(),
    recalled: new Set(),
    gap: new Set(),
    expired: new Set(),
    status: new Set(),
  };

  constructor(items: Item[]) {
    this.items = items;
    this.#count();
  }

  counts: Counts = { unseen: 0, unread: 0, version: 0 };

  #count(): void {
    const live = this.items.filter(
      (item) => item.archived_at === null && item.snoozed_until === null && !item.archived_copy,
    );
    this.counts = {
      unseen: live.filter(({ seen_at }) => seen_at === null).length,
      unread: live.filter(({ read_at }) => read_at === null).length,
      version: made,
    };
  }

  #categories(): NonNullable<Counts["categories"]> {
    const found: Record<string, { unseen: number; unread: number }> = {};
    for (const { archived_at, read_at, seen_at, notification } of this.items) {
      const name = notification.category ?? "";
      const { unseen, unread } = found[name] ?? { unseen: 0, unread: 0 };
      if (archived_at === null)
        found[name] = { unseen: unseen + Number(!seen_at), unread: unread + Number(!read_at) };
    }
    return found;
  }

  /** The number of handlers of all events. */
  get listeners(): number {
    return Object.values(this.#handlers).reduce((count, handlers) => count + handlers.size, 0);
  }

  connect(): void {}

  forgetMissed(): void {
    this.missed = undefined;
  }

  async close(): Promise<void> {}

  async logout(): Promise<void> {}

  on<Name extends keyof Events>(event: Name, handler: (value: Events[Name]) => void): () => void {
    this.#handlers[event].add(handler);
    return () => this.#handlers[event].delete(handler);
  }

  emit<Name extends keyof Events>(event: Name, value: Events[Name]): void {
    for (const handler of this.#handlers[event]) handler(value);
  }

  arrive(item: Item): void {
    this.items.unshift(item);
    const { unseen, unread } = this.counts;
    this.counts = { unseen: unseen + 1, unread: unread + 1, version: made };
    this.emit("notification", { item, replayed: false });
    this.emit("counts", this.counts);
  }

  recall(id: string): void {
    this.items = this.items.filter(({ notification }) => notification.id !== id);
    this.#count();
    this.emit("recalled", { type: "recalled", id, log: "user", position: 1, counts: this.counts });
    this.emit("counts", this.counts);
  }

  /** Another device marked an item that this page never received: only the counts are new. */
  markElsewhere(id: string): void {
    this.items = this.items.map((item) =>
      item.notification.id === id ? { ...item, read_at: new Date().toISOString() } : item,
    );
    this.#count();
    this.emit("counts", this.counts);
  }

  become(status: Status, reason?: string): void {
    this.status = status;
    this.emit("status", { status, ...(reason && { reason }) });
  }

  async list(query: ListQuery = {}): Promise<Page> {
    this.lists.push(query);
    if (this.mode === "hangs") await new Promise(() => undefined);
    if (this.mode === "fails") throw new Error("no answer");
    const start = Number(query.cursor ?? 0);
    const limit = query.limit ?? 50;
    const found = this.items.filter((item) => {
      if (query.before && item.notification.created_at >= query.before) return false;
      if (!isOf(item, query.category)) return false;
      if (query.state === "snoozed") return item.snoozed_until !== null;
      if (query.state === "archived") return item.archived_at !== null;
      if (item.snoozed_until !== null) return false;
      return item.archived_at === null && (query.state !== "unread" || item.read_at === null);
    });
    return {
      items: found.slice(start, start + limit),
      next: start + limit < found.length ? String(start + limit) : null,
      previous: null,
      counts: query.counts ? { ...this.counts, categories: this.#categories() } : this.counts,
      epoch: "e",
      positions: {},
      state_version: 1,
      ...(this.away && { history: "unavailable" }),
    };
  }

  /** The behavior of `act`: an error to throw, or the end that it waits for. */
  refuses: Error | undefined;
  holds: Promise<void> | undefined;
  acts: string[] = [];
  snoozes: { ids: readonly string[]; until: string | null }[] = [];

  async snooze(ids: readonly string[], time: Date | string | null): Promise<Marked> {
    const until = time && new Date(time).toISOString();
    this.snoozes.push({ ids, until });
    const items = this.items
      .filter(({ notification }) => ids.includes(notification.id))
      .map((item) => ({ ...item, snoozed_until: until }));
    this.items = this.items.map(
      (item) => items.find(({ notification }) => notification.id === item.notification.id) ?? item,
    );
    this.#count();
    this.emit("state", { items, reload: false, optimistic: true });
    this.emit("counts", this.counts);
    return { changed: items.length, counts: this.counts };
  }

  async act(id: string, action: string): Promise<UsedAction> {
    this.acts.push(action);
    await this.holds;
    if (this.refuses) throw this.refuses;
    return this.used(id, action);
  }

  /** An action was used, on this device or another one. */
  used(id: string, name: string): UsedAction {
    const action = { id: name, at: new Date().toISOString() };
    this.items = this.items.map((item) => (item.notification.id === id ? { ...item, action } : item));
    const items = this.items.filter((item) => item.notification.id === id);
    this.emit("state", { items, reload: false, optimistic: false });
    return action;
  }

  async mark(state: State, what: Marking): Promise<Marked> {
    this.marks.push({ state, what });
    const at = new Date().toISOString();
    const changed: Item[] = [];
    this.items = this.items.map((item) => {
      if ("ids" in what && !what.ids.includes(item.notification.id)) return item;
      if (item.archived_copy) return item;
      if ("all" in what && (item.archived_at !== null || !isOf(item, what.category))) return item;
      const next = {
        ...item,
        ...(state === "seen" && { seen_at: at }),
        ...(state === "read" && { seen_at: item.seen_at ?? at, read_at: at }),
        ...(state === "unread" && { read_at: null }),
        ...(state === "archived" && { archived_at: at }),
        ...(state === "unarchived" && { archived_at: null }),
      };
      changed.push(next);
      return next;
    });
    this.#count();
    this.emit("state", { items: changed, reload: false, optimistic: true });
    this.emit("counts", this.counts);
    return { changed: changed.length, counts: this.counts };
  }
}
