/** The toasts of a page: how many there are, how long each stays, and what holds them. */

import type { Item } from "../client/types.js";
import content from "./content.css";
import { CLOSE, h, tool } from "./dom.js";
import type { Words } from "./element.js";
import { actionsOf, bodyOf, type Deeds, opener, picture } from "./row.js";
import css from "./toasts.css";

/** How many there are at once; of more, the oldest that is not urgent makes room. */
const AT_ONCE = 3;
/** Milliseconds that a toast stays, by its priority. Urgent ones stay until somebody closes them. */
const STAYS: Readonly<Record<string, number>> = { high: 12_000, urgent: Number.POSITIVE_INFINITY };
const STAYS_USUALLY = 7_000;

interface Toast {
  readonly element: HTMLElement;
  readonly urgent: boolean;
  /** Milliseconds it still has, as of `since`. */
  remaining: number;
  since: number;
  timer: number;
}

/** While the pointer or focus is on a toast, or the tab is in the background, none goes away. */
export class Stack {
  static readonly css: readonly string[] = [content, css];
  readonly #box: HTMLElement;
  readonly #words: Words;
  readonly #open: Deeds["open"];
  readonly #toasts = new Map<string, Toast>();
  #held = document.hidden;

  constructor(box: HTMLElement, words: Words, open: Deeds["open"]) {
    this.#box = box;
    this.#words = words;
    this.#open = open;
    for (const [name, held] of Object.entries({
      pointerenter: true,
      pointerleave: false,
      focusin: true,
      focusout: false,
    }))
      box.addEventListener(name, () => this.#hold(held));
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#close(event.target as Element);
    });
    document.addEventListener("visibilitychange", this.#visible);
  }

  end(): void {
    document.removeEventListener("visibilitychange", this.#visible);
    for (const id of [...this.#toasts.keys()]) this.remove(id);
  }

  show(item: Item): void {
    const { id, priority } = item.notification;
    const urgent = priority === "urgent";
    const open = (event: Event, action?: string) => {
      this.#open(item, event, action);
      this.remove(id);
    };
    const element = h(
      "div",
      { class: urgent ? "toast alert" : "toast", part: urgent ? "toast urgent" : "toast", role: "group" },
      picture(item),
      h("div", { class: "main" }, opener(item, this.#words, open), bodyOf(item), actionsOf(item, open)),
      tool("close", this.#words.say("close"), CLOSE, () => this.remove(id)),
    );
    const toast: Toast = { element, urgent, remaining: STAYS[priority] ?? STAYS_USUALLY, since: 0, timer: 0 };
    this.#toasts.set(id, toast);
    this.#makeRoom();
    this.#box.prepend(element);
    // Shown anew each time, so that it lies above whatever else the page has put into the top layer.
    this.#box.hidePopover();
    this.#box.showPopover();
    if (!this.#held) this.#run(id, toast);
  }

  /** Takes a toast away; nothing happens where there is none of this id. */
  remove(id: string): void {
    const toast = this.#toasts.get(id);
    if (!toast) return;
    clearTimeout(toast.timer);
    this.#toasts.delete(id);
    toast.element.remove();
    if (this.#toasts.size) return;
    this.#box.hidePopover();
    this.#hold(document.hidden);
  }

  #makeRoom(): void {
    for (const urgent of [false, true])
      for (const [id, toast] of this.#toasts)
        if (this.#toasts.size > AT_ONCE && toast.urgent === urgent) this.remove(id);
  }

  #run(id: string, toast: Toast): void {
    toast.since = performance.now();
    if (Number.isFinite(toast.remaining))
      toast.timer = window.setTimeout(() => this.remove(id), toast.remaining);
  }

  #hold(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    for (const [id, toast] of this.#toasts) {
      clearTimeout(toast.timer);
      if (held) toast.remaining -= performance.now() - toast.since;
      else this.#run(id, toast);
    }
  }

  #visible = (): void => this.#hold(document.hidden);

  #close(target: Element): void {
    for (const [id, toast] of this.#toasts) if (toast.element.contains(target)) this.remove(id);
  }
}
