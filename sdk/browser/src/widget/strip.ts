/** A line above the list that says what is not as it should be. */

import { h } from "./dom.js";

export class Strip {
  readonly element: HTMLElement;
  readonly #control: HTMLButtonElement;
  /** A live region, there before it speaks; the control beside it is not read with it. */
  readonly #text = h("p", { role: "status" });

  /** `control` is what a reader can do about it; `name` is the part, and the id of the text. */
  constructor(name: string, control: HTMLButtonElement) {
    this.#control = control;
    this.#text.id = name;
    this.element = h("div", { class: "strip", part: name }, this.#text);
  }

  /** Says a text, once while it stays the same; with an empty one there is nothing to be seen. */
  show(text: string, controlled: boolean): void {
    if (this.#text.textContent !== text) this.#text.textContent = text;
    this.element.classList.toggle("said", !!text);
    if (!controlled) this.#control.remove();
    else if (!this.#control.isConnected) this.element.append(this.#control);
  }
}
