/** The additions of a page to the list. Only a page that uses one of them loads this module, together with the panel. */

import type { Inbox, Item } from "../client/types.js";
import { CategoryCounts } from "./category-counts.js";
import css from "./extras.css";
import type { Feed } from "./feed.js";
import type { Localizer } from "./localizer.js";
import { type TabOption, tabsOf } from "./options.js";
import { OwnRows, type RenderItem } from "./own-rows.js";
import type { Tab } from "./snapshot.js";

export type { TabOption } from "./options.js";
export type { RenderItem } from "./own-rows.js";

/** The element, as far as its additions need it. */
export interface ExtrasHost extends HTMLElement, Localizer {
  readonly tabs: string | readonly TabOption[];
  readonly renderItem: RenderItem | undefined;
}

export class Extras {
  static readonly css: readonly string[] = [css];
  readonly tabs: readonly Tab[] | undefined;
  readonly #counts: CategoryCounts;
  readonly #rows: OwnRows;

  constructor(client: Inbox, host: ExtrasHost) {
    this.tabs = tabsOf(host.tabs);
    this.#counts = new CategoryCounts(client);
    this.#rows = new OwnRows(host);
  }

  /** The number of unread notifications of a category; undefined before it is known. */
  unread(category: string): number | undefined {
    return this.#counts.unread(category);
  }

  /** Follows the counts while the panel is open. Calls `changed` after each change of them. */
  start(feed: Feed, changed: () => void): void {
    if (this.tabs?.some(({ category }) => category !== undefined)) this.#counts.start(feed, changed);
  }

  rest(): void {
    this.#counts.rest();
    this.#rows.tidy();
  }

  /** Follows the state of a row. It is called often, so an unchanged item changes nothing. */
  update(item: Item, row: HTMLElement): void {
    this.#rows.update(item, row);
  }

  /** Writes the text of a notification into its element. */
  write = (element: HTMLElement, text: string): void => {
    element.textContent = text;
  };

  /** The element shows another list. */
  end(): void {
    this.#rows.end();
  }
}
