/** The toasts of a page: their number, their place, how long each stays, and when they pause. */

import type { Item } from "../client/types.js";
import content from "./content.css";
import { CLOSE, h, OnceAFrame, pop, tool, whileOn } from "./dom.js";
import type { Localizer } from "./element.js";
import { actionsOf, bodyOf, opener, picture, type RowActions } from "./row.js";
import css from "./toasts.css";

/** The maximum number. Above it, the oldest toast that is not urgent is removed. A low window has fewer. */
const AT_ONCE = 3;
/** The height of the largest toast, in pixels. */
const HIGHEST = 200;
/** Pixels at the end of a list in which its controls appear. */
const CONTROLS = 64;
/** Milliseconds that a toast stays. An urgent one stays until the reader closes it. */
const STAYS = 7_000;
const STAYS_HIGH = 12_000;

interface Toast {
  readonly element: HTMLElement;
  readonly urgent: boolean;
  /** The rest of its time in milliseconds, as of `since`. An urgent toast does not use it. */
  remaining: number;
  since: number;
  timer: number;
}

export interface StackOptions {
  readonly box: HTMLElement;
  readonly localizer: Localizer;
  readonly open: RowActions["open"];
  /** The elements that no toast may cover: whole bells, and the controls of open lists. */
  readonly bells: ReadonlySet<HTMLElement>;
  readonly lists: ReadonlySet<HTMLElement>;
  /** Whether the toasts are at the top of the window. */
  readonly top: () => boolean;
}

/** While the pointer or focus is on a toast, or the tab is hidden, no toast ends. */
export class Stack {
  static readonly css: readonly string[] = [content, css];
  readonly #options: StackOptions;
  readonly #toasts = new Map<string, Toast>();
  /** The items since the last frame. */
  readonly #waiting = new Map<string, Item>();
  readonly #frame = new OnceAFrame(() => this.#flush());
  /** The element that had focus before it moved here. */
  #from: HTMLElement | null = null;
  #held = document.hidden;

  constructor(options: StackOptions) {
    this.#options = options;
    const { box } = options;
    whileOn(box, (on) => this.#hold(on));
    box.addEventListener("focusin", ({ relatedTarget }) => {
      if (!box.contains(relatedTarget as Node)) this.#from = relatedTarget as HTMLElement;
    });
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      for (const [id, { element }] of this.#toasts)
        if (element.contains(event.target as Element)) this.remove(id);
    });
    document.addEventListener("visibilitychange", this.#visible);
  }

  end(): void {
    document.removeEventListener("visibilitychange", this.#visible);
    this.clear();
  }

  /** Removes all toasts. */
  clear(): void {
    this.#frame.cancel();
    this.#waiting.clear();
    for (const id of [...this.#toasts.keys()]) this.remove(id);
  }

  /** Shows an item in the next frame. If a frame has more items than there is room, the newest show. */
  show(item: Item): void {
    this.#waiting.set(item.notification.id, item);
    this.#frame.request();
  }

  /** Removes the toast of this id, if there is one. Its focus moves to another toast, or back to where it was. */
  remove(id: string): void {
    this.#waiting.delete(id);
    const toast = this.#toasts.get(id);
    if (!toast) return;
    const { element, timer } = toast;
    const { box } = this.#options;
    clearTimeout(timer);
    this.#toasts.delete(id);
    if (element.matches(":focus-within")) {
      const others = [...box.querySelectorAll<HTMLElement>(".close")];
      (others.find((other) => !element.contains(other)) ?? this.#from)?.focus();
    }
    element.remove();
    if (this.#toasts.size) return;
    pop(box, false);
    this.#hold(document.hidden);
  }

  /** Adapts the toasts to the open lists: with an open list only urgent toasts stay. */
  settle(): void {
    if (this.#options.lists.size) for (const [id, { urgent }] of this.#toasts) if (!urgent) this.remove(id);
    if (this.#toasts.size) this.#place();
  }

  #flush(): void {
    const items = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const [index, item] of items.entries())
      if (item.notification.priority === "urgent" || items.length - index <= AT_ONCE) this.#add(item);
    this.settle();
  }

  #add(item: Item): void {
    const { id, priority } = item.notification;
    const { localizer } = this.#options;
    const urgent = priority === "urgent";
    const open = (event: MouseEvent, action?: string) => {
      this.#options.open(item, event, action);
      this.remove(id);
    };
    const element = h(
      "div",
      { class: urgent ? "toast alert" : "toast", part: urgent ? "toast urgent" : "toast", role: "group" },
      picture(item),
      h("div", { class: "main" }, opener(item, localizer, open), bodyOf(item), actionsOf(item, open)),
      tool("close", localizer.text("close"), CLOSE, () => this.remove(id)),
    );
    const remaining = priority === "high" ? STAYS_HIGH : STAYS;
    const toast = { element, urgent, remaining, since: 0, timer: 0 };
    this.#toasts.set(id, toast);
    const most = Math.min(AT_ONCE, Math.max(1, Math.floor(window.innerHeight / HIGHEST)));
    for (const least of [false, true])
      for (const [other, { urgent }] of this.#toasts)
        if (this.#toasts.size > most && urgent === least) this.remove(other);
    if (!this.#toasts.has(id)) return;
    this.#options.box.prepend(element);
    if (!this.#held) this.#run(id, toast);
  }

  /** Places the toasts above all other elements of the top layer, clear of bells and controls. */
  #place(): void {
    const { box, bells, lists, top } = this.#options;
    // Showing it again moves it to the top layer. Skip while it has focus: hiding would lose that, and it is on
    // top already.
    if (!box.matches(":focus-within")) pop(box, false);
    pop(box, true);
    const low = !top() || lists.size > 0;
    const { innerHeight } = window;
    const { left, right } = box.getBoundingClientRect();
    let edge = 0;
    for (const each of [...bells, ...lists]) {
      const at = each.getBoundingClientRect();
      const from = lists.has(each) ? at.bottom - CONTROLS : at.top;
      if (at.right <= left || at.left >= right || from > innerHeight / 2 !== low) continue;
      edge = Math.max(edge, low ? innerHeight - from : at.bottom);
    }
    box.classList.toggle("low", low);
    box.style.setProperty("--clear", `${edge}px`);
  }

  #run(id: string, toast: Toast): void {
    toast.since = performance.now();
    if (!toast.urgent) toast.timer = window.setTimeout(() => this.remove(id), toast.remaining);
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
}
