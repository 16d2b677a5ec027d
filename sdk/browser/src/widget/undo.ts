/** The offer to undo the last archiving. It stays while the pointer or focus is on it. */

import { button, h, whileOn } from "./dom.js";

const OFFERED = 8_000;

export class Undo {
  /** A live region: a screen reader reads the offer once. */
  readonly element = h("div", { role: "status" });
  readonly #left: () => void;
  #timer = 0;

  /** Calls `left` when the offer is removed while it has focus. */
  constructor(left: () => void) {
    this.#left = left;
  }

  offer(text: string, label: string, undo: () => void): void {
    this.end();
    const run = () => {
      undo();
      this.end();
    };
    const hold = (on: boolean) => {
      clearTimeout(this.#timer);
      if (!on) this.#timer = window.setTimeout(() => this.end(), OFFERED);
    };
    const offer = h("div", "undo", text, button("undo-button", run, label));
    whileOn(offer, hold);
    this.element.append(offer);
    hold(false);
  }

  end(): void {
    clearTimeout(this.#timer);
    const focused = this.element.matches(":focus-within");
    this.element.replaceChildren();
    if (focused) this.#left();
  }
}
