/** The options of a page for its list, from the JSON of attributes. A mistake is named in the console, once. */

import { labelOf } from "./content.js";
import type { Filter, Tab } from "./snapshot.js";

/** A tab of a page: one of the usual three, or a category. With a final dot the category is a prefix. */
export type TabOption =
  | Filter
  | { readonly label?: string; readonly category: string; readonly filter?: Filter };

/** The usual tabs. */
export const FILTERS: readonly Filter[] = ["all", "unread", "archived"];
const named = new Set<string>();

/** Tells the developer of the page about a mistake, once. */
export function warn(text: string, ...details: unknown[]): void {
  if (named.has(text)) return;
  named.add(text);
  // biome-ignore lint/suspicious/noConsole: the console is where the developer of a page looks
  console.warn(`[tidings] ${text}`, ...details);
}

/** The value of an attribute with JSON; undefined without one, or if it is no JSON. */
export function jsonOf(name: string, value: unknown): unknown {
  if (!value || typeof value !== "string") return undefined;
  try {
    return JSON.parse(value);
  } catch {
    warn(`The attribute ${name} is no JSON: ${value.slice(0, 80)}`);
    return undefined;
  }
}

/**
 * The tabs in the order of the list. Without one of the usual three, the categories are between "Unread" and "Archived".
 * Undefined if the list is not valid: then there are the usual tabs.
 */
export function tabsOf(value: unknown): readonly Tab[] | undefined {
  const given = jsonOf("tabs", value);
  if (given === undefined) return undefined;
  const tabs = Array.isArray(given) ? given.map(tabOf) : [];
  if (!tabs.length || tabs.includes(undefined)) {
    warn(
      `tabs has to be a list such as ["all", {"label": "Orders", "category": "orders."}], and is ${JSON.stringify(given)?.slice(0, 200)}`,
    );
    return undefined;
  }
  const all = tabs as Tab[];
  const own = all.every(({ category }) => category !== undefined);
  return own ? [{ filter: "all" }, { filter: "unread" }, ...all, { filter: "archived" }] : all;
}

function tabOf(given: unknown): Tab | undefined {
  if (FILTERS.includes(given as Filter)) return { filter: given as Filter };
  const { category, label, filter = "all" } = (given ?? {}) as Record<string, unknown>;
  if (typeof category !== "string" || !category || !FILTERS.includes(filter as Filter)) return undefined;
  return {
    filter: filter as Filter,
    category,
    label: typeof label === "string" && label ? label : labelOf(category),
  };
}
