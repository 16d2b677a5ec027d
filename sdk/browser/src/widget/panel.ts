/** The content of the panel: heading, filters, the list, and the actions of a reader. */

import type { Item, Status } from "../client/types.js";
import content from "./content.css";
import { button, CHECKS, CLOSE, h, tool } from "./dom.js";
import type { Localizer } from "./element.js";
import type { Feed, Filter, Snapshot } from "./feed.js";
import { List } from "./list.js";
import css from "./panel.css";
import { ghosts, Placeholder } from "./placeholder.js";
import type { RowActions } from "./row.js";
import { Strip } from "./strip.js";
import type { MessageKey } from "./texts-types.js";
import { Undo } from "./undo.js";

const FILTERS: readonly Filter[] = ["all", "unread", "archived"];
/** Pixels before the end at which the next page is loaded. */
const AHEAD = 900;
/** Pixels. Below this scroll position the end of the list must not be cut. */
const DEEP = 4_000;
const MINUTE = 60_000;
/** Milliseconds in view after which a notification counts as seen. */
const SEEN_AFTER = 600;

export interface PanelOptions {
  readonly feed: Feed;
  readonly localizer: Localizer;
  /** The box that the panel fills. */
  readonly shell: HTMLElement;
  readonly open: RowActions["open"];
  /** Closes the popover; undefined for a panel in place. */
  readonly close: (() => void) | undefined;
}

export class Panel {
  static readonly css: readonly string[] = [content, css];
  readonly #feed: Feed;
  readonly #localizer: Localizer;
  readonly #shell: HTMLElement;
  readonly #list: List;
  readonly #markAll: HTMLButtonElement;
  readonly #tabs: readonly HTMLButtonElement[];
  readonly #count = h("span", "count");
  readonly #connection: Strip;
  readonly #missing: Strip;
  readonly #stage: HTMLElement;
  readonly #placeholder: Placeholder;
  readonly #end = h("div");
  readonly #fresh: HTMLButtonElement;
  readonly #undo = new Undo(() => this.#refocus());
  #shown: Snapshot | undefined;
  #arrivals = 0;
  #ending = "";
  #clock = 0;
  #sight = 0;
  #stop: (() => void) | undefined;

  constructor({ feed, localizer, shell, open, close }: PanelOptions) {
    this.#feed = feed;
    this.#localizer = localizer;
    this.#shell = shell;
    const text = (key: MessageKey) => localizer.text(key);
    this.#list = new List(localizer, { open, mark: (item, state) => this.#mark(item, state) });
    this.#list.scroller.append(this.#end);
    this.#list.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#connection = new Strip(
      "strip",
      button("again", () => feed.client.connect(), text("retry")),
    );
    this.#missing = new Strip(
      "missed",
      tool("dismiss", text("close"), CLOSE, () => feed.dismissMissed()),
    );
    this.#placeholder = new Placeholder(localizer, () => void feed.reload());
    this.#markAll = tool("mark-all", text("markAll"), CHECKS, () => feed.markAllRead());
    this.#tabs = FILTERS.map((filter) => {
      const tab = button("tab", () => this.#choose(filter), text(filter));
      tab.id = filter;
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", "stage");
      return tab;
    });
    this.#tabs[1]?.append(this.#count);
    this.#fresh = button("fresh", () => this.#list.toTop());
    this.#fresh.hidden = true;
    this.#stage = h(
      "div",
      { class: "stage", part: "stage", role: "tabpanel", id: "stage" },
      this.#fresh,
      this.#list.scroller,
      this.#placeholder.element,
      this.#undo.element,
    );
    shell.setAttribute("aria-labelledby", "heading");
    shell.setAttribute("aria-describedby", "missed");
    shell.addEventListener("keydown", (event) => this.#key(event));
    shell.replaceChildren(
      h(
        "div",
        "head",
        h("h2", { id: "heading", part: "heading" }, text("title")),
        h("slot", { name: "head" }),
        this.#markAll,
        close && tool("close", text("close"), CLOSE, close),
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
      this.#connection.element,
      this.#missing.element,
      this.#stage,
      h("slot", { name: "foot" }),
    );
  }

  /** Starts to show the feed. A stopped panel does no work. */
  start(): void {
    if (this.#stop) return;
    this.#stop = this.#feed.subscribe(() => this.#render());
    this.#clock = window.setInterval(() => this.#list.render(), MINUTE);
    this.#render();
  }

  rest(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#undo.end();
    clearTimeout(this.#sight);
    clearInterval(this.#clock);
    this.#sight = 0;
  }

  #render(): void {
    const snapshot = this.#feed.snapshot;
    const { filter, items, phase, more, counts, stuck, missed } = snapshot;
    const before = this.#shown;
    const focused = this.#focused;
    this.#shown = snapshot;
    const turned = before?.filter !== filter;
    if (turned) this.#turn(filter);
    this.#count.hidden = this.#markAll.hidden = !counts?.unread;
    this.#count.textContent = counts?.unread.toLocaleString(this.#localizer.language) ?? "";
    this.#notice(snapshot.status);
    if (missed !== before?.missed) this.#missing.show(this.#lost(missed), missed !== undefined);
    if (turned || before.items !== items || before.more !== more) {
      const newest = turned || this.#list.atTop ? undefined : before.items[0];
      this.#list.show(items, more);
      if (newest) this.#arrived(items, newest);
    }
    this.#list.busy = phase === "loading";
    this.#list.scroller.hidden = !items.length;
    this.#placeholder.show(items.length ? undefined : phase === "ready" ? filter : phase);
    this.#finish(more, stuck);
    this.#scrolled();
    if (focused && isHidden(focused)) this.#refocus();
  }

  get #focused(): Element | undefined {
    const { activeElement } = this.#shell.getRootNode() as ShadowRoot;
    return activeElement && this.#shell.contains(activeElement) ? activeElement : undefined;
  }

  /** Keeps focus in the panel when the focused element was removed or hidden. */
  #refocus(): void {
    this.#list.focus();
    if (!this.#focused || isHidden(this.#focused)) this.#shell.focus();
  }

  #turn(filter: Filter): void {
    for (const tab of this.#tabs) {
      tab.setAttribute("aria-selected", String(tab.id === filter));
      tab.tabIndex = tab.id === filter ? 0 : -1;
    }
    this.#stage.setAttribute("aria-labelledby", filter);
    this.#list.clear();
  }

  /** Shows above the list that the client is offline or stopped, once per change. */
  #notice(status: Status): void {
    const stopped = status === "stopped";
    let key: MessageKey | undefined = stopped ? "stopped" : undefined;
    if (status === "offline") key = navigator.onLine ? "connecting" : "offline";
    this.#connection.show(key ? this.#localizer.text(key) : "", stopped);
    if (stopped) this.#undo.end();
  }

  #lost(missed: number | null | undefined): string {
    return missed ? this.#numbered("missed", missed) : missed === null ? this.#localizer.text("missed") : "";
  }

  /** The text for a number, in the plural form of the language. */
  #numbered(what: "missed" | "fresh", count: number): string {
    const { language } = this.#localizer;
    const form = `${what}_${new Intl.PluralRules(language).select(count)}` as const;
    const others = what === "missed" ? (["missed_other", what] as const) : (["fresh_other"] as const);
    return this.#localizer.text(form, ...others).replace("{count}", count.toLocaleString(language));
  }

  /** Shows the number of new notifications above the view. */
  #arrived(items: readonly Item[], newest: Item): void {
    const count = items.findIndex(({ notification }) => notification.id <= newest.notification.id);
    if (count <= 0) return;
    this.#arrivals += count;
    this.#fresh.textContent = this.#numbered("fresh", this.#arrivals);
    this.#fresh.hidden = false;
  }

  /** The end of a list with further pages: a shimmer while one loads, or a button after a failure. */
  #finish(more: boolean, stuck: boolean): void {
    const ending = more ? (stuck ? "stuck" : "more") : "";
    if (this.#ending === ending) return;
    this.#ending = ending;
    const again = () => button("retry", () => void this.#feed.loadMore(), this.#localizer.text("retry"));
    this.#end.className = stuck ? "stuck" : "";
    this.#end.replaceChildren(...(stuck ? [again()] : more ? ghosts(1) : []));
  }

  #scrolled(): void {
    const list = this.#list;
    const { items, stuck } = this.#feed.snapshot;
    if (!items.length || list.atTop) {
      this.#arrivals = 0;
      this.#fresh.hidden = true;
    }
    if (!items.length) return;
    this.#feed.deep = list.scroller.scrollTop > DEEP;
    list.request();
    if (!stuck && list.below < AHEAD) void this.#feed.loadMore();
    this.#sight ||= window.setTimeout(() => this.#seen(), SEEN_AFTER);
  }

  #seen(): void {
    this.#sight = 0;
    if (document.hidden) return;
    const unseen = this.#list.inSight().filter(({ seen_at }) => seen_at === null);
    if (unseen.length)
      this.#feed.mark(
        "seen",
        unseen.map(({ notification }) => notification.id),
      );
  }

  #mark({ notification: { id } }: Item, state: "read" | "unread" | "archived" | "unarchived"): void {
    this.#feed.mark(state, [id]);
    if (state !== "archived") return;
    this.#undo.offer(this.#localizer.text("isArchived"), this.#localizer.text("undo"), () =>
      this.#feed.mark("unarchived", [id]),
    );
  }

  #choose(filter: Filter): void {
    this.#feed.show(filter);
    this.#render();
  }

  #tabKey(event: KeyboardEvent): void {
    const last = FILTERS.length - 1;
    const at = FILTERS.indexOf(this.#feed.snapshot.filter);
    const step = this.#shell.dir === "rtl" ? -1 : 1;
    const steps: Record<string, number> = { ArrowRight: at + step, ArrowLeft: at - step, Home: 0, End: last };
    const next = steps[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const index = (next + FILTERS.length) % FILTERS.length;
    const filter = FILTERS[index];
    if (filter) this.#choose(filter);
    this.#tabs[index]?.focus();
  }

  #key(event: KeyboardEvent): void {
    if (event.key !== "ArrowDown" || event.target !== this.#shell) return;
    event.preventDefault();
    this.#list.focus();
  }
}

function isHidden(element: Element): boolean {
  return element.checkVisibility?.() === false;
}
