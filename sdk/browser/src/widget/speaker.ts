/** Announces new notifications to screen readers. */

import type { Item } from "../client/types.js";
import { h } from "./dom.js";
import type { Localizer } from "./localizer.js";
import { shown } from "./text.js";

/** Announced ids: several elements of a page receive the same notification. */
const announced = new Set<string>();
const ANNOUNCED_AT_MOST = 500;

/** Returns true for the first call with this purpose and id. */
export function first(purpose: string, id: string): boolean {
  const key = `${purpose}:${id}`;
  if (announced.has(key)) return false;
  announced.add(key);
  const [oldest] = announced;
  if (announced.size > ANNOUNCED_AT_MOST && oldest) announced.delete(oldest);
  return true;
}

/** Milliseconds. Notifications within this time are one announcement, so that a burst is not read out for minutes. */
const GATHER = 400;

/**
 * The live region of an element. It announces each notification once per page, and only the number if several arrive
 * at the same time. An urgent one interrupts the screen reader.
 */
export class Speaker {
  readonly element: HTMLElement;
  readonly #calm = h("div", { role: "status" });
  readonly #urgent = h("div", { role: "alert" });
  readonly #localizer: Localizer;
  #waiting: Item[] = [];
  #timer = 0;

  constructor(localizer: Localizer) {
    this.#localizer = localizer;
    this.element = h("div", { class: "spoken" }, this.#calm, this.#urgent);
  }

  announce(item: Item): void {
    if (!first("speech", item.notification.id)) return;
    this.#waiting.push(item);
    this.#timer ||= window.setTimeout(() => this.#speak(), GATHER);
  }

  /** Drops announcements that were not spoken yet, and clears the live region. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#waiting = [];
    this.#calm.textContent = this.#urgent.textContent = "";
  }

  #speak(): void {
    this.#timer = 0;
    const items = this.#waiting.splice(0);
    const urgent = items.filter(({ notification }) => notification.priority === "urgent");
    const others = items.filter(({ notification }) => notification.priority !== "urgent");
    if (urgent.length) this.#urgent.textContent = this.#text(urgent);
    if (others.length) this.#calm.textContent = this.#text(others);
  }

  #text(items: readonly Item[]): string {
    const [item] = items;
    if (items.length > 1 || !item) return `${this.#localizer.text("title")}: ${items.length}`;
    const { title, body } = item.notification;
    return [title, body]
      .map((text) => shown(text ?? ""))
      .filter(Boolean)
      .join(". ");
  }
}

/** A count as text for a badge: at most "99+". */
export function limited(count: number): string {
  return count > 99 ? "99+" : String(count);
}
