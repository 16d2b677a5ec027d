/** A line above the list that reports a problem. */

import { h, write } from "./dom.js";

export class Strip {
  readonly element: HTMLElement;
  readonly #control: HTMLButtonElement;
  /** A live region: it must exist before its first text. A screen reader does not read the control with it. */
  readonly #text = h("p", { role: "status" });

  /** `control` is the reader's action for the problem. `name` is the part, and the id of the text. */
  constructor(name: string, control: HTMLButtonElement) {
    this.#control = control;
    this.#text.id = name;
    this.element = h("div", { class: "strip", part: name }, this.#text);
  }

  /** Shows a text. An unchanged text is not announced again; with an empty text the line is hidden. */
  show(text: string, controlled: boolean): void {
    write(this.#text, text);
    this.element.classList.toggle("said", !!text);
    if (!controlled) this.#control.remove();
    else if (!this.#control.isConnected) this.element.append(this.#control);
  }
}
