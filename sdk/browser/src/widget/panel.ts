/** The content of the panel: heading, filters, the list, and the actions of a reader. */

import type { TidingsError } from "../client/errors.js";
import type { Item, Status } from "../client/types.js";
import content from "./content.css";
import { button, CLOSE, h, tool } from "./dom.js";
import type { Extras } from "./extras.js";
import { Feed } from "./feed.js";
import { List } from "./list.js";
import type { Localizer } from "./localizer.js";
import { opened, opensBeside } from "./opening.js";
import css from "./panel.css";
import type { PanelOptions } from "./panel-options.js";
import { ghosts, Placeholder } from "./placeholder.js";
import type { RowActions } from "./row.js";
import type { Snapshot, Tab } from "./snapshot.js";
import { Strip } from "./strip.js";
import { TABS, Tabs } from "./tabs.js";
import type { MessageKey } from "./texts-types.js";
import { Undo } from "./undo.js";
import { WholeList } from "./whole-list.js";

/** Pixels before the end at which the next page is loaded. */
const AHEAD = 900;
/** Pixels. Below this scroll position the end of the list must not be cut. */
const DEEP = 4_000;
const MINUTE = 60_000;
/** Milliseconds in view after which a notification counts as seen. */
const SEEN_AFTER = 600;

/** Milliseconds after the opening in which a press does not close the panel: it is the second of a double click. */
const SETTLED = 400;

export class Panel {
  static readonly css: readonly string[] = [content, css];
  readonly feed: Feed;
  readonly #localizer: Localizer;
  readonly #shell: HTMLElement;
  readonly #list: List;
  readonly #whole: WholeList;
  readonly #extras: Extras | undefined;
  #tab: Tab;
  readonly #tabs: Tabs;
  readonly #connection: Strip;
  readonly #missing: Strip;
  #noticed?: Status;
  readonly #stage: HTMLElement;
  readonly #placeholder: Placeholder;
  readonly #end = h("div");
  readonly #fresh: HTMLButtonElement;
  readonly #undo: Undo;
  #shown: Snapshot | undefined;
  #arrivals = 0;
  #ending = "";
  #clock = 0;
  #started = 0;
  #sight = 0;
  #stop: (() => void) | undefined;

  constructor({ client, localizer, host, shell, close, extras }: PanelOptions) {
    const tabs = extras?.tabs ?? TABS;
    const [first] = tabs as [Tab];
    const feed = new Feed(client, first.filter, first.category);
    this.feed = feed;
    this.#tab = first;
    this.#extras = extras;
    this.#localizer = localizer;
    this.#shell = shell;
    const text = (key: MessageKey) => localizer.text(key);
    const actions: RowActions = {
      open: (item, event, action) => {
        const { id } = item.notification;
        opened(host, client, item, event, (error) => this.#failed(error, id, action), action);
        if (item.notification.link && !action && !opensBeside(event)) close?.();
      },
      mark: (item, state) => this.#mark(item, state),
    };
    this.#list = new List(localizer, actions, extras);
    this.#list.scroller.append(this.#end);
    this.#list.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#connection = new Strip(
      "strip",
      button("again", () => client.connect(), text("retry")),
    );
    this.#missing = new Strip(
      "missed",
      tool("dismiss", text("close"), CLOSE, () => feed.dismissMissed()),
    );
    this.#placeholder = new Placeholder(localizer, () => void feed.reload());
    this.#undo = new Undo(localizer, () => this.#refocus());
    this.#whole = new WholeList(localizer, feed, this.#undo);
    this.#tabs = new Tabs(localizer, tabs, (tab) => this.#choose(tab));
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
        ...this.#whole.elements,
        close &&
          tool("close", text("close"), CLOSE, () => {
            if (performance.now() - this.#started > SETTLED) close();
          }),
      ),
      this.#tabs.element,
      this.#connection.element,
      this.#missing.element,
      this.#stage,
      h("slot", { name: "foot" }),
    );
  }

  /** Starts to show the feed. A stopped panel does no work. */
  start(): void {
    if (this.#stop) return;
    this.#started = performance.now();
    this.#extras?.start(this.feed, () => this.render());
    this.#stop = this.feed.subscribe(() => this.render());
    this.#clock = window.setInterval(() => this.#list.render(), MINUTE);
    this.render();
  }

  rest(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#undo.end();
    clearTimeout(this.#sight);
    clearInterval(this.#clock);
    this.#sight = 0;
    this.#shell.style.removeProperty("--least");
    // After a logout no row of the last user is left.
    if (!this.feed.snapshot.items.length) this.#list.show([], false);
    this.#extras?.rest();
  }

  render(): void {
    const snapshot = this.feed.snapshot;
    const { filter, items, phase, more, counts, missed } = snapshot;
    const before = this.#shown;
    const focused = this.#focused;
    this.#shown = snapshot;
    const turned = before?.filter !== filter || before.category !== snapshot.category;
    if (turned) {
      this.#stage.setAttribute("aria-labelledby", this.#tabs.turn(this.#tab));
      this.#list.clear();
    }
    const unread = (tab: Tab) =>
      (tab.category === undefined ? counts?.unread : this.#extras?.unread(tab.category)) ?? 0;
    this.#whole.show(snapshot, unread(this.#tab));
    this.#tabs.count((tab) =>
      tab.filter === "unread" || (tab.category && tab.filter === "all") ? unread(tab) : 0,
    );
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
    this.#finish(snapshot);
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

  /** Shows above the list that the client is offline or stopped, once per change. */
  #notice(status: Status): void {
    // The line stays during the attempts of an offline client. Otherwise the list would move with each of them.
    if (status === "connecting" && this.#noticed === "offline") return;
    this.#noticed = status;
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
    // There is no text with the key "fresh".
    return this.#localizer
      .text(form, `${what}_other`, what as "missed")
      .replace("{count}", count.toLocaleString(language));
  }

  /** Shows the number of new notifications above the view. */
  #arrived(items: readonly Item[], newest: Item): void {
    const count = items.findIndex(({ notification }) => notification.id <= newest.notification.id);
    if (count <= 0) return;
    this.#arrivals += count;
    this.#fresh.textContent = this.#numbered("fresh", this.#arrivals);
    this.#fresh.hidden = false;
  }

  /** The end of a list: a shimmer while a page loads, a button after a failure, or that the history is away. */
  #finish({ more, stuck, history }: Snapshot): void {
    const ending = stuck ? "retry" : more ? "more" : history ? "away" : "";
    if (this.#ending === ending) return;
    this.#ending = ending;
    const text = ending && this.#localizer.text(ending);
    const retry = button("retry", () => void this.feed.loadMore(), text);
    this.#end.className = ending && ending !== "more" ? "stuck" : "";
    this.#end.replaceChildren(...(stuck ? [retry] : more ? ghosts(1) : [text]));
  }

  #scrolled(): void {
    const list = this.#list;
    const { items, stuck } = this.feed.snapshot;
    if (!items.length || list.atTop) {
      this.#arrivals = 0;
      this.#fresh.hidden = true;
    }
    if (!items.length) return;
    this.feed.deep = list.scroller.scrollTop > DEEP;
    list.request();
    if (!stuck && list.below < AHEAD) void this.feed.loadMore();
    this.#sight ||= window.setTimeout(() => this.#seen(), SEEN_AFTER);
  }

  #seen(): void {
    this.#sight = 0;
    if (document.hidden) return;
    const unseen = this.#list.inSight().filter((item) => !item.seen_at && !item.archived_copy);
    if (unseen.length)
      this.feed.mark(
        "seen",
        unseen.map(({ notification }) => notification.id),
      );
  }

  #mark({ notification: { id } }: Item, state: "read" | "unread" | "archived" | "unarchived"): void {
    this.feed.mark(state, [id]);
    if (state === "archived") this.#whole.offer(this.#localizer.text("isArchived"), "unarchived", [id]);
  }

  /** An action was not used. If the user has used another one, the list shows that one. Else this offers to try again. */
  #failed(error: unknown, id: string, action = ""): unknown {
    if ((error as TidingsError).code === "action_used") return this.feed.reload();
    const { client } = this.feed;
    return this.#undo.offer(this.#localizer.text("notDone"), this.#localizer.text("retry"), () => {
      client.act(id, action).catch((again) => this.#failed(again, id, action));
    });
  }

  #choose(tab: Tab): void {
    // A shorter list does not move the controls that the reader uses now.
    this.#shell.style.setProperty("--least", `${this.#shell.offsetHeight}px`);
    this.#tab = tab;
    this.feed.show(tab.filter, tab.category);
    this.render();
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
