/** How a page announces new notifications: to a screen reader, by a sound, and in its title. */

import type { Counts, Inbox, Item } from "../client/types.js";
import { h } from "./dom.js";
import type { Localizer } from "./element.js";
import { hasLeft } from "./leaving.js";
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

let audio: AudioContext | undefined;

/** Plays two short soft notes. Without an earlier gesture of the user browsers forbid it, and nothing happens. */
export async function chime(): Promise<void> {
  if (!navigator.userActivation?.hasBeenActive) return;
  audio ??= new AudioContext();
  await audio.resume();
  const start = audio.currentTime;
  for (const [index, frequency] of [660, 880].entries()) {
    const at = start + index * 0.11;
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.12, at + 0.015);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 0.35);
    tone.connect(volume).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.4);
  }
}

/** Plays the sound for each new notification above low priority, on one tab of the user. */
export function soundFor(client: Inbox): () => void {
  return client.on("notification", ({ item, replayed }) => {
    const { id, priority } = item.notification;
    if (!replayed && priority !== "low" && client.leads && first("sound", id)) void chime();
  });
}

/** Puts the number of unread notifications before the page's title: "(3) Orders". */
export function titleFor(client: Inbox): () => void {
  const write = (counts: Counts | undefined) => {
    const title = document.title.replace(/^\(\d+\+?\) /, "");
    document.title = counts?.unread ? `(${limited(counts.unread)}) ${title}` : title;
  };
  write(client.counts);
  const stops = [
    client.on("counts", write),
    client.on("status", (change) => {
      if (hasLeft(change)) write(undefined);
    }),
  ];
  return () => {
    for (const stop of stops) stop();
    write(undefined);
  };
}

/** A count as text for a badge: at most "99+". */
export function limited(count: number): string {
  return count > 99 ? "99+" : String(count);
}
