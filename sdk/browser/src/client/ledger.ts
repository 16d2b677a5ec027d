/**
 * The inbox as this tab knows it: the items of the server, and the marks that are not answered yet. Pure.
 *
 * A view of an item is the server's item with all pending marks applied. To take a mark back is to drop it.
 */

import type { Counts, MarkInbox, Positions, Snoozed, State, Stated, UsedAction } from "../protocol.js";
import type { Wanted } from "./marker.js";
import type { Item } from "./types.js";

/** A mark or a snooze, with its time; the end of a snooze has none. Or the action that was used. */
export type Change =
  | readonly [State, string]
  | readonly ["snoozed", string | null]
  | readonly ["acted", UsedAction];

/** Changes without an answer, by item, and their effect on the counts by items that this tab never received. */
interface Pending {
  readonly made: ReadonlyMap<string, Change>;
  unseen: number;
  unread: number;
}

/** The number of items that are kept. Above it the oldest is dropped; a list that shows it has its own copy. */
const KEPT = 10_000;

export class Ledger {
  readonly #items = new Map<string, Item>();
  /** By id: the state version of the page that listed the item last. The page includes all earlier changes. */
  readonly #held = new Map<string, number>();
  readonly #pending = new Map<string, Pending>();
  /**
   * The effect of all pending marks on the counts, by known items. An item that has the state already, such as by
   * another device, has no effect: the server's counts include it.
   */
  #unseen = 0;
  #unread = 0;

  /** The view of an item: with the pending marks. */
  view(item: Item): Item {
    let seen = item;
    for (const { made } of this.#pending.values()) {
      const change = made.get(item.notification.id);
      if (change) seen = marked(seen, ...change);
    }
    return seen;
  }

  /** Keeps the items of a page with its state version, and returns their views. */
  list(items: readonly Item[], version = 0): Item[] {
    return items.map((item) => {
      this.#held.set(item.notification.id, version);
      return this.#keep(item);
    });
  }

  /** Keeps a received item, unless it is known already, and returns its view. */
  arrive(item: Item): Item {
    return this.#keep(this.#items.get(item.notification.id) ?? item);
  }

  drop(id: string): void {
    this.#changing([id], () => this.#items.delete(id));
    this.#held.delete(id);
  }

  clear(): void {
    this.#items.clear();
    this.#held.clear();
    this.#unseen = this.#unread = 0;
  }

  /** Applies a `state` frame, and ends the pending mark of its `ref`. Returns the views that changed. */
  apply({ ref, changes = [], state, at, up_to, category, state_version, acted, snoozed }: Stated): Item[] {
    const made: [string, Change][] = changes.map((each) => [each.id, [each.state, each.at]]);
    if (acted) made.push([acted.id, ["acted", acted.action]]);
    for (const id of snoozed?.ids ?? []) made.push([id, ["snoozed", (snoozed as Snoozed).until]]);
    if (state && at && up_to) {
      for (const [id, item] of this.#items) {
        const isNew = state_version > (this.#held.get(id) ?? 0);
        if (isNew && reaches(item, state, up_to, category)) made.push([id, [state, at]]);
      }
    }
    return this.#settle(String(ref), made);
  }

  /** Begins a change: its effect shows before the answer. Returns the views that changed. */
  pend(ref: string, change: Change, wanted: Wanted, counts: Counts | undefined): Item[] {
    const { ids: named, up_to, all, category } = wanted as MarkInbox;
    const state = change[0] as State;
    const ids =
      named ??
      [...this.#items.values()]
        .filter((item) => reaches(this.view(item), state, up_to, category))
        .map((item) => item.notification.id);
    const pending = { made: new Map(ids.map((id) => [id, change])), unseen: 0, unread: 0 };
    const items = this.#changing(pending.made.keys(), () => this.#pending.set(ref, pending));
    if (counts && all && !category && !state.startsWith("un")) {
      // A mark of all also concerns items that this tab never received. `seen` does not change `unread`.
      const rest = this.counts(counts);
      pending.unseen = -rest.unseen;
      if (state !== "seen") pending.unread = -rest.unread;
    }
    return items;
  }

  /** Ends a mark that the server answered by REST. Returns the views that changed: usually none. */
  confirm(ref: string): Item[] {
    return this.#settle(ref, this.#pending.get(ref)?.made ?? []);
  }

  /** Takes a refused mark back. Returns the views that changed. */
  revoke(ref: string): Item[] {
    return this.#settle(ref, []);
  }

  /** The counts with the pending marks. */
  counts(counts: Counts): Counts {
    let unseen = this.#unseen + counts.unseen;
    let unread = this.#unread + counts.unread;
    for (const pending of this.#pending.values()) {
      unseen += pending.unseen;
      unread += pending.unread;
    }
    return { ...counts, unseen: Math.max(0, unseen), unread: Math.max(0, unread) };
  }

  #keep(item: Item): Item {
    const { id } = item.notification;
    this.#changing([id], () => this.#items.set(id, item));
    if (this.#items.size > KEPT) this.drop(this.#items.keys().next().value as string);
    return this.view(item);
  }

  /** Ends a pending mark, and sets the states of items. Returns the views that changed. */
  #settle(ref: string, changes: Iterable<readonly [string, Change]>): Item[] {
    const ids = new Map([...(this.#pending.get(ref)?.made ?? []), ...changes]).keys();
    return this.#changing(ids, () => {
      this.#pending.delete(ref);
      for (const [id, change] of changes) {
        const item = this.#items.get(id);
        if (item) this.#items.set(id, marked(item, ...change));
      }
    });
  }

  /** Runs a change of items or of pending marks. Returns the views of `ids` that changed. */
  #changing(ids: Iterable<string>, change: () => void): Item[] {
    const before = [...ids].map((id) => [id, this.#weigh(id, -1)] as const);
    change();
    return before.flatMap(([id, was]) => {
      const is = this.#weigh(id, 1);
      return is && was && looks(is) !== looks(was) ? [is] : [];
    });
  }

  /** Returns the view of an item, and adds its difference to the server's item to the counts, or subtracts it. */
  #weigh(id: string, sign: number): Item | undefined {
    const item = this.#items.get(id);
    const shown = item && this.view(item);
    if (shown) {
      this.#unseen += sign * (counts(shown, shown.seen_at) - counts(item, item.seen_at));
      this.#unread += sign * (counts(shown, shown.read_at) - counts(item, item.read_at));
    }
    return shown;
  }
}

/** An item after a mark, or with the action that was used. A time that is set already does not change. */
export function marked(item: Item, ...[state, at]: Change): Item {
  if (state === "acted") return { ...item, action: at };
  let { seen_at = null, read_at = null, archived_at = null, snoozed_until = null } = item;
  if (state === "archived") {
    archived_at ??= at;
    snoozed_until = null;
  } else if (state === "unarchived") archived_at = null;
  else if (state === "snoozed") {
    archived_at = null;
    snoozed_until = at;
  } else if (state === "unseen") seen_at = read_at = null;
  else if (state === "unread") read_at = null;
  else {
    seen_at ??= at;
    if (state === "read") read_at ??= at;
  }
  const furthest = archived_at ? "archived" : read_at ? "read" : seen_at ? "seen" : "unseen";
  return { ...item, seen_at, read_at, archived_at, snoozed_until, state: furthest };
}

/** Two views are equal if they have the same times set. The values may differ: the clocks of server and page do. */
function looks({ seen_at, read_at, archived_at, snoozed_until, action }: Item): string {
  return [!seen_at, !read_at, !archived_at, snoozed_until, !action].join();
}

/** Whether an item is in neither the inbox nor the counts. */
function isAside(item: Item): string | null {
  return item.archived_at || item.snoozed_until;
}

/** 1 for an item that counts, because it is not aside and does not have a state `at` some time. */
function counts(item: Item, at: string | null): number {
  return isAside(item) || at ? 0 : 1;
}

/**
 * Whether a mark of all, or of all up to some positions, concerns an item. Items of the history are excluded, and so are
 * archived and snoozed ones, except for `unarchived`, which changes no snoozed ones. A category with a final dot matches
 * all categories that begin with it.
 */
function reaches(item: Item, state: State, upTo?: Positions, wanted?: string): boolean {
  const { category = "" } = item.notification;
  return (
    !item.archived_copy &&
    (!isAside(item) || state === "unarchived") &&
    (!upTo || item.position <= (upTo[item.log] ?? 0)) &&
    (!wanted || (wanted.endsWith(".") ? category.startsWith(wanted) : category === wanted))
  );
}
