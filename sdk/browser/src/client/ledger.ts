/**
 * What this tab knows of the inbox: items as the server said, and marks that are not answered yet. Pure.
 *
 * What is shown is the one seen through the other, so taking a mark back is dropping it.
 */

import type { Counts, MarkInbox, Positions, State, Stated } from "../protocol.js";
import type { Item } from "./types.js";

/** A mark under way: whom it concerns, and what it does to the counts of items that this tab never saw. */
interface Pending {
  readonly ids: ReadonlySet<string>;
  readonly state: State;
  readonly at: string;
  unseen: number;
  unread: number;
}

/** More items are forgotten, oldest first: whoever shows them keeps them, and lists them again. */
const KEPT = 10_000;

export class Ledger {
  readonly #items = new Map<string, Item>();
  /** Which change of state the page held that an item was listed on last: earlier ones are in it. */
  readonly #held = new Map<string, number>();
  readonly #pending = new Map<string, Pending>();
  /**
   * What the marks under way do to the counts by the items that are known. Nothing by those that the
   * server says are so already: another device marked them, and its counts hold it.
   */
  #unseen = 0;
  #unread = 0;

  /** An item as it is shown: with the marks under way. */
  view(item: Item): Item {
    let seen = item;
    for (const { ids, state, at } of this.#pending.values()) {
      if (ids.has(item.notification.id)) seen = marked(seen, state, at);
    }
    return seen;
  }

  /** Items of a page, as of a change of state; the server's newest word. As they are shown. */
  list(items: readonly Item[], version = 0): Item[] {
    return items.map((item) => {
      this.#held.set(item.notification.id, version);
      return this.#keep(item);
    });
  }

  /** An item that arrived: unseen, unless more is known of it. As it is shown. */
  arrive(item: Item): Item {
    return this.#keep(this.#items.get(item.notification.id) ?? item);
  }

  remove(id: string): void {
    this.#changing([id], () => this.#items.delete(id));
    this.#held.delete(id);
  }

  clear(): void {
    this.#items.clear();
    this.#held.clear();
    this.#unseen = this.#unread = 0;
  }

  /** What the server says was marked. The items that look different now; `ref` is answered by it. */
  apply(change: Stated): Item[] {
    const { state, at, up_to, category, state_version } = change;
    const told = new Map<string, readonly [State, string]>(
      (change.changes ?? []).map((each) => [each.id, [each.state, each.at]]),
    );
    if (state && at && up_to) {
      for (const [id, item] of this.#items) {
        const isNew = state_version > (this.#held.get(id) ?? 0);
        if (isNew && reaches(item, state, up_to, category)) told.set(id, [state, at]);
      }
    }
    return this.#told(String(change.ref), told);
  }

  /** Begins a mark, as though it were answered. The items that look different now. */
  begin(ref: string, mark: MarkInbox, at: string, counts: Counts | undefined): Item[] {
    const { state, up_to, all, category } = mark;
    const ids = new Set(
      mark.ids ??
        [...this.#items.values()]
          .filter((item) => reaches(this.view(item), state, all ? undefined : up_to, category))
          .map((item) => item.notification.id),
    );
    const pending = { ids, state, at, unseen: 0, unread: 0 };
    const items = this.#changing(ids, () => this.#pending.set(ref, pending));
    if (counts && all && category === undefined && !state.startsWith("un")) {
      // Everything, also what this tab never saw. Seen leaves what is unread so.
      const rest = this.counts(counts);
      pending.unseen = -rest.unseen;
      if (state !== "seen") pending.unread = -rest.unread;
    }
    return items;
  }

  /** A mark was carried out, and no frame says so. The items that look different now: none, mostly. */
  confirm(ref: string): Item[] {
    const { ids = [], state = "seen", at = "" } = this.#pending.get(ref) ?? {};
    return this.#told(ref, new Map([...ids].map((id) => [id, [state, at]])));
  }

  /** A mark was refused: takes it back. The items that look different now. */
  cancel(ref: string): Item[] {
    return this.#told(ref, new Map());
  }

  /** Counts with the marks under way. */
  counts(counts: Counts): Counts {
    let unseen = counts.unseen + this.#unseen;
    let unread = counts.unread + this.#unread;
    for (const pending of this.#pending.values()) {
      unseen += pending.unseen;
      unread += pending.unread;
    }
    return { ...counts, unseen: Math.max(0, unseen), unread: Math.max(0, unread) };
  }

  #keep(item: Item): Item {
    const { id } = item.notification;
    this.#changing([id], () => this.#items.set(id, item));
    if (this.#items.size > KEPT) {
      for (const oldest of this.#items.keys()) {
        this.remove(oldest);
        break;
      }
    }
    return this.view(item);
  }

  /** A mark is under way no more, and these items are so now. Those that look different. */
  #told(ref: string, told: ReadonlyMap<string, readonly [State, string]>): Item[] {
    return this.#changing(new Set([...told.keys(), ...(this.#pending.get(ref)?.ids ?? [])]), () => {
      this.#pending.delete(ref);
      for (const [id, [state, at]] of told) {
        const item = this.#items.get(id);
        if (item) this.#items.set(id, marked(item, state, at));
      }
    });
  }

  /** The items that look different after a change to them, or to marks of them. */
  #changing(ids: Iterable<string>, change: () => void): Item[] {
    const before = [...ids].map((id) => [id, this.#weigh(id, -1)] as const);
    change();
    return before.flatMap(([id, was]) => {
      const is = this.#weigh(id, 1);
      return is && was && looks(is) !== looks(was) ? [is] : [];
    });
  }

  /** An item as it is shown. What makes it differ from the server's goes into the counts, or out of them. */
  #weigh(id: string, sign: number): Item | undefined {
    const item = this.#items.get(id);
    const shown = item && this.view(item);
    if (shown) {
      this.#unseen += sign * (isUnseen(shown) - isUnseen(item));
      this.#unread += sign * (isUnread(shown) - isUnread(item));
    }
    return shown;
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
function looks({ seen_at, read_at, archived_at }: Item): string {
  return `${!seen_at}${!read_at}${!archived_at}`;
}

function isUnseen(item: Item): number {
  return Number(!item.archived_at && !item.seen_at);
}

function isUnread(item: Item): number {
  return Number(!item.archived_at && !item.read_at);
}

/**
 * Whether a mark of all, or of all up to some positions, is about an item. It leaves what is archived alone,
 * unless it takes that back. A category ending in a dot is all that begin so.
 */
function reaches(item: Item, state: State, upTo?: Positions, wanted?: string): boolean {
  const { category = "" } = item.notification;
  return (
    (!item.archived_at || state === "unarchived") &&
    (!upTo || item.position <= (upTo[item.log] ?? 0)) &&
    (wanted === undefined || (wanted.endsWith(".") ? category.startsWith(wanted) : category === wanted))
  );
}
