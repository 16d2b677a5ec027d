/** The toasts of a page: how many there are, where, how long each stays, and what holds them. */

import type { Item } from "../client/types.js";
import content from "./content.css";
import { CLOSE, h, OnceAFrame, pop, tool, whileOn } from "./dom.js";
import type { Localizer } from "./element.js";
import { actionsOf, bodyOf, opener, picture, type RowActions } from "./row.js";
import css from "./toasts.css";

/** How many there are at once; of more, the oldest that is not urgent makes room. A low window has less. */
const AT_ONCE = 3;
/** Pixels that the largest toast is high. */
const HIGHEST = 200;
/** Pixels at the end of a list where its controls come up. */
const CONTROLS = 64;
/** Milliseconds that a toast stays; urgent ones stay until somebody closes them. */
const STAYS = 7_000;
const STAYS_HIGH = 12_000;

interface Toast {
  readonly element: HTMLElement;
  readonly urgent: boolean;
  /** Milliseconds that one that is not urgent still has, as of `since`. */
  remaining: number;
  since: number;
  timer: number;
}

export interface StackOptions {
  readonly box: HTMLElement;
  readonly localizer: Localizer;
  readonly open: RowActions["open"];
  /** What no toast may cover: bells wholly, and of open lists the controls. */
  readonly bells: ReadonlySet<HTMLElement>;
  readonly lists: ReadonlySet<HTMLElement>;
  /** Whether they are wanted at the top of the window. */
  readonly top: () => boolean;
}

/** While the pointer or focus is on a toast, or the tab is in the background, none goes away. */
export class Stack {
  static readonly css: readonly string[] = [content, css];
  readonly #options: StackOptions;
  readonly #toasts = new Map<string, Toast>();
  /** What came in since the last frame. */
  readonly #waiting = new Map<string, Item>();
  readonly #frame = new OnceAFrame(() => this.#flush());
  /** Where focus was before it came here. */
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

  /** Takes all away. */
  clear(): void {
    this.#frame.cancel();
    this.#waiting.clear();
    for (const id of [...this.#toasts.keys()]) this.remove(id);
  }

  /** Shows an item in the next frame: of more at once than there is room for, the newest. */
  show(item: Item): void {
    this.#waiting.set(item.notification.id, item);
    this.#frame.request();
  }

  /** Takes a toast away; nothing happens where there is none of this id. Focus goes on, or back. */
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

  /** Brings the toasts in line with the lists that are open: what is not urgent is to be seen there. */
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

  /** Above whatever else the page has put into the top layer, and clear of what must not be covered. */
  #place(): void {
    const { box, bells, lists, top } = this.#options;
    // Shown anew it comes to lie above; whoever is in it has it above already.
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
