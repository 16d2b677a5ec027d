/** The offer to take the last archiving back. It waits while somebody is on it. */

import { button, h } from "./dom.js";

const OFFERED = 8_000;

export class Undo {
  /** A live region: what is offered is said once. */
  readonly element = h("div", { role: "status" });
  readonly #left: () => void;
  #timer = 0;

  /** `left` is called when the offer goes while focus is on it. */
  constructor(left: () => void) {
    this.#left = left;
  }

  offer(text: string, label: string, undo: () => void): void {
    this.end();
    const stay = () => clearTimeout(this.#timer);
    const rest = () => {
      stay();
      this.#timer = window.setTimeout(() => this.end(), OFFERED);
    };
    const run = () => {
      undo();
      this.end();
    };
    this.element.append(
      h(
        "div",
        {
          class: "undo",
          part: "undo",
          pointerenter: stay,
          pointerleave: rest,
          focusin: stay,
          focusout: rest,
        },
        text,
        button("undo-button", run, label),
      ),
    );
    rest();
  }

  end(): void {
    clearTimeout(this.#timer);
    const focused = this.element.matches(":focus-within");
    this.element.replaceChildren();
    if (focused) this.#left();
  }
}
