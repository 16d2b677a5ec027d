/** The content of a live list at one moment. */

import type { Counts, Item, Status } from "../client/types.js";

export type Filter = "all" | "unread" | "archived" | "snoozed";

/** A tab above the list. */
export interface Tab {
  readonly filter: Filter;
  /** One category, or with a final dot all categories that begin with it. Undefined: all. */
  readonly category?: string | undefined;
  /** Undefined: the text of the filter. */
  readonly label?: string | undefined;
}

/** The content of the list. Each change makes a new object. */
export interface Snapshot {
  readonly filter: Filter;
  /** The category that the list shows, or with a final dot all categories that begin with it. Undefined: all. */
  readonly category?: string | undefined;
  /** Newest first. */
  readonly items: readonly Item[];
  /** The state of the first page. `more`: there are further pages. */
  readonly phase: "loading" | "ready" | "failed";
  readonly more: boolean;
  /** Set when older items are in the history, which does not answer now. */
  readonly history?: "unavailable" | undefined;
  readonly counts: Counts | undefined;
  readonly status: Status;
  /** The next page could not be loaded. `loadMore` tries again. */
  readonly stuck: boolean;
  /** The number of missed notifications until `dismissMissed`: null if unknown, undefined if none. */
  readonly missed: number | null | undefined;
}
