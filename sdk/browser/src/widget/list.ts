/** The rows of a list, in a scrolling box; of more than a hundred only those in sight and their neighbours. */

import type { Item } from "../client/types.js";
import { h, OnceAFrame } from "./dom.js";
import type { Localizer } from "./element.js";
import { Row, type RowActions } from "./row.js";
import { instant, sameDay, TimeFormat } from "./time.js";

/** Up to here every item gets its row. */
const ALL = 100;
/** Pixels above and below what is in sight that have rows too. */
const MARGIN = 500;
/** So many rows are made in one frame, more only where more are in sight. */
const A_FRAME = 8;
/** How high a row is taken to be until it was measured. */
const GUESS = 92;
const AT_TOP = 8;

/** A row that is to stay in its place: where it was, and the index that it has now. */
interface Anchor {
  readonly element: HTMLElement;
  readonly top: number;
  readonly index: number;
}

export class List {
  /** The box that scrolls; focus stays here when the row that had it is gone. */
  readonly scroller = h("div", { class: "scroller", tabindex: -1 });
  readonly #feed: HTMLElement;
  readonly #localizer: Localizer;
  readonly #times: TimeFormat;
  readonly #actions: RowActions;
  readonly #rows = new Map<string, Row>();
  readonly #heights = new Map<string, number>();
  #items: readonly Item[] = [];
  #more = false;
  /** The time of the last frame in which rows were rendered. */
  #rendered: unknown;
  #active: string | undefined;
  readonly #frame = new OnceAFrame(() => this.#renderOnce());
  /** What is of a later millisecond than this id arrived while the list was looked at. */
  #since = "";

  constructor(localizer: Localizer, actions: RowActions) {
    this.#localizer = localizer;
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

  /** Whether the newest row is in sight. */
  get atTop(): boolean {
    return this.scroller.scrollTop <= AT_TOP;
  }

  /** Pixels between the end of the box and the end of what was loaded. */
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

  /** Renders in the next frame where scrolling can bring other rows into sight. */
  request(): void {
    if (this.#items.length > this.#rows.size) this.#frame.request();
  }

  /** The items whose rows are in sight. */
  inSight(): Item[] {
    const { top, bottom } = this.scroller.getBoundingClientRect();
    return this.#items.filter(({ notification }) => {
      const box = this.#rows.get(notification.id)?.element.getBoundingClientRect();
      return box && box.bottom > top && box.top < bottom;
    });
  }

  clear(): void {
    // Where nothing is there to be scrolled, asking would only make the browser lay the panel out.
    if (this.#items.length) this.scroller.scrollTop = 0;
    this.#items = [];
    this.#active = undefined;
    this.render();
  }

  /** Shows these items. What the reader looks at stays where it is, whatever came in above it. */
  show(items: readonly Item[], more: boolean): void {
    this.#since = (this.#items[0] ?? items[0])?.notification.id ?? "";
    this.#items = items;
    this.#more = more;
    this.#renderOnce();
  }

  /** Renders, or in the next frame where this one was rendered already: all in it have the same time. */
  #renderOnce(): void {
    if (!document.hidden && frameTime() === this.#rendered) this.#frame.request();
    else this.render();
  }

  /** Brings the rows in line with the items, the scroll position and the time. */
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

  /** Moves focus to the row that the Tab key comes to; to the box where there is none. */
  focus(): void {
    const row = this.#active === undefined ? undefined : this.#rows.get(this.#active);
    if (row) row.focus();
    else this.scroller.focus();
  }

  /** The row that is to stay where it is: the first in sight, or the one before where that goes. */
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

  /** Where each row begins, as far as heights are known, and where the last one ends. */
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
   * The first index with a row, and the one after the last: what is in sight, or has focus, and around it
   * what may be made in this frame. Where there should be more, the next frame goes on.
   */
  #window(tops: readonly number[], focused: number, anchor?: Anchor): [from: number, to: number] {
    const items = this.#items;
    const { scrollTop, clientHeight } = this.scroller;
    const start = anchor ? (tops[anchor.index] as number) + scrollTop - anchor.top : scrollTop;
    const end = start + clientHeight;
    const margin = items.length > ALL ? MARGIN : Number.POSITIVE_INFINITY;
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
    const row = new Row(item, this.#localizer, this.#times, this.#actions);
    const { id } = item.notification;
    if (id.slice(0, 13) > this.#since.slice(0, 13)) row.element.classList.add("new");
    this.#rows.set(id, row);
    return row;
  }

  /** Remembers heights, of rows that are there. */
  #measure(from: number, to: number): void {
    for (const { notification } of this.#items.slice(from, to)) {
      const height = this.#rows.get(notification.id)?.element.offsetHeight;
      if (height) this.#heights.set(notification.id, height);
    }
    if (this.#heights.size <= 2 * this.#items.length) return;
    const known = new Set(this.#items.map(({ notification }) => notification.id));
    for (const id of this.#heights.keys()) if (!known.has(id)) this.#heights.delete(id);
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

  /** The keys of the feed pattern (WAI-ARIA Authoring Practices), with arrows for Page Up and Down. */
  #key(event: KeyboardEvent): void {
    const at = this.#active === undefined ? -1 : this.#place(this.#active);
    const last = this.#items.length - 1;
    const steps: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + 5,
      PageUp: at - 5,
      Home: 0,
      End: last,
    };
    const step = steps[event.key];
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
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

/** The time that all of one frame have. A document without any, as in tests, has no two frames of one time. */
function frameTime(): unknown {
  return document.timeline?.currentTime ?? Number.NaN;
}
