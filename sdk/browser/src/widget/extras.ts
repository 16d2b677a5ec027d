/** The additions of a page to the list. Only a page that uses one of them loads this module, together with the panel. */

import type { Inbox, Item } from "../client/types.js";
import { CategoryCounts } from "./category-counts.js";
import css from "./extras.css";
import type { Feed } from "./feed.js";
import type { Localizer } from "./localizer.js";
import { markup } from "./markup.js";
import { FILTERS, type TabOption, tabsOf } from "./options.js";
import { OwnRows, type RenderItem } from "./own-rows.js";
import { RowPictures } from "./row-pictures.js";
import type { Tab } from "./snapshot.js";
import { shown } from "./text.js";
import { texts } from "./texts/snoozed.js";

export type { TabOption } from "./options.js";
export type { RenderItem } from "./own-rows.js";

/** The element, as far as its additions need it. */
export interface ExtrasHost extends HTMLElement, Localizer {
  readonly snooze: boolean;
  readonly tabs: string | readonly TabOption[];
  readonly renderItem: RenderItem | undefined;
  readonly icons: string | Readonly<Record<string, string>>;
  readonly imageOrigins: string;
  readonly markdown: boolean;
}

export class Extras {
  static readonly css: readonly string[] = [css];
  readonly tabs: readonly Tab[] | undefined;
  readonly #counts: CategoryCounts;
  readonly #rows: OwnRows;
  readonly #pictures: RowPictures;
  readonly #client: Inbox;
  readonly #host: ExtrasHost;
  /** The rows with their picture and text. */
  readonly #made = new WeakSet<HTMLElement>();

  constructor(client: Inbox, host: ExtrasHost) {
    const tabs = tabsOf(host.tabs);
    this.tabs = host.snooze
      ? [...(tabs ?? FILTERS.map((filter) => ({ filter }))), { filter: "snoozed", label: snoozedIn(host) }]
      : tabs;
    this.#counts = new CategoryCounts(client);
    this.#rows = new OwnRows(host);
    this.#pictures = new RowPictures(host);
    this.#client = client;
    this.#host = host;
  }

  /** The number of unread notifications of a category; undefined before it is known. */
  unread(category: string): number | undefined {
    return this.#counts.unread(category);
  }

  /** Follows the counts while the panel is open. Calls `changed` after each change of them. */
  start(feed: Feed, changed: () => void): void {
    if (this.tabs?.some(({ category }) => category !== undefined)) this.#counts.start(feed, changed);
    // Without the module a row has the usual tools.
    if (this.#host.snooze)
      import("./snoozes.js").then(
        ({ snoozing }) => snoozing(feed, this.#host),
        () => undefined,
      );
  }

  rest(): void {
    this.#counts.rest();
    this.#rows.tidy();
  }

  /** Follows the state of a row. It is called often, so an unchanged item changes nothing. */
  update(item: Item, row: HTMLElement): void {
    if (!this.#made.has(row)) this.#make(item, row);
    this.#rows.update(item, row);
  }

  /** Writes the text of a notification into its element. */
  write = (element: HTMLElement, text: string): void => {
    if (this.#host.markdown && element.matches(".body")) element.replaceChildren(...markup(text));
    else element.textContent = text;
  };

  #make(item: Item, row: HTMLElement): void {
    const { id, body } = item.notification;
    this.#made.add(row);
    this.#pictures.show(item, row);
    const element = row.querySelector<HTMLElement>(".body");
    if (!element || !this.#host.markdown) return;
    this.write(element, shown(body ?? ""));
    element.addEventListener("click", ({ target }) => {
      if ((target as Element).closest("a") && !item.archived_copy)
        this.#client.mark("read", { ids: [id] }).catch(() => undefined);
    });
  }

  /** The element shows another list. */
  end(): void {
    this.#rows.end();
  }
}

/** The name of the tab of snoozed notifications. */
function snoozedIn(host: ExtrasHost): string | undefined {
  const { [host.language.slice(0, 2).toLowerCase()]: own, en } = texts;
  return host.text("snoozed") || own || en;
}
