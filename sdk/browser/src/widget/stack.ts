/** The toasts of a page: their number, their place, how long each stays, and when they pause. */

import type { TidingsError } from "../client/errors.js";
import type { Inbox, Item } from "../client/types.js";
import content from "./content.css";
import { actionsOf, bodyOf, opener, picture } from "./content.js";
import { CLOSE, h, OnceAFrame, pop, tool, whileOn } from "./dom.js";
import type { Localizer } from "./localizer.js";
import { opened } from "./opening.js";
import css from "./toasts.css";

/** The maximum number of visible toasts. Above it, the oldest that is not urgent is removed. A low window has fewer. */
const AT_ONCE = 3;
/** The maximum number of urgent toasts, of which only the newest is visible. */
const PILED = 99;
/** The height of the largest toast, in pixels. */
const HIGHEST = 200;
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
  /** The page handles an action of it. It stays until then. */
  busy: boolean;
}

export interface StackOptions {
  readonly box: HTMLElement;
  readonly client: Inbox;
  /** The element that dispatches events. */
  readonly host: HTMLElement;
  readonly localizer: Localizer;
  /** The elements that no toast may cover. */
  readonly bells: ReadonlySet<HTMLElement>;
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
      (event.target as Element).closest(".toast")?.querySelector<HTMLElement>(".close")?.click();
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
    for (const id of this.#toasts.keys()) this.remove(id);
  }

  /** Shows an item in the next frame. If a frame has more items than there is room, the newest show. */
  show(item: Item): void {
    this.#waiting.set(item.notification.id, item);
    this.#frame.request();
  }

  /** The notification was read or archived: removes its toast, unless the page handles an action of it. */
  read(id: string): void {
    if (!this.#toasts.get(id)?.busy) this.remove(id);
  }

  /** Removes the toast of this id, if there is one. Its focus moves to another toast, or back to where it was. */
  remove(id: string): void {
    this.#waiting.delete(id);
    const toast = this.#toasts.get(id);
    if (!toast) return;
    const { element, urgent, timer } = toast;
    const { box } = this.#options;
    clearTimeout(timer);
    this.#toasts.delete(id);
    const isFocused = element.matches(":focus-within");
    if (urgent) this.#arrange();
    // An element that is removed loses its focus without an event, so the focus moves first.
    element.classList.add("gone");
    if (isFocused) (box.querySelector<HTMLElement>(":not(.gone, [hidden]) > .close") ?? this.#from)?.focus();
    element.remove();
    if (this.#toasts.size) return;
    pop(box, false);
    this.#visible();
  }

  #flush(): void {
    const items = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const [index, item] of items.entries())
      if (item.notification.priority === "urgent" || items.length - index <= AT_ONCE) this.#add(item);
    this.#arrange();
    if (this.#toasts.size) this.#place();
  }

  #add(item: Item): void {
    const { id, priority } = item.notification;
    const { client, host, localizer, box } = this.#options;
    const urgent = priority === "urgent";
    const open = async (event: MouseEvent, action?: string) => {
      if (toast.busy) return event.preventDefault();
      // After another action there is nothing to try again.
      const failed = (error: unknown) => {
        toast.busy = (error as TidingsError).code === "action_used";
      };
      const settled = opened(host, client, item, event, failed, action);
      if (settled) {
        toast.busy = true;
        clearTimeout(toast.timer);
        await settled;
        if (!toast.busy) return this.#run(id, toast);
      }
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
    const toast: Toast = { element, urgent, remaining, since: 0, timer: 0, busy: false };
    this.#toasts.set(id, toast);
    box.prepend(element);
    this.#run(id, toast);
  }

  /**
   * Shows only the newest urgent toast, with the number of those below it. Removes the oldest toasts for which there is
   * no room.
   */
  #arrange(): void {
    const others: string[] = [];
    let top: Toast | undefined;
    let below = 0;
    for (const [id, toast] of [...this.#toasts].reverse()) {
      if (!toast.urgent) others.push(id);
      else if (!top) top = toast;
      else if (++below < PILED) toast.element.hidden = true;
      else this.remove(id);
    }
    if (top) {
      top.element.hidden = false;
      top.element.dataset["below"] = below ? `+${below}` : "";
    }
    const most = Math.min(AT_ONCE, Math.floor(innerHeight / HIGHEST) || 1);
    for (const id of others.slice(top ? most - 1 : most)) this.remove(id);
  }

  /** Places the toasts above all other elements of the top layer, clear of bells. */
  #place(): void {
    const { box, bells, top } = this.#options;
    // Showing it again moves it to the top layer. Skip while it has focus: hiding would lose that, and it is on
    // top already.
    if (!box.matches(":focus-within")) pop(box, false);
    pop(box, true);
    const low = !top();
    const { left, right } = box.getBoundingClientRect();
    let edge = 0;
    for (const bell of bells) {
      const at = bell.getBoundingClientRect();
      if (at.right <= left || at.left >= right || at.top > innerHeight / 2 !== low) continue;
      edge = Math.max(edge, low ? innerHeight - at.top : at.bottom);
    }
    box.classList.toggle("low", low);
    box.style.setProperty("--clear", `${edge}px`);
  }

  #run(id: string, toast: Toast): void {
    toast.since = performance.now();
    if (!this.#held && !toast.urgent && !toast.busy)
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
}
