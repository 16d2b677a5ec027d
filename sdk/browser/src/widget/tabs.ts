/** The filters above the list, as tabs. Left and right choose one. */

import { button, h } from "./dom.js";
import type { Localizer } from "./localizer.js";
import type { Filter } from "./snapshot.js";

const FILTERS: readonly Filter[] = ["all", "unread", "archived"];

export class Tabs {
  readonly element: HTMLElement;
  readonly #tabs: readonly HTMLButtonElement[];
  readonly #count = h("span", "count");
  readonly #localizer: Localizer;
  readonly #choose: (filter: Filter) => void;
  #at = 0;

  constructor(localizer: Localizer, choose: (filter: Filter) => void) {
    this.#localizer = localizer;
    this.#choose = choose;
    this.#tabs = FILTERS.map((filter) => {
      const tab = button("tab", () => choose(filter), localizer.text(filter));
      tab.id = filter;
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", "stage");
      return tab;
    });
    this.#tabs[1]?.append(this.#count);
    this.element = h(
      "div",
      {
        class: "tabs",
        part: "tabs",
        role: "tablist",
        "aria-labelledby": "heading",
        keydown: (event) => this.#key(event as KeyboardEvent),
      },
      ...this.#tabs,
    );
  }

  /** Shows which filter is chosen. */
  turn(filter: Filter): void {
    this.#at = FILTERS.indexOf(filter);
    for (const tab of this.#tabs) {
      tab.setAttribute("aria-selected", String(tab.id === filter));
      tab.tabIndex = tab.id === filter ? 0 : -1;
    }
  }

  /** Shows the number of unread notifications; 0 hides it. */
  count(unread: number): void {
    this.#count.hidden = !unread;
    this.#count.textContent = unread.toLocaleString(this.#localizer.language);
  }

  #key(event: KeyboardEvent): void {
    const step = this.#localizer.direction === "rtl" ? -1 : 1;
    const at = this.#at;
    const last = FILTERS.length - 1;
    const steps: Record<string, number> = { ArrowRight: at + step, ArrowLeft: at - step, Home: 0, End: last };
    const next = steps[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const index = (next + FILTERS.length) % FILTERS.length;
    const filter = FILTERS[index];
    if (filter) this.#choose(filter);
    this.#tabs[index]?.focus();
  }
}
