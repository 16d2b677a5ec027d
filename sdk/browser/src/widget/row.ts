/** One notification of the list. */

import type { Item } from "../client/types.js";
import { ALERT, ARCHIVE, BELL, button, h, icon, nameAs, READ, RESTORE, UNREAD } from "./dom.js";
import type { Localizer } from "./element.js";
import { safeImage, safeLink, shown } from "./text.js";
import type { MessageKey } from "./texts-types.js";
import { instant, type TimeFormat } from "./time.js";

/** A reader chose a notification, or the action with this id. The event is the click, which may be on a link. */
type Open = (event: MouseEvent, action?: string) => void;

/** The actions of a reader on the item of a row. */
export interface RowActions {
  open(item: Item, event: MouseEvent, action?: string): void;
  mark(item: Item, state: "read" | "unread" | "archived" | "unarchived"): void;
}

/** The place of a row in the list. */
export interface Place {
  /** Counts from 1. */
  readonly position: number;
  /** The number of rows; -1 while unknown. */
  readonly size: number;
  /** The heading, for the first row of a day. */
  readonly day: string | undefined;
  /** The row that the Tab key reaches. */
  readonly active: boolean;
}

/** Makes the picture of a notification. Until an image has loaded, and if it never does, the picture is an icon. */
export function picture(item: Item): HTMLElement {
  const { icon: address, priority } = item.notification;
  const box = h(
    "span",
    { class: "icon", part: "icon", "aria-hidden": "true" },
    icon(priority === "urgent" ? ALERT : BELL),
  );
  const source = safeImage(address);
  if (source) {
    const image = h("img", {
      src: source,
      alt: "",
      loading: "lazy",
      decoding: "async",
      referrerpolicy: "no-referrer",
      load: () => box.replaceChildren(image),
      error: () => image.remove(),
    });
    box.append(image);
  }
  return box;
}

/** Makes the link or button that opens a notification. Its name is the title. */
export function opener(item: Item, localizer: Localizer, open: Open): HTMLAnchorElement | HTMLButtonElement {
  const { title, body, category, link } = item.notification;
  const text = h(
    "span",
    { class: "title", part: "item-title", dir: "auto" },
    shown(title || body || (category ? labelOf(category) : localizer.text("title"))),
  );
  return linkOrButton(safeLink(link), { class: "open" }, open, text);
}

/** A category in words: "orders.in_transit" becomes "Orders in transit". */
function labelOf(category: string): string {
  const words = shown(category)
    .replace(/[._:-]+/g, " ")
    .trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Makes the text below the title; undefined without a text or without a title. */
export function bodyOf(item: Item): HTMLElement | undefined {
  const { title, body } = item.notification;
  return title && body ? h("p", { class: "body", part: "item-body", dir: "auto" }, shown(body)) : undefined;
}

/** Makes the notification's own actions. */
export function actionsOf(item: Item, open: Open): HTMLElement {
  return h(
    "div",
    { class: "actions" },
    ...(item.notification.actions ?? []).map(({ id, label, link }) =>
      linkOrButton(
        safeLink(link),
        { class: "action", part: "action", dir: "auto" },
        (event) => open(event, id),
        shown(label),
      ),
    ),
  );
}

function linkOrButton(
  link: string | undefined,
  attributes: Record<string, string>,
  open: Open,
  child: Node | string,
): HTMLAnchorElement | HTMLButtonElement {
  const made = link
    ? h("a", { ...attributes, href: link, rel: "noopener" }, child)
    : h("button", { ...attributes, type: "button" }, child);
  made.addEventListener("click", open as EventListener);
  // The middle button opens a link in another tab, and sends no click event.
  if (link)
    made.addEventListener("auxclick", (event) => {
      if ((event as MouseEvent).button === 1) open(event as MouseEvent);
    });
  return made;
}

/**
 * A row. Its notification never changes; its state and place do. They are written into the same elements, so that
 * focus and a press that has begun stay on them.
 */
export class Row {
  readonly element: HTMLElement;
  readonly #opener: HTMLElement;
  readonly #unread = h("span", { class: "spoken" });
  readonly #day = h("h3", "day");
  readonly #time: HTMLTimeElement;
  readonly #read: Tool;
  readonly #archive: Tool;
  readonly #at: Date;
  readonly #localizer: Localizer;
  readonly #times: TimeFormat;
  #item: Item;
  #active: boolean | undefined;

  constructor(item: Item, localizer: Localizer, times: TimeFormat, actions: RowActions) {
    this.#item = item;
    this.#localizer = localizer;
    this.#times = times;
    const { created_at, category, priority } = item.notification;
    this.#at = instant(created_at);
    const open: Open = (event, action) => actions.open(this.#item, event, action);
    this.#opener = opener(item, localizer, open);
    this.#opener.prepend(this.#unread);
    this.#opener.id = item.notification.id;
    this.#time = h("time", {
      datetime: created_at,
      pointerenter: () => {
        this.#time.title = times.exact(this.#at);
      },
      click: () => this.#opener.click(),
    });
    this.#read = new Tool(() => actions.mark(this.#item, this.#item.read_at === null ? "read" : "unread"));
    this.#archive = new Tool(() =>
      actions.mark(this.#item, this.#item.archived_at === null ? "archived" : "unarchived"),
    );
    const urgent = priority === "urgent";
    const body = bodyOf(item);
    const meta = h(
      "div",
      "meta",
      urgent ? h("span", { class: "urgent" }, localizer.text("urgent")) : undefined,
      this.#time,
      category ? h("span", { dir: "auto" }, labelOf(category)) : undefined,
    );
    // A screen reader reads the text and the time with the title of each row.
    const details = [body, meta].filter((part) => part !== undefined);
    for (const [index, part] of details.entries()) part.id = `${this.#opener.id}-${index}`;
    this.#opener.setAttribute("aria-describedby", details.map(({ id }) => id).join(" "));
    this.element = h(
      "article",
      { class: urgent ? "item alert" : "item", "aria-labelledby": this.#opener.id },
      this.#day,
      h(
        "div",
        "row",
        picture(item),
        h(
          "div",
          { class: "main" },
          h("div", { class: "top" }, this.#opener, h("span", "dot")),
          body,
          meta,
          actionsOf(item, open),
        ),
        h("div", "tools", this.#read.element, this.#archive.element),
      ),
    );
  }

  update(item: Item, place: Place, now: Date): void {
    this.#item = item;
    const { element } = this;
    const unread = item.read_at === null;
    const text = (key: MessageKey) => this.#localizer.text(key);
    element.classList.toggle("read", !unread);
    element.setAttribute("part", unread ? "item unread" : "item");
    element.setAttribute("aria-posinset", String(place.position));
    element.setAttribute("aria-setsize", String(place.size));
    write(this.#unread, unread ? `${text("isUnread")}: ` : "");
    this.#day.hidden = place.day === undefined;
    write(this.#day, place.day ?? "");
    write(this.#time, this.#times.ago(this.#at, now));
    this.#read.show(unread ? READ : UNREAD, text(unread ? "markRead" : "markUnread"));
    const archived = item.archived_at !== null;
    this.#read.element.hidden = archived;
    this.#archive.show(archived ? RESTORE : ARCHIVE, text(archived ? "restore" : "archive"));
    if (place.active !== this.#active) {
      this.#active = place.active;
      for (const control of element.querySelectorAll("a,button"))
        control.setAttribute("tabindex", place.active ? "0" : "-1");
    }
  }

  focus(): void {
    this.#opener.focus();
  }
}

/** A small button with an icon. Its action depends on the state of its row. */
class Tool {
  readonly element: HTMLButtonElement;
  #shown: string | undefined;

  constructor(run: () => void) {
    this.element = button("tool", run);
  }

  show(shape: string, label: string): void {
    if (this.#shown === shape) return;
    this.#shown = shape;
    this.element.replaceChildren(icon(shape));
    nameAs(this.element, label);
  }
}

/** Sets a text if it differs. Most frames change few texts. */
function write(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
