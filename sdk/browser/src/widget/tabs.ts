/** The filters above the list, as tabs. Left and right choose one. */

import { button, h } from "./dom.js";
import type { Localizer } from "./localizer.js";
import type { Tab } from "./snapshot.js";

/** The tabs of a page that sets none of its own. */
export const TABS: readonly Tab[] = [{ filter: "all" }, { filter: "unread" }, { filter: "archived" }];

export class Tabs {
  readonly element: HTMLElement;
  readonly #tabs: readonly Tab[];
  readonly #buttons: readonly HTMLButtonElement[];
  readonly #localizer: Localizer;
  readonly #choose: (tab: Tab) => void;
  #at = 0;

  constructor(localizer: Localizer, tabs: readonly Tab[], choose: (tab: Tab) => void) {
    this.#localizer = localizer;
    this.#tabs = tabs;
    this.#choose = choose;
    this.#buttons = tabs.map((tab, index) => {
      const { filter, category, label } = tab;
      const made = button(
        "tab",
        () => choose(tab),
        label ?? localizer.text(filter as "all"),
        h("span", "count"),
      );
      made.id = category === undefined ? filter : `tab-${index}`;
      made.setAttribute("role", "tab");
      made.setAttribute("aria-controls", "stage");
      return made;
    });
    this.element = h(
      "div",
      {
        class: "tabs",
        part: "tabs",
        role: "tablist",
        "aria-labelledby": "heading",
        keydown: (event) => this.#key(event as KeyboardEvent),
      },
      ...this.#buttons,
    );
  }

  /** Shows which tab is chosen. Returns its id. */
  turn(tab: Tab): string {
    this.#at = this.#tabs.indexOf(tab);
    for (const [index, each] of this.#buttons.entries()) {
      each.setAttribute("aria-selected", String(index === this.#at));
      each.tabIndex = index === this.#at ? 0 : -1;
    }
    return this.#buttons[this.#at]?.id ?? "";
  }

  /** Shows the number of unread notifications of each tab; 0 hides it. */
  count(unread: (tab: Tab) => number): void {
    for (const [index, tab] of this.#tabs.entries()) {
      const count = this.#buttons[index]?.lastElementChild as HTMLElement;
      const number = unread(tab);
      count.hidden = !number;
      count.textContent = number.toLocaleString(this.#localizer.language);
    }
  }

  #key(event: KeyboardEvent): void {
    const step = this.#localizer.direction === "rtl" ? -1 : 1;
    const at = this.#at;
    const last = this.#tabs.length - 1;
    const steps: Record<string, number> = { ArrowRight: at + step, ArrowLeft: at - step, Home: 0, End: last };
    const next = steps[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const index = (next + last + 1) % (last + 1);
    this.#choose(this.#tabs[index] as Tab);
    this.#buttons[index]?.focus();
  }
}
