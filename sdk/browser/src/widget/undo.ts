/** The offer to take the last archiving back. It waits while somebody is on it. */

import { button, h, whileOn } from "./dom.js";

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
