/** The inbox itself: head, filters, the list and all that stands in its place while there is none. */

import type { Item } from "../client/types.js";
import { h, icon } from "./dom.js";
import type { Feed, Filter, Snapshot } from "./feed.js";
import { List } from "./list.js";
import type { MessageKey } from "./messages.js";
import type { Deeds, Words } from "./row.js";

const FILTERS: readonly Filter[] = ["all", "unread", "archived"];
const EMPTY: Readonly<Record<Filter, MessageKey>> = {
  all: "empty",
  unread: "emptyUnread",
  archived: "emptyArchived",
};
/** Pixels before the end at which the next page is asked for. */
const AHEAD = 900;
/** From here down the reader has gone too far for the end of the list to be dropped. */
const DEEP = 4_000;
const MINUTE = 60_000;
/** How long something is in sight before it counts as seen. */
const SEEN_AFTER = 600;
const UNDO_FOR = 8_000;

export interface PanelOptions {
  readonly feed: Feed;
  readonly words: Words;
  readonly open: Deeds["open"];
  /** Closes the popover; undefined where the panel is the page. */
  readonly close: (() => void) | undefined;
}

export class Panel {
  readonly element: HTMLElement;
  readonly #feed: Feed;
  readonly #words: Words;
  readonly #list: List;
  readonly #markAll: HTMLButtonElement;
  readonly #tabs: HTMLButtonElement[];
  readonly #count = h("span", { class: "count", part: "count" });
  readonly #strip = h("div", { class: "strip", part: "strip" });
  readonly #stage: HTMLElement;
  readonly #placeholder = h("div");
  readonly #end = h("div", { class: "end" });
  readonly #fresh: HTMLButtonElement;
  readonly #undo = h("div", { class: "undone", role: "status" });
  #shown: Snapshot | undefined;
  #state: string | undefined;
  #timers: Record<"seen" | "undo" | "clock", number> = { seen: 0, undo: 0, clock: 0 };
  #stop: (() => void) | undefined;

  constructor({ feed, words, open, close }: PanelOptions) {
    this.#feed = feed;
    this.#words = words;
    const say = (key: MessageKey) => words.say(key);
    this.#list = new List(words, { open, mark: (item, state) => this.#mark(item, state) }, say("title"));
    this.#list.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#markAll = h(
      "button",
      {
        class: "tool",
        part: "tool mark-all",
        type: "button",
        title: say("markAll"),
        "aria-label": say("markAll"),
        click: () => feed.markAllRead(),
      },
      icon("checks"),
    );
    this.#tabs = FILTERS.map((filter) =>
      h(
        "button",
        {
          class: "tab",
          part: "tab",
          type: "button",
          role: "tab",
          id: `tab-${filter}`,
          "aria-controls": "stage",
          click: () => this.#choose(filter),
        },
        say(filter),
      ),
    );
    this.#tabs[1]?.append(this.#count);
    this.#fresh = h("button", {
      class: "fresh",
      part: "fresh",
      type: "button",
      hidden: true,
      click: () => this.#toTop(),
    });
    this.#stage = h(
      "div",
      { class: "stage", part: "stage", role: "tabpanel", id: "stage" },
      this.#fresh,
      this.#list.scroller,
      this.#placeholder,
      this.#undo,
    );
    this.#list.scroller.append(this.#end);
    this.element = h(
      "section",
      {
        class: "panel",
        part: "panel",
        tabindex: -1,
        "aria-labelledby": "heading",
        keydown: (event) => this.#key(event as KeyboardEvent),
      },
      h(
        "div",
        { class: "head", part: "head" },
        h("h2", { id: "heading", part: "heading" }, say("title")),
        h("slot", { name: "head" }),
        this.#markAll,
        close &&
          h(
            "button",
            {
              class: "tool close",
              part: "tool close",
              type: "button",
              "aria-label": say("close"),
              click: close,
            },
            icon("close"),
          ),
      ),
      h(
        "div",
        {
          class: "tabs",
          part: "tabs",
          role: "tablist",
          "aria-labelledby": "heading",
          keydown: (event) => this.#tabKey(event as KeyboardEvent),
        },
        ...this.#tabs,
      ),
      h("div", { role: "status" }, this.#strip),
      this.#stage,
      h("slot", { name: "foot" }),
    );
  }

  /** Begins to show the feed; until `rest`, a closed panel costs nothing. */
  start(): void {
    if (this.#stop) return;
    this.#stop = this.#feed.subscribe(() => this.#render());
    this.#timers.clock = window.setInterval(() => this.#list.render(), MINUTE);
    this.#render();
  }

  rest(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#forget();
    clearTimeout(this.#timers.seen);
    clearInterval(this.#timers.clock);
    this.#timers.seen = 0;
  }

  #render(): void {
    const snapshot = this.#feed.snapshot;
    const { filter, items, phase, more, counts, stuck } = snapshot;
    const before = this.#shown;
    this.#shown = snapshot;
    if (before?.filter !== filter) {
      for (const [index, tab] of this.#tabs.entries()) {
        const chosen = FILTERS[index] === filter;
        tab.setAttribute("aria-selected", String(chosen));
        tab.tabIndex = chosen ? 0 : -1;
      }
      this.#stage.setAttribute("aria-labelledby", `tab-${filter}`);
    }
    if (before && (before.filter !== filter || (before.phase === "ready" && phase === "loading")))
      this.#list.clear();
    this.#count.hidden = !counts?.unread;
    this.#count.textContent = String(counts?.unread ?? "");
    this.#markAll.hidden = !counts?.unread;
    this.#strips(snapshot);
    const atTop = this.#list.atTop;
    if (before?.items !== items || before.more !== more) {
      this.#list.show(items, more);
      const newest = before?.filter === filter ? before.items[0] : undefined;
      if (!atTop && newest) this.#arrived(items, newest);
    }
    this.#list.busy = phase === "loading";
    this.#stand(items.length ? "" : phase === "ready" ? filter : phase);
    this.#finish(more, stuck);
    this.#scrolled();
  }

  /** Offline, stopped, or something lost: said once, above the list, quietly. */
  #strips({ status, missed, phase }: Snapshot): void {
    const key: MessageKey | undefined =
      status === "stopped"
        ? "stopped"
        : status === "offline"
          ? navigator.onLine
            ? "connecting"
            : "offline"
          : missed && phase === "ready"
            ? "missed"
            : undefined;
    const text = key ? this.#words.say(key) : "";
    this.#strip.hidden = !text;
    if (this.#strip.textContent !== text) this.#strip.textContent = text;
  }

  #arrived(items: readonly Item[], newest: Item): void {
    const count = items.findIndex(({ notification }) => notification.id <= newest.notification.id);
    if (count <= 0 && this.#fresh.hidden) return;
    const sum = Number(this.#fresh.dataset["count"] ?? 0) + Math.max(0, count);
    this.#fresh.dataset["count"] = String(sum);
    this.#fresh.textContent = `${this.#words.say("fresh")}: ${sum}`;
    this.#fresh.hidden = false;
  }

  #toTop(): void {
    this.#list.toTop();
    this.#scrolled();
  }

  /** What stands where no list is: `loading`, `failed`, or a filter with nothing in it. */
  #stand(state: string): void {
    this.#list.scroller.hidden = state !== "";
    if (state === this.#state) return;
    this.#state = state;
    const say = (key: MessageKey) => this.#words.say(key);
    const box = this.#placeholder;
    box.className = state === "loading" ? "" : "state";
    box.hidden = !state;
    box.setAttribute("part", state === "loading" || !state ? "" : "state");
    if (!state) box.replaceChildren();
    else if (state === "loading")
      box.replaceChildren(
        h("div", { class: "spoken", role: "status" }, say("loading")),
        ...Array.from({ length: 6 }, () => h("div", { class: "ghost", "aria-hidden": "true" })),
      );
    else if (state === "failed")
      box.replaceChildren(
        h("span", { class: "icon" }, icon("alert")),
        h("p", { role: "alert" }, say("failed")),
        this.#again(() => void this.#feed.reload()),
      );
    else
      box.replaceChildren(
        h(
          "slot",
          { name: "empty" },
          h(
            "span",
            { class: "icon" },
            icon(state === "unread" ? "read" : state === "archived" ? "archive" : "bell"),
          ),
          h("p", {}, say(EMPTY[state as Filter])),
        ),
      );
  }

  /** The end of the list while there is more: a shimmer for what comes, or a button where it did not. */
  #finish(more: boolean, stuck: boolean): void {
    const state = more ? (stuck ? "stuck" : "more") : "";
    if (this.#end.dataset["state"] === state) return;
    this.#end.dataset["state"] = state;
    if (stuck) this.#end.replaceChildren(this.#again(() => void this.#feed.loadMore()));
    else this.#end.replaceChildren(...(more ? [h("div", { class: "ghost", "aria-hidden": "true" })] : []));
  }

  #again(run: () => void): HTMLButtonElement {
    return h(
      "button",
      { class: "retry", part: "retry", type: "button", click: run },
      this.#words.say("retry"),
    );
  }

  #scrolled(): void {
    const list = this.#list;
    if (list.atTop && !this.#fresh.hidden) {
      this.#fresh.hidden = true;
      this.#fresh.dataset["count"] = "0";
    }
    this.#feed.deep = list.scroller.scrollTop > DEEP;
    list.request();
    const { items, more, stuck } = this.#feed.snapshot;
    if (items.length && more && !stuck && list.below < AHEAD) void this.#feed.loadMore();
    this.#timers.seen ||= window.setTimeout(() => this.#seen(), SEEN_AFTER);
  }

  #seen(): void {
    this.#timers.seen = 0;
    if (document.hidden) return;
    const ids = this.#list
      .inSight()
      .filter(({ seen_at }) => seen_at === null)
      .map(({ notification }) => notification.id);
    if (ids.length) this.#feed.mark("seen", ids);
  }

  #mark(item: Item, state: "read" | "unread" | "archived" | "unarchived"): void {
    const { id } = item.notification;
    this.#feed.mark(state, [id]);
    if (state !== "archived") return;
    this.#forget();
    const undo = h(
      "button",
      {
        type: "button",
        part: "undo",
        click: () => {
          this.#feed.mark("unarchived", [id]);
          this.#forget();
          this.#list.focus();
        },
      },
      this.#words.say("undo"),
    );
    const rest = () => {
      this.#timers.undo = window.setTimeout(() => this.#forget(), UNDO_FOR);
    };
    const stay = () => clearTimeout(this.#timers.undo);
    this.#undo.append(
      h(
        "div",
        {
          class: "undo",
          part: "undo-bar",
          pointerenter: stay,
          pointerleave: rest,
          focusin: stay,
          focusout: rest,
        },
        this.#words.say("archived"),
        undo,
      ),
    );
    rest();
  }

  /** Takes the offer to undo away; focus that was on it goes back to the list. */
  #forget(): void {
    clearTimeout(this.#timers.undo);
    const had = this.#undo.matches(":focus-within");
    this.#undo.replaceChildren();
    if (had) this.#list.focus();
  }

  #choose(filter: Filter): void {
    this.#feed.show(filter);
    this.#render();
  }

  #tabKey(event: KeyboardEvent): void {
    const forward = getComputedStyle(this.element).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
    const backward = forward === "ArrowLeft" ? "ArrowRight" : "ArrowLeft";
    const at = FILTERS.indexOf(this.#feed.snapshot.filter);
    const step = { [forward]: at + 1, [backward]: at + FILTERS.length - 1, Home: 0, End: FILTERS.length - 1 }[
      event.key
    ];
    const filter = step === undefined ? undefined : FILTERS[step % FILTERS.length];
    if (!filter) return;
    event.preventDefault();
    this.#choose(filter);
    this.#tabs[FILTERS.indexOf(filter)]?.focus();
  }

  #key(event: KeyboardEvent): void {
    if (event.key !== "ArrowDown" || event.target !== this.element) return;
    event.preventDefault();
    this.#list.focus();
  }
}
