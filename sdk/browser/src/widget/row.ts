/** One notification of the list. */

import type { Item } from "../client/types.js";
import { actionsOf, bodyOf, labelOf, type Open, opener, picture } from "./content.js";
import { ARCHIVE, button, h, icon, nameAs, READ, RESTORE, UNREAD, write } from "./dom.js";
import type { Extras } from "./extras.js";
import type { Localizer } from "./localizer.js";
import { SHOWN, shown } from "./text.js";
import type { MessageKey } from "./texts-types.js";
import { instant, type TimeFormat } from "./time.js";
import { showUsed } from "./used.js";

/** The actions of a reader on the item of a row. */
export interface RowActions {
  open(item: Item, event: MouseEvent, action?: string): void;
  mark(item: Item, state: "read" | "unread" | "archived" | "unarchived"): void;
}

/** Characters of an expanded text. */
const WHOLE = 20_000;

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

/**
 * A row. Its notification never changes; its state and place do. They are written into the same elements, so that
 * focus and a press that has begun stay on them.
 */
export class Row {
  readonly element: HTMLElement;
  readonly #row: HTMLElement;
  readonly #opener: HTMLElement;
  readonly #unread = h("span", { class: "spoken" });
  readonly #day = h("h3", "day");
  /** The texts that can be longer than the row shows, in its order: the title, and below it the body. */
  readonly #texts: readonly HTMLElement[];
  readonly #more: HTMLButtonElement;
  readonly #resized: () => void;
  readonly #time: HTMLTimeElement;
  readonly #read: Tool;
  readonly #archive: Tool;
  readonly #actions: HTMLElement;
  readonly #at: Date;
  readonly #localizer: Localizer;
  readonly #times: TimeFormat;
  readonly #extras: Extras | undefined;
  #item: Item;
  #active: boolean | undefined;
  #used = false;

  /** Calls `resized` when the reader has changed the height of the row. */
  constructor(
    item: Item,
    localizer: Localizer,
    times: TimeFormat,
    actions: RowActions,
    resized: () => void,
    extras?: Extras,
  ) {
    this.#item = item;
    this.#extras = extras;
    this.#localizer = localizer;
    this.#times = times;
    const { id, created_at, category, priority, link } = item.notification;
    this.#at = instant(created_at);
    this.#resized = resized;
    const open: Open = (event, action) => {
      if (!link && !action && this.isCut) this.#expand(true);
      actions.open(this.#item, event, action);
    };
    this.#opener = opener(item, localizer, open);
    this.#opener.prepend(this.#unread);
    this.#opener.id = id;
    this.#time = h("time", {
      datetime: created_at,
      pointerenter: () => {
        this.#time.title = times.exact(this.#at);
      },
      click: () => this.#opener.click(),
    });
    this.#read = new Tool(id, () => actions.mark(this.#item, this.#item.read_at ? "unread" : "read"));
    this.#archive = new Tool(id, () =>
      actions.mark(this.#item, this.#item.archived_at ? "unarchived" : "archived"),
    );
    this.#actions = actionsOf(item, open);
    const urgent = priority === "urgent";
    const body = bodyOf(item);
    const title = this.#opener.lastElementChild as HTMLElement;
    this.#texts = body ? [title, body] : [title];
    this.#more = button("more", () => this.#expand(this.#more.ariaExpanded !== "true"));
    this.#more.hidden = true;
    const meta = h(
      "div",
      "meta",
      urgent ? h("span", { class: "urgent" }, localizer.text("urgent")) : undefined,
      this.#time,
      // The direction of the category does not move the point before it.
      category ? h("span", {}, h("bdi", {}, labelOf(category))) : undefined,
    );
    // A screen reader reads the text and the time with the title of each row.
    const details = (body ? [body, meta] : [meta]).map((part, index) => {
      part.id = `${id}-${index}`;
      return part.id;
    });
    this.#opener.setAttribute("aria-describedby", details.join(" "));
    this.#row = h(
      "div",
      "row",
      picture(item),
      h(
        "div",
        { class: "main" },
        h("div", { class: "top" }, this.#opener, h("span", "dot")),
        body,
        this.#more,
        meta,
        this.#actions,
      ),
      h("div", "tools", this.#read.element, this.#archive.element),
    );
    this.element = h(
      "article",
      { class: urgent ? "item alert" : "item", part: "item", "aria-labelledby": this.#opener.id },
      this.#day,
      this.#row,
    );
  }

  update(item: Item, place: Place, now: Date): void {
    this.#item = item;
    const { element } = this;
    const unread = !item.read_at;
    const text = (key: MessageKey) => this.#localizer.text(key);
    element.classList.toggle("read", !unread);
    element.classList.toggle("past", !!item.archived_copy);
    this.#row.setAttribute("part", unread ? "row unread" : "row");
    element.setAttribute("aria-posinset", String(place.position));
    element.setAttribute("aria-setsize", String(place.size));
    write(this.#unread, unread ? `${text("isUnread")}: ` : "");
    this.#day.hidden = place.day === undefined;
    write(this.#day, place.day ?? "");
    write(this.#time, this.#times.ago(this.#at, now));
    this.#read.show(unread ? READ : UNREAD, text(unread ? "markRead" : "markUnread"));
    const archived = !!item.archived_at;
    this.#read.element.hidden = archived;
    this.#archive.show(archived ? RESTORE : ARCHIVE, text(archived ? "restore" : "archive"));
    if (item.action && !this.#used) this.#use(item.action.id);
    this.#extras?.update(item, this.#row);
    if (place.active !== this.#active) {
      this.#active = place.active;
      for (const control of element.querySelectorAll("a,button"))
        control.setAttribute("tabindex", place.active ? "0" : "-1");
    }
  }

  focus(): void {
    this.#opener.focus();
  }

  /** Whether a text is longer than the row shows. It needs a layout. */
  get isCut(): boolean {
    return this.#texts.some(
      ({ scrollHeight, clientHeight }, at) =>
        scrollHeight > clientHeight + 1 || this.#whole(at).length > SHOWN,
    );
  }

  /** Offers to expand a text that is cut. An expanded row offers to shorten it. */
  offer(isCut: boolean): void {
    if (isCut && this.#more.hidden) this.#expand(false);
  }

  #whole(at: number): string {
    const { title, body = "" } = this.#item.notification;
    return (at ? body : title || body).slice(0, WHOLE);
  }

  #expand(whole: boolean): void {
    for (const [at, text] of this.#texts.entries())
      if (this.#whole(at))
        (this.#extras?.write ?? write)(text, shown(this.#whole(at), whole ? WHOLE : undefined));
    this.element.classList.toggle("whole", whole);
    this.#more.ariaExpanded = String(whole);
    write(this.#more, this.#localizer.text(whole ? "less" : "more"));
    if (this.#more.hidden) this.#more.hidden = false;
    else this.#resized();
  }

  /** Shows the action that was used. */
  #use(id: string): void {
    this.#used = true;
    // A control that is removed or disabled loses its focus.
    if (this.#actions.matches(":focus-within")) this.focus();
    showUsed(this.#actions, this.#item, id, this.#localizer);
  }
}

/** A small button with an icon. Its action depends on the state of its row. */
class Tool {
  readonly element: HTMLButtonElement;
  #shown: string | undefined;

  /** `row` is the id of the element that names the row: all rows have the same buttons. */
  constructor(row: string, run: () => void) {
    this.element = button("tool", run);
    this.element.setAttribute("aria-describedby", row);
  }

  show(shape: string, label: string): void {
    if (this.#shown === shape) return;
    this.#shown = shape;
    this.element.replaceChildren(icon(shape));
    nameAs(this.element, label);
  }
}
