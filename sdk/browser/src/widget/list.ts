/** The rows of a list in a scrolling box. A list of more than a hundred items has only the rows in view and near it. */

import type { Item } from "../client/types.js";
import { h, OnceAFrame } from "./dom.js";
import type { Extras } from "./extras.js";
import { frameTime } from "./frame-time.js";
import { stepOf } from "./keys.js";
import type { Localizer } from "./localizer.js";
import { Row, type RowActions } from "./row.js";
import { instant, sameDay, TimeFormat } from "./time.js";

/** Up to this number every item has a row. */
const ALL = 100;
/** Pixels above and below the view that have rows too. */
const MARGIN = 500;
/** The number of rows that one frame makes. Only rows in view can exceed it. */
const A_FRAME = 8;
/** The assumed height of a row that was not measured yet, in pixels. */
const GUESS = 92;
const AT_TOP = 8;
const EVERYTHING = 1e9; // pixels

/** The row that must not move: its old top, and its new index. */
interface Anchor {
  readonly element: HTMLElement;
  readonly top: number;
  readonly index: number;
}

export class List {
  /** The scrolling box. It takes the focus of a removed row if no other row can. */
  readonly scroller = h("div", { class: "scroller", tabindex: -1 });
  readonly #feed: HTMLElement;
  readonly #localizer: Localizer;
  readonly #times: TimeFormat;
  readonly #actions: RowActions;
  readonly #extras: Extras | undefined;
  readonly #rows = new Map<string, Row>();
  readonly #heights = new Map<string, number>();
  #items: readonly Item[] = [];
  #more = false;
  /** The time of the last frame in which rows were rendered. */
  #rendered: unknown;
  #active: string | undefined;
  readonly #frame = new OnceAFrame(() => this.#renderOnce());
  /** A notification with a later millisecond than this id arrived while the list was open. */
  #since = "";

  constructor(localizer: Localizer, actions: RowActions, extras?: Extras) {
    this.#localizer = localizer;
    this.#extras = extras;
    this.#times = new TimeFormat(localizer.language);
    this.#actions = actions;
    this.#feed = h("div", {
      class: "items",
      part: "list",
      role: "feed",
      "aria-label": localizer.text("title"),
    });
    this.scroller.addEventListener("keydown", (event) => this.#key(event));
    this.#feed.addEventListener("focusin", (event) => this.#activate(event.target as Element));
    this.scroller.append(this.#feed);
  }

  /** Whether the newest row is in view. */
  get atTop(): boolean {
    return this.scroller.scrollTop <= AT_TOP;
  }

  /** Pixels between the end of the view and the end of the list. */
  get below(): number {
    const { scrollTop, clientHeight, scrollHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  set busy(busy: boolean) {
    this.#feed.setAttribute("aria-busy", String(busy));
  }

  /** Scrolls to the newest. */
  toTop(): void {
    this.scroller.scrollTop = 0;
    this.render();
    this.focus();
  }

  /** Renders in the next frame, if scrolling can bring further rows into view. */
  request(): void {
    if (this.#items.length > this.#rows.size) this.#frame.request();
  }

  /** The items whose rows are in view. */
  inSight(): Item[] {
    const { top, bottom } = this.scroller.getBoundingClientRect();
    return this.#items.filter(({ notification }) => {
      const box = this.#rows.get(notification.id)?.element.getBoundingClientRect();
      return box && box.bottom > top && box.top < bottom;
    });
  }

  clear(): void {
    // An empty list has no scroll position, and access to it would only force a layout.
    if (this.#items.length) this.scroller.scrollTop = 0;
    this.#items = [];
    this.#active = undefined;
    this.render();
  }

  /** Shows these items. The rows in view do not move when items are added above them. */
  show(items: readonly Item[], more: boolean): void {
    this.#since = (this.#items[0] ?? items[0])?.notification.id ?? "";
    this.#items = items;
    this.#more = more;
    this.#renderOnce();
  }

  /** Renders once per frame: a second call in a frame, which has the same time, renders in the next one. */
  #renderOnce(): void {
    if (!document.hidden && frameTime() === this.#rendered) this.#frame.request();
    else this.render();
  }

  /** Makes the rows for the items, the scroll position and the time. */
  render(): void {
    this.#rendered = this.#items.length ? frameTime() : undefined;
    const anchor = !this.#rows.size || this.atTop ? undefined : this.#anchor();
    const focused = this.#focused();
    const lost = focused === undefined ? -1 : this.#place(focused);
    const tops = this.#tops();
    const [from, to] = this.#window(tops, lost, anchor);
    this.#fill(from, to);
    const [above, below] = [tops[from] as number, (tops.at(-1) as number) - (tops[to] as number)];
    this.#feed.style.paddingBlock = `${above}px ${below}px`;
    this.#measure(from, to);
    if (anchor?.element.isConnected) this.scroller.scrollTop += anchor.element.offsetTop - anchor.top;
    if (focused !== undefined && !this.#rows.has(focused)) this.#refocus(lost);
  }

  /** Moves focus to the row that the Tab key reaches, or to the box if there is none. */
  focus(): void {
    const row = this.#active === undefined ? undefined : this.#rows.get(this.#active);
    if (row) row.focus();
    else this.scroller.focus();
  }

  /** The row that must not move: the first in view. If that was removed, the row before it. */
  #anchor(): Anchor | undefined {
    const { scrollTop } = this.scroller;
    let before: Anchor | undefined;
    for (const [index, { notification }] of this.#items.entries()) {
      const element = this.#rows.get(notification.id)?.element;
      if (!element) continue;
      const top = element.offsetTop;
      const row = { element, top, index };
      if (top + element.offsetHeight > scrollTop) return top > scrollTop && before ? before : row;
      before = row;
    }
    return before;
  }

  /** The top of each row, by known or assumed heights, and the bottom of the last. */
  #tops(): number[] {
    let top = 0;
    const tops = this.#items.map(({ notification }) => {
      const begins = top;
      top += this.#heights.get(notification.id) ?? GUESS;
      return begins;
    });
    return [...tops, top];
  }

  /**
   * The first index with a row, and the index after the last. This includes the rows in view, the row with focus, and
   * as many neighbours as this frame may make. The next frame makes the rest.
   */
  #window(tops: readonly number[], focused: number, anchor?: Anchor): [from: number, to: number] {
    const items = this.#items;
    const { scrollTop, clientHeight } = this.scroller;
    const start = anchor ? (tops[anchor.index] as number) + scrollTop - anchor.top : scrollTop;
    const end = start + clientHeight;
    const margin = items.length > ALL ? MARGIN : EVERYTHING;
    let [least, first, last, most] = [0, 0, 0, 0];
    for (const index of items.keys()) {
      const [top, bottom] = [tops[index] as number, tops[index + 1] as number];
      if (bottom < start - margin) least = index + 1;
      if (bottom <= start) first = index + 1;
      if (top < end) last = index + 1;
      if (top <= end + margin) most = index + 1;
    }
    for (const index of [focused, anchor?.index ?? first])
      if (index >= least && index < most) {
        first = Math.min(first, index);
        last = Math.max(last, index + 1);
      }
    const isThere = (index: number) => this.#rows.has(items[index]?.notification.id as string);
    let left = A_FRAME;
    for (let index = first; index < last; index += 1) if (!isThere(index)) left -= 1;
    const may = (index: number) => isThere(index) || left-- > 0;
    while (last < most && may(last)) last += 1;
    while (first > least && may(first - 1)) first -= 1;
    if (first > least || last < most) this.#frame.request();
    return [first, last];
  }

  #fill(from: number, to: number): void {
    const now = new Date();
    const size = this.#more ? -1 : this.#items.length;
    const visible = this.#items.slice(from, to);
    const wanted = new Set(visible.map(({ notification }) => notification.id));
    for (const [id, row] of this.#rows)
      if (!wanted.has(id)) {
        row.element.remove();
        this.#rows.delete(id);
      }
    if (this.#active === undefined || this.#place(this.#active) < 0)
      this.#active = visible[0]?.notification.id;
    let at = this.#feed.firstElementChild;
    for (const [offset, item] of visible.entries()) {
      const { id, created_at } = item.notification;
      const row = this.#rows.get(id) ?? this.#make(item);
      const index = from + offset;
      const before = this.#items[index - 1]?.notification.created_at;
      const date = instant(created_at);
      row.update(
        item,
        {
          position: index + 1,
          size,
          day: before && sameDay(date, instant(before)) ? undefined : this.#times.day(date, now),
          active: id === this.#active,
        },
        now,
      );
      if (row.element === at) at = at.nextElementSibling;
      else this.#feed.insertBefore(row.element, at);
    }
  }

  #make(item: Item): Row {
    const row = new Row(item, this.#localizer, this.#times, this.#actions, () => this.render(), this.#extras);
    const { id } = item.notification;
    if (id.slice(0, 13) > this.#since.slice(0, 13)) row.element.classList.add("new");
    this.#rows.set(id, row);
    return row;
  }

  /** Stores the heights of existing rows, after those whose text is cut have their button. */
  #measure(from: number, to: number): void {
    // All rows are measured before one changes: one layout is enough.
    for (const [row, isCut] of [...this.#rows.values()].map((row) => [row, row.isCut] as const))
      row.offer(isCut);
    for (const { notification } of this.#items.slice(from, to)) {
      const height = this.#rows.get(notification.id)?.element.offsetHeight;
      if (height) this.#heights.set(notification.id, height);
    }
    if (this.#heights.size <= 2 * this.#items.length) return;
    for (const id of this.#heights.keys()) if (this.#place(id) < 0) this.#heights.delete(id);
  }

  #place(id: string): number {
    return this.#items.findIndex(({ notification }) => notification.id === id);
  }

  #focused(): string | undefined {
    const focused = (this.#feed.getRootNode() as ShadowRoot).activeElement;
    return focused && this.#feed.contains(focused) ? this.#active : undefined;
  }

  #refocus(index: number): void {
    const next = this.#items[Math.min(Math.max(index, 0), this.#items.length - 1)];
    if (next && this.#rows.has(next.notification.id)) this.#go(next.notification.id);
    else this.scroller.focus();
  }

  #activate(target: Element): void {
    const article = target.closest("article");
    for (const [id, row] of this.#rows)
      if (row.element === article && id !== this.#active) {
        this.#active = id;
        this.render();
      }
  }

  #key(event: KeyboardEvent): void {
    const at = this.#active === undefined ? -1 : this.#place(this.#active);
    const last = this.#items.length - 1;
    const step = stepOf(event, at, last);
    if (step === undefined) return;
    event.preventDefault();
    const next = this.#items[Math.min(Math.max(step, 0), last)];
    if (next) this.#go(next.notification.id);
  }

  #go(id: string): void {
    this.#active = id;
    if (!this.#rows.has(id)) this.scroller.scrollTop = this.#tops()[this.#place(id)] as number;
    this.render();
    this.#rows.get(id)?.focus();
  }
}
