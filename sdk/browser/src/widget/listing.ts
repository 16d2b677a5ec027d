/** Which items a list shows, and in which order. */

import type { Item } from "../client/types.js";
import type { Snapshot } from "./snapshot.js";

/** Whether a list shows an item. */
export function belongs(item: Item, { filter, category }: Pick<Snapshot, "filter" | "category">): boolean {
  if (!matches(item.notification.category ?? "", category)) return false;
  const aside = item.snoozed_until ? "snoozed" : item.archived_at && "archived";
  return aside ? filter === aside : filter === "all" || (filter === "unread" && !item.read_at);
}

/** Whether a category is the wanted one, or begins with it if that ends with a dot. Undefined wants all. */
export function matches(category: string, wanted: string | undefined): boolean {
  return !wanted || (wanted.endsWith(".") ? category.startsWith(wanted) : category === wanted);
}

/** The server's order: by the millisecond at the start of the id, then by log and position. */
export function newestFirst(one: Item, other: Item): number {
  const [at, than] = [millisecond(one), millisecond(other)];
  if (at !== than) return at < than ? 1 : -1;
  if (one.log !== other.log) return one.log < other.log ? -1 : 1;
  return other.position - one.position;
}

/** The first 48 bits of a UUID of version 7. The rest is random. */
function millisecond(item: Item): string {
  return item.notification.id.slice(0, 13);
}
