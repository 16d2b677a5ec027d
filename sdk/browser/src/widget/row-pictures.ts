/** The pictures of rows: an image of the notification's data, an icon for its category, or initials. */

import type { Item } from "../client/types.js";
import { picture } from "./content.js";
import { ALERT, BELL, icon, READ } from "./dom.js";
import { matches } from "./listing.js";
import { jsonOf, warn } from "./options.js";
import { safeImage, shown } from "./text.js";

/** The icons that a page can name: path data of lines in a square of 24 units. */
const SHAPES: Readonly<Record<string, string>> = {
  alert: ALERT,
  bell: BELL,
  box: "m12 3 8 4.5v9L12 21l-8-4.5v-9zm0 9v9m0-9 8-4.5M12 12 4 7.5",
  calendar: "M4 6h16v14H4zM4 10.5h16M8 3.5V7m8-3.5V7",
  card: "M3 6h18v12H3zM3 10.5h18M6.5 14.5h4",
  chart: "M4 4v16h16M8.5 16v-4M13 16V8m4.5 8v-6",
  check: READ,
  comment: "M4 5h16v11.5H10L5.5 20v-3.5H4z",
  file: "M6 3h8l4.5 4.5V21H6zm8 0v5h4.5",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M4.5 20.5c0-4 3-6 7.5-6s7.5 2 7.5 6",
  rocket:
    "M9 14.5 6.5 12C8 7 12 3.5 19.5 3.5 19.5 11 16 15 11 16.5zM6.5 12H3.5l2-4H9m2 8.5v3l4-2V14M13.5 9.5h.1",
  shield: "m12 3 7.5 3v5.5c0 4.5-3 8-7.5 9.5-4.5-1.5-7.5-5-7.5-9.5V6zm-3 9 2 2 4-4",
  star: "m12 3.5 2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9-4.3-4.1 5.9-.8z",
};

interface Host extends HTMLElement {
  readonly language: string;
  readonly icons: unknown;
  readonly imageOrigins: string;
}

/** The fields of `data` that a picture uses. */
interface Data {
  readonly actor?: unknown;
  readonly avatar?: unknown;
  readonly icon?: unknown;
}

export class RowPictures {
  readonly #host: Host;
  /** By category, or prefix with a final dot: the name of an icon, or an address. Undefined: rows are as usual. */
  readonly #icons: ReadonlyMap<string, string> | undefined;

  constructor(host: Host) {
    this.#host = host;
    const given = jsonOf("icons", host.icons);
    if (given === undefined) return;
    const icons = Object.entries(given ?? {}).filter((entry): entry is [string, string] => {
      const [category, name] = entry;
      const isKnown = typeof name === "string" && (Object.hasOwn(SHAPES, name) || safeImage(name));
      if (!isKnown)
        warn(
          `icons has no icon ${JSON.stringify(name)} for ${category}: use an address or one of ${Object.keys(SHAPES).join(", ")}`,
        );
      return Boolean(isKnown);
    });
    // The longest match first.
    this.#icons = new Map(icons.sort(([one], [other]) => other.length - one.length));
  }

  /** Replaces the picture of a new row, unless the notification has one of its own. */
  show(item: Item, row: HTMLElement): void {
    if (!this.#icons) return;
    const { icon: own, priority } = item.notification;
    let box = row.querySelector<HTMLElement>(".icon");
    const named = this.#named(item);
    const image = own ?? this.#allowed(item) ?? (named && !Object.hasOwn(SHAPES, named) ? named : undefined);
    if (image && image !== own) {
      const other = picture({ ...item, notification: { ...item.notification, icon: image } });
      box?.replaceWith(other);
      box = other;
    }
    // An urgent notification keeps its icon.
    const usual = priority === "urgent" ? undefined : box?.querySelector("svg");
    if (named && Object.hasOwn(SHAPES, named)) usual?.replaceWith(icon(SHAPES[named] as string));
    else if (usual && box) this.#initials(item, box, usual);
  }

  #named({ notification: { category } }: Item): string | undefined {
    if (category !== undefined && this.#icons)
      for (const [wanted, name] of this.#icons) if (matches(category, wanted)) return name;
    return undefined;
  }

  /** The image of the data, if its address is one of this site or of an origin that the page lists. */
  #allowed({ notification: { data = {} } }: Item): string | undefined {
    const { actor, avatar, icon: other } = data as Data;
    const given = (actor as Data | null | undefined)?.avatar ?? avatar ?? other;
    const address = typeof given === "string" ? safeImage(given) : undefined;
    if (!address) return undefined;
    const { origin } = new URL(address, location.href);
    const allowed = [location.origin, ...this.#host.imageOrigins.split(/\s+/)];
    return allowed.includes(origin) ? address : undefined;
  }

  #initials({ notification: { data = {}, title = "" } }: Item, box: HTMLElement, usual: Element): void {
    const { actor } = data as Data;
    const name = typeof actor === "string" ? actor : (actor as { name?: unknown } | null | undefined)?.name;
    const text = typeof name === "string" ? initialsOf(name) : initialsOf(title).slice(0, 1);
    if (!text.length) return;
    usual.replaceWith(text.join("").toLocaleUpperCase(this.#host.language));
    box.classList.add("initials");
    box.style.setProperty("--hue", String(hueOf(typeof name === "string" ? name : title)));
  }
}

/** The first letters or digits of the first and the last word. */
export function initialsOf(text: string): string[] {
  const words = shown(text).match(/[\p{L}\p{N}]+/gu) ?? [];
  return [...new Set([0, words.length - 1])].flatMap((index) => [...(words[index] ?? "")].slice(0, 1));
}

/** A hue that is always the same for a text. */
function hueOf(text: string): number {
  let hue = 0;
  for (const character of text.slice(0, 100)) hue = (hue * 31 + (character.codePointAt(0) ?? 0)) % 360;
  return hue;
}
