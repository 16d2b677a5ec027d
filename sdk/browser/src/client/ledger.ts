/**
 * What this tab knows of the inbox: items as the server said, and marks that are not answered yet. Pure.
 *
 * What is shown is the one seen through the other, so taking a mark back is dropping it.
 */

import type { Counts, MarkInbox, State, Stated } from "../protocol.js";
import type { Item } from "./types.js";

/** A mark under way: whom it concerns, and what it does to the counts until it is answered. */
interface Pending {
  readonly ids: ReadonlySet<string>;
  readonly state: State;
  readonly at: string;
  readonly unseen: number;
  readonly unread: number;
}

/** More items are forgotten, oldest first: whoever shows them keeps them, and lists them again. */
const KEPT = 10_000;

export class Ledger {
  readonly #items = new Map<string, Item>();
  readonly #pending = new Map<string, Pending>();

  /** An item as it is shown: with the marks under way. */
  view(item: Item): Item {
    let seen = item;
    for (const { ids, state, at } of this.#pending.values()) {
      if (ids.has(item.notification.id)) seen = marked(seen, state, at);
    }
    return seen;
  }

  /** Items of a page; the server's newest word. As they are shown. */
  list(items: readonly Item[]): Item[] {
    return items.map((item) => this.#keep(item));
  }

  /** An item that arrived: unseen, unless more is known of it. As it is shown. */
  arrive(item: Item): Item {
    return this.#keep(this.#items.get(item.notification.id) ?? item);
  }

  remove(id: string): void {
    this.#items.delete(id);
  }

  clear(): void {
    this.#items.clear();
  }

  /** What the server says was marked. The items that look different now; `ref` is answered by it. */
  apply(change: Stated): Item[] {
    const { state, at, up_to } = change;
    const told = new Map<string, readonly [State, string]>(
      (change.changes ?? []).map((each) => [each.id, [each.state, each.at]]),
    );
    if (state && at && up_to) {
      for (const [id, item] of this.#items) {
        if (item.position <= (up_to[item.log] ?? 0) && isOf(item, change.category)) told.set(id, [state, at]);
      }
    }
    const pending = this.#pending.get(String(change.ref));
    return this.#changing([...told.keys(), ...(pending?.ids ?? [])], () => {
      this.#pending.delete(String(change.ref));
      for (const [id, [to, time]] of told) {
        const item = this.#items.get(id);
        if (item) this.#items.set(id, marked(item, to, time));
      }
    });
  }

  /** Begins a mark, as though it were answered. The items that look different now. */
  begin(ref: string, mark: MarkInbox, at: string, counts: Counts | undefined): Item[] {
    const { state, up_to, all, category } = mark;
    const ids = new Set(
      mark.ids ??
        [...this.#items.values()]
          .filter((item) => (all ? isOf(item, category) : item.position <= (up_to?.[item.log] ?? 0)))
          .map((item) => item.notification.id),
    );
    let unseen = 0;
    let unread = 0;
    if (counts && all && category === undefined && !state.startsWith("un")) {
      // Everything, also what this tab never saw. Seen leaves what is unread so.
      const now = this.counts(counts);
      unseen = -now.unseen;
      unread = state === "seen" ? 0 : -now.unread;
    } else {
      for (const id of ids) {
        const item = this.#items.get(id);
        if (!item) continue;
        const before = this.view(item);
        const after = marked(before, state, at);
        unseen += Number(isUnseen(after)) - Number(isUnseen(before));
        unread += Number(isUnread(after)) - Number(isUnread(before));
      }
    }
    return this.#changing([...ids], () => this.#pending.set(ref, { ids, state, at, unseen, unread }));
  }

  /** A mark was carried out, and no frame says so. The items that look different now: none, mostly. */
  confirm(ref: string): Item[] {
    const pending = this.#pending.get(ref);
    return this.#changing([...(pending?.ids ?? [])], () => {
      this.#pending.delete(ref);
      for (const id of pending?.ids ?? []) {
        const item = this.#items.get(id);
        if (item && pending) this.#items.set(id, marked(item, pending.state, pending.at));
      }
    });
  }

  /** A mark was refused: takes it back. The items that look different now. */
  cancel(ref: string): Item[] {
    return this.#changing([...(this.#pending.get(ref)?.ids ?? [])], () => this.#pending.delete(ref));
  }

  /** Counts with the marks under way. */
  counts(counts: Counts): Counts {
    let { unseen, unread } = counts;
    for (const pending of this.#pending.values()) {
      unseen += pending.unseen;
      unread += pending.unread;
    }
    return { ...counts, unseen: Math.max(0, unseen), unread: Math.max(0, unread) };
  }

  #keep(item: Item): Item {
    this.#items.set(item.notification.id, item);
    if (this.#items.size > KEPT) {
      for (const oldest of this.#items.keys()) {
        this.#items.delete(oldest);
        break;
      }
    }
    return this.view(item);
  }

  #changing(ids: readonly string[], change: () => void): Item[] {
    const before = new Map<string, Item>();
    for (const id of ids) {
      const item = this.#items.get(id);
      if (item) before.set(id, this.view(item));
    }
    change();
    const changed = [];
    for (const [id, was] of before) {
      const item = this.#items.get(id);
      const is = item && this.view(item);
      if (is && looks(is) !== looks(was)) changed.push(is);
    }
    return changed;
  }
}

/** An item after a mark; the first time of a state is kept. */
export function marked(item: Item, state: State, at: string): Item {
  let { seen_at, read_at, archived_at } = item;
  if (state === "archived") archived_at ??= at;
  else if (state === "unarchived") archived_at = null;
  else if (state === "unseen") seen_at = read_at = null;
  else if (state === "unread") read_at = null;
  else {
    seen_at ??= at;
    if (state === "read") read_at ??= at;
  }
  const furthest = archived_at ? "archived" : read_at ? "read" : seen_at ? "seen" : "unseen";
  return { ...item, seen_at, read_at, archived_at, state: furthest };
}

/** A change of times alone changes no look: the server's clock and the page's differ. */
function looks({ seen_at, read_at, archived_at }: Item): number {
  return Number(!!seen_at) + 2 * Number(!!read_at) + 4 * Number(!!archived_at);
}

function isUnseen(item: Item): boolean {
  return !item.archived_at && !item.seen_at;
}

function isUnread(item: Item): boolean {
  return !item.archived_at && !item.read_at;
}

/** A category ending in a dot is all that begin so. */
function isOf({ notification }: Item, wanted: string | undefined): boolean {
  const category = notification.category ?? "";
  return wanted === undefined || (wanted.endsWith(".") ? category.startsWith(wanted) : category === wanted);
}
