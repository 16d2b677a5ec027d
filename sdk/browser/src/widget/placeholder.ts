/** What stands in the place of the list: a shimmer, what went wrong, or that there is nothing. */

import { ALERT, ARCHIVE, BELL, button, CHECKS, h, icon } from "./dom.js";
import type { Words } from "./element.js";
import type { Filter } from "./feed.js";

export type Standing = Filter | "loading" | "failed" | undefined;

/** Grey shapes where rows will be. */
export function ghosts(count: number): HTMLElement[] {
  return Array.from({ length: count }, () => h("div", { class: "ghost", "aria-hidden": "true" }));
}

export class Placeholder {
  /** A live region: what stands here is said. */
  readonly element = h("div", { role: "status" });
  readonly #words: Words;
  readonly #retry: () => void;
  #shown: Standing;

  constructor(words: Words, retry: () => void) {
    this.#words = words;
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
    const words = this.#words;
    if (standing === "loading") return [h("p", { class: "spoken" }, words.say("loading")), ...ghosts(6)];
    if (standing === "failed")
      return [
        h("span", { class: "icon" }, icon(ALERT)),
        h("p", {}, words.say("failed")),
        button("retry", this.#retry, words.say("retry")),
      ];
    const [shape, text] = (
      {
        all: [BELL, "empty"],
        unread: [CHECKS, "emptyUnread"],
        archived: [ARCHIVE, "emptyArchived"],
      } as const
    )[standing];
    return [
      h(
        "slot",
        { name: "empty" },
        h("span", { class: "icon" }, icon(shape)),
        h("p", { part: "empty" }, words.say(text)),
      ),
    ];
  }
}
