/** The rows of a list, in a scrolling box; of more than a hundred only those in sight and their neighbours. */

import type { Item } from "../client/types.js";
import { h, OnceAFrame } from "./dom.js";
import type { Words } from "./element.js";
import { type Deeds, Row } from "./row.js";
import { sameDay, TimeFormat } from "./time.js";

/** Up to here every item has its row. */
const ALL = 100;
/** Pixels above and below what is in sight that have rows too. */
const MARGIN = 500;
/** How high a row is taken to be until it was measured. */
const GUESS = 92;
const AT_TOP = 8;

export class List {
  /** The box that scrolls; focus stays here when the row that had it is gone. */
  readonly scroller = h("div", { class: "scroller", tabindex: -1 });
  readonly #feed: HTMLElement;
  readonly #words: Words;
  readonly #times: TimeFormat;
  readonly #deeds: Deeds;
  readonly #rows = new Map<string, Row>();
  readonly #heights = new Map<string, number>();
  #items: readonly Item[] = [];
  #more = false;
  #active: string | undefined;
  readonly #frame = new OnceAFrame(() => this.render());
  /** What is of a later millisecond than this id arrived while the list was looked at. */
  #since = "";
  /** The rows that nobody sees at first are made after those in sight were painted. */
  #opening = false;

  constructor(words: Words, deeds: Deeds) {
    this.#words = words;
    this.#times = new TimeFormat(words.language);
    this.#deeds = deeds;
    this.#feed = h("div", { class: "items", part: "list", role: "feed", "aria-label": words.say("title") });
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
    if (this.#items.length > ALL) this.#frame.request();
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
    this.#opening = !this.#items.length;
    this.#since = (this.#items[0] ?? items[0])?.notification.id ?? "";
    this.#items = items;
    this.#more = more;
    this.render();
    if (!this.#opening) return;
    this.#opening = false;
    this.#frame.request();
  }

  /** Brings the rows in line with the items, the scroll position and the time. */
  render(): void {
    const anchor = !this.#rows.size || this.atTop ? undefined : this.#anchor();
    const focused = this.#focused();
    const lost = focused === undefined ? -1 : this.#place(focused);
    const [from, to, above, below] = this.#window();
    this.#fill(from, to);
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

  #anchor(): { element: HTMLElement; top: number } | undefined {
    const { scrollTop } = this.scroller;
    for (const element of this.#feed.children as HTMLCollectionOf<HTMLElement>) {
      const top = element.offsetTop;
      if (top + element.offsetHeight > scrollTop) return { element, top };
    }
    return undefined;
  }

  /** The first and last index with a row, and the space that stands for those without. */
  #window(): [from: number, to: number, above: number, below: number] {
    const items = this.#items;
    if (items.length <= ALL && !this.#opening) return [0, items.length, 0, 0];
    const start = this.scroller.scrollTop - MARGIN;
    const end = this.scroller.scrollTop + this.scroller.clientHeight + MARGIN;
    let from = 0;
    let to = 0;
    let top = 0;
    let above = 0;
    let below = 0;
    for (const { notification } of items) {
      const height = this.#heights.get(notification.id) ?? GUESS;
      if (top + height < start) {
        from += 1;
        above += height;
      }
      if (top <= end) to += 1;
      else below += height;
      top += height;
    }
    return [Math.min(from, Math.max(0, to - 1)), to, above, below];
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
      const date = new Date(created_at);
      row.update(
        item,
        {
          position: index + 1,
          size,
          day: before && sameDay(date, new Date(before)) ? undefined : this.#times.day(date, now),
          active: id === this.#active,
        },
        now,
      );
      if (row.element === at) at = at.nextElementSibling;
      else this.#feed.insertBefore(row.element, at);
    }
  }

  #make(item: Item): Row {
    const row = new Row(item, this.#words, this.#times, this.#deeds);
    const { id } = item.notification;
    if (id.slice(0, 13) > this.#since.slice(0, 13)) row.element.classList.add("new");
    this.#rows.set(id, row);
    return row;
  }

  /** Remembers heights, of rows that are there; only a list with gaps needs them. */
  #measure(from: number, to: number): void {
    if (this.#items.length <= ALL) return;
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
    if (!this.#rows.has(id)) {
      let top = 0;
      for (const { notification } of this.#items) {
        if (notification.id === id) break;
        top += this.#heights.get(notification.id) ?? GUESS;
      }
      this.scroller.scrollTop = top;
    }
    this.render();
    this.#rows.get(id)?.focus();
  }
}
