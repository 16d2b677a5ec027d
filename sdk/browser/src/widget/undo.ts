/** An offer over the end of the list: to undo a mark, to try again, to confirm. It stays while in use. */

import { button, CLOSE, h, tool, whileOn } from "./dom.js";
import type { Localizer } from "./localizer.js";

const OFFERED = 8_000;

export class Undo {
  /** A live region: a screen reader reads the offer once. */
  readonly element = h("div", { role: "status" });
  readonly #localizer: Localizer;
  readonly #left: () => void;
  #timer = 0;

  /** Calls `left` when the offer is removed while it has focus. */
  constructor(localizer: Localizer, left: () => void) {
    this.#localizer = localizer;
    this.#left = left;
  }

  /** `isQuestion`: the reader has to answer, so the answer gets the focus. */
  offer(text: string, label: string, undo: () => void, isQuestion = false): void {
    this.end();
    const accept = button(
      "undo-button",
      () => {
        undo();
        this.end();
      },
      label,
    );
    const hold = (on: boolean) => {
      clearTimeout(this.#timer);
      if (!on) this.#timer = window.setTimeout(() => this.end(), OFFERED);
    };
    const close = tool("dismiss", this.#localizer.text("close"), CLOSE, () => this.end());
    const offer = h("div", "undo", text, accept, close);
    whileOn(offer, hold);
    this.element.append(offer);
    hold(false);
    if (isQuestion) accept.focus();
  }

  end(): void {
    clearTimeout(this.#timer);
    const focused = this.element.matches(":focus-within");
    this.element.replaceChildren();
    if (focused) this.#left();
  }
}
