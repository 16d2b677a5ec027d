/** Replaces an empty list: by a shimmer, an error, or a message that there is nothing. */

import { ALERT, ARCHIVE, BELL, button, CHECKS, h, icon } from "./dom.js";
import type { Localizer } from "./localizer.js";
import type { Filter } from "./snapshot.js";

export type Standing = Filter | "loading" | "failed" | undefined;

/** Makes grey shapes in the place of future rows. */
export function ghosts(count: number): HTMLElement[] {
  return Array.from({ length: count }, () => h("div", { class: "ghost", "aria-hidden": "true" }));
}

export class Placeholder {
  /** A live region: a screen reader reads its content. */
  readonly element = h("div", { role: "status" });
  readonly #localizer: Localizer;
  readonly #retry: () => void;
  #shown: Standing;

  constructor(localizer: Localizer, retry: () => void) {
    this.#localizer = localizer;
    this.#retry = retry;
  }

  show(standing: Standing): void {
    if (standing === this.#shown) return;
    this.#shown = standing;
    const { element } = this;
    element.className = standing && standing !== "loading" ? "state" : "";
    element.replaceChildren(...(standing ? this.#content(standing) : []));
  }

  #content(standing: NonNullable<Standing>): HTMLElement[] {
    const localizer = this.#localizer;
    if (standing === "loading") return [h("p", { class: "spoken" }, localizer.text("loading")), ...ghosts(6)];
    if (standing === "failed")
      return [
        h("span", { class: "icon" }, icon(ALERT)),
        h("p", {}, localizer.text("failed")),
        button("retry", this.#retry, localizer.text("retry")),
      ];
    const [shape, text] =
      standing === "unread"
        ? ([CHECKS, "emptyUnread"] as const)
        : standing === "archived"
          ? ([ARCHIVE, "emptyArchived"] as const)
          : ([BELL, "empty"] as const);
    return [
      h(
        "slot",
        { name: "empty" },
        h("span", { class: "icon" }, icon(shape)),
        h("p", { part: "empty" }, localizer.text(text)),
      ),
    ];
  }
}
