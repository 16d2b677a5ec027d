/** `<tidings-toasts>`: what is new, for a moment, in a corner of the window. */

import type { Inbox, Item } from "../client/types.js";
import { first, Speaker, soundFor } from "./alerts.js";
import { h, icon } from "./dom.js";
import { TidingsElement } from "./element.js";
import { actionsOf, bodyOf, opener, picture } from "./row.js";
import css from "./toasts.css";

/** How many there are at once; of more, the oldest that is not urgent makes room. */
const AT_ONCE = 3;
/** Milliseconds a toast stays by its priority; of low priority there is none, and urgent ones stay. */
const STAYS: Readonly<Record<string, number>> = { normal: 7_000, high: 12_000 };

interface Toast {
  readonly element: HTMLElement;
  readonly urgent: boolean;
  remaining: number;
  since: number;
  timer: number;
}

/**
 * Attributes besides those of every element: `position="top"`, `sound`, `theme`. Event: `tidings-open`.
 * While the pointer or focus is on a toast, or the tab is in the background, none goes away.
 */
export class TidingsToasts extends TidingsElement {
  static readonly observedAttributes = [...TidingsElement.shared, "sound"];
  readonly #toasts = new Map<string, Toast>();
  #stack: HTMLElement | undefined;
  #held = false;

  constructor() {
    super(css);
  }

  protected override begin(client: Inbox): void {
    const stack = h("div", {
      class: "stack",
      part: "stack",
      role: "region",
      "aria-label": this.say("title"),
      lang: this.language,
      dir: this.direction,
      popover: "manual",
      pointerenter: () => this.#hold(true),
      pointerleave: () => this.#hold(false),
      focusin: () => this.#hold(true),
      focusout: () => this.#hold(false),
      keydown: (event) => (event as KeyboardEvent).key === "Escape" && this.#leave(event.target as Element),
    });
    this.#stack = stack;
    const speaker = new Speaker((count) => `${this.say("title")}: ${count}`);
    this.root.append(stack, speaker.element);
    const visible = () => this.#hold(document.hidden);
    document.addEventListener("visibilitychange", visible);
    this.until(() => {
      document.removeEventListener("visibilitychange", visible);
      for (const id of [...this.#toasts.keys()]) this.#remove(id);
      speaker.stop();
    });
    this.until(
      client.on("notification", ({ item, replayed }) => {
        if (replayed || item.notification.priority === "low" || !first("toast", item.notification.id)) return;
        speaker.tell(item);
        this.#show(client, item);
      }),
    );
    // What was read, archived or recalled elsewhere is nothing new any more.
    this.until(
      client.on("state", ({ items }) => {
        for (const item of items)
          if (item.read_at !== null || item.archived_at !== null) this.#remove(item.notification.id);
      }),
    );
    this.until(client.on("recalled", ({ id }) => this.#remove(id)));
    if (this.hasAttribute("sound")) this.until(soundFor(client));
  }

  #show(client: Inbox, item: Item): void {
    const { id, priority } = item.notification;
    const urgent = priority === "urgent";
    const open = (event: Event, action?: string) => {
      this.opened(client, item, event, action);
      this.#remove(id);
    };
    const element = h(
      "div",
      { class: urgent ? "toast alert" : "toast", part: urgent ? "toast urgent" : "toast", role: "group" },
      picture(item),
      h("div", { class: "main" }, opener(item, this, open), bodyOf(item), actionsOf(item, open)),
      h(
        "button",
        {
          class: "tool",
          part: "tool",
          type: "button",
          "aria-label": this.say("close"),
          click: () => this.#remove(id),
        },
        icon("close"),
      ),
    );
    const toast: Toast = {
      element,
      urgent,
      remaining: STAYS[priority] ?? STAYS["normal"] ?? 0,
      since: 0,
      timer: 0,
    };
    this.#toasts.set(id, toast);
    this.#makeRoom();
    this.#stack?.prepend(element);
    // Shown anew each time, so that it lies above whatever else the page has put into the top layer.
    this.#stack?.hidePopover();
    this.#stack?.showPopover();
    if (!this.#held) this.#run(id, toast);
  }

  #makeRoom(): void {
    for (const urgent of [false, true])
      for (const [id, toast] of this.#toasts)
        if (this.#toasts.size > AT_ONCE && toast.urgent === urgent) this.#remove(id);
  }

  #run(id: string, toast: Toast): void {
    if (toast.urgent) return;
    toast.since = performance.now();
    toast.timer = window.setTimeout(() => this.#remove(id), toast.remaining);
  }

  #hold(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    for (const [id, toast] of this.#toasts) {
      clearTimeout(toast.timer);
      if (held) toast.remaining -= toast.urgent ? 0 : performance.now() - toast.since;
      else this.#run(id, toast);
    }
  }

  #leave(target: Element): void {
    for (const [id, toast] of this.#toasts) if (toast.element.contains(target)) this.#remove(id);
  }

  #remove(id: string): void {
    const toast = this.#toasts.get(id);
    if (!toast) return;
    clearTimeout(toast.timer);
    this.#toasts.delete(id);
    toast.element.remove();
    if (this.#toasts.size) return;
    this.#stack?.hidePopover();
    this.#hold(document.hidden);
  }
}
