/**
 * The snoozing of rows: a tool with a menu of times, the times in the list of snoozed notifications, and an undo. Only a
 * page with the attribute `snooze` loads this module.
 */

import type { Item } from "../client/types.js";
import { button, h, icon, nameAs, pop, RESTORE, tool } from "./dom.js";
import type { Feed } from "./feed.js";
import { stepOf } from "./keys.js";
import type { Localizer } from "./localizer.js";
import { packedText } from "./packed-text.js";
import css from "./snoozes.css";
import { texts } from "./texts/snoozing.js";
import type { MessageKey } from "./texts-types.js";
import { sameDay } from "./time.js";
import { Undo } from "./undo.js";

const CLOCK = "M12 4a8 8 0 1 0 0 16 8 8 0 1 0 0-16M12 7.5V12l3 2";
const HOUR = 3_600_000;
/** The hour of the morning at which notifications return. */
const MORNING = 9;
const GAP = 4;

/** The times of the menu, from now. The next week begins on Monday. */
export function times(now: Date): readonly (readonly [key: MessageKey, at: Date])[] {
  const morning = (days: number) =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, MORNING);
  return [
    ["inAnHour", new Date(now.getTime() + HOUR)],
    ["tomorrow", morning(1)],
    ["nextWeek", morning(8 - (now.getDay() || 7))],
  ];
}

const begun = new WeakSet<Feed>();

/** Adds snoozing to the panel of a feed, once. */
export function snoozing(feed: Feed, host: HTMLElement & Localizer): void {
  if (begun.has(feed)) return;
  begun.add(feed);
  new Snoozing(feed, host);
}

class Snoozing {
  readonly #feed: Feed;
  readonly #host: Localizer;
  readonly #shell: HTMLElement;
  readonly #list: HTMLElement;
  readonly #undo: Undo;
  readonly #menu: HTMLElement;
  #opener: HTMLElement | undefined;

  constructor(feed: Feed, host: HTMLElement & Localizer) {
    const root = host.shadowRoot as ShadowRoot;
    // A document without constructed sheets, as in tests, gets no styles.
    if (root.adoptedStyleSheets) {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
      root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    }
    const shell = root.querySelector(".panel") as HTMLElement;
    this.#feed = feed;
    this.#host = host;
    this.#shell = shell;
    this.#list = shell.querySelector(".items") as HTMLElement;
    this.#undo = new Undo(host, () => shell.querySelector<HTMLElement>(".scroller")?.focus());
    this.#menu = h("div", {
      class: "snooze-menu",
      part: "snooze-menu",
      role: "menu",
      popover: "manual",
      "aria-label": this.#text("snooze"),
      tabindex: -1,
      keydown: (event) => this.#key(event as KeyboardEvent),
      focusout: (event) => {
        if (!this.#menu.contains((event as FocusEvent).relatedTarget as Node | null)) this.#close(false);
      },
    });
    shell.append(this.#menu);
    const stage = shell.querySelector(".stage") as HTMLElement;
    stage.append(this.#undo.element);
    new MutationObserver(() => this.#update()).observe(stage, { childList: true, subtree: true });
    this.#update();
  }

  #text(key: MessageKey): string {
    return packedText(this.#host, texts, key);
  }

  /** The hour of today, or a day and its hour, such as "Tue 9:00 AM". */
  #time(at: Date): string {
    const now = new Date();
    const far = at.getTime() - now.getTime() > 6 * 24 * HOUR;
    const day = far ? { day: "numeric", month: "short" } : { weekday: "short" };
    return at.toLocaleString(this.#host.language, {
      ...((sameDay(at, now) ? {} : day) as Intl.DateTimeFormatOptions),
      hour: "numeric",
      minute: "2-digit",
    });
  }

  /** Adds the tool, and the time of the return, to the rows. */
  #update(): void {
    const { filter, items } = this.#feed.snapshot;
    this.#shell.classList.toggle("asleep", filter === "snoozed");
    const empty = this.#shell.querySelector("[part=empty]");
    const nothing = this.#text("emptySnoozed");
    if (filter === "snoozed" && empty && empty.textContent !== nothing) empty.textContent = nothing;
    const byId = new Map(items.map((item) => [item.notification.id, item]));
    for (const row of this.#list.children) {
      const opener = row.querySelector<HTMLElement>(".open");
      const item = byId.get(opener?.id ?? "");
      if (!opener || !item) continue;
      let made = row.querySelector<HTMLElement>(".snooze");
      if (!made) {
        made = tool("snooze", "", "", () => this.#press(opener.id, row));
        made.setAttribute("aria-describedby", opener.id);
        row.querySelector(".tools")?.append(made);
      }
      const until = item.snoozed_until;
      if (made.dataset["until"] !== `${until}`) this.#show(made, row, item);
      made.tabIndex = opener.tabIndex;
    }
  }

  #show(made: HTMLElement, row: Element, { snoozed_until }: Item): void {
    made.dataset["until"] = `${snoozed_until}`;
    made.replaceChildren(icon(snoozed_until ? RESTORE : CLOCK));
    nameAs(made, this.#text(snoozed_until ? "unsnooze" : "snooze"));
    if (snoozed_until) made.removeAttribute("aria-haspopup");
    else made.setAttribute("aria-haspopup", "menu");
    row.querySelector(".until")?.remove();
    if (snoozed_until)
      row
        .querySelector(".meta")
        ?.append(
          h(
            "span",
            { class: "until" },
            this.#text("until").replace("{time}", this.#time(new Date(snoozed_until))),
          ),
        );
  }

  /** The notifications of a row: of a group all of them. */
  #ids(id: string): readonly string[] {
    return this.#feed.members?.(id) ?? [id];
  }

  #press(id: string, row: Element): void {
    const made = row.querySelector<HTMLElement>(".snooze");
    if (made?.dataset["until"] !== "null") this.#snooze(this.#ids(id), null);
    else if (this.#opener === made) this.#close(true);
    else this.#open(id, made);
  }

  #open(id: string, opener: HTMLElement): void {
    this.#opener = opener;
    opener.ariaExpanded = "true";
    const menu = this.#menu;
    menu.replaceChildren(
      ...times(new Date()).map(([key, at]) => {
        const choice = button(
          "snooze-time",
          () => {
            const ids = this.#ids(id);
            this.#close(true);
            this.#snooze(ids, at);
          },
          this.#text(key),
          h("span", {}, this.#time(at)),
        );
        choice.setAttribute("role", "menuitem");
        choice.tabIndex = -1;
        return choice;
      }),
    );
    pop(menu, true);
    const box = opener.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = menu;
    const start = this.#host.direction === "rtl" ? box.left : box.right - width;
    const under = box.bottom + GAP + height <= window.innerHeight - GAP;
    menu.style.left = `${Math.max(GAP, Math.min(start, window.innerWidth - width - GAP))}px`;
    menu.style.top = `${Math.max(GAP, under ? box.bottom + GAP : box.top - GAP - height)}px`;
    this.#choices[0]?.focus();
  }

  get #choices(): HTMLElement[] {
    return [...this.#menu.children] as HTMLElement[];
  }

  #close(isBack: boolean): void {
    const opener = this.#opener;
    if (!opener) return;
    this.#opener = undefined;
    opener.ariaExpanded = "false";
    if (isBack) opener.focus();
    pop(this.#menu, false);
  }

  #key(event: KeyboardEvent): void {
    const choices = this.#choices;
    // The list has the same keys.
    event.stopPropagation();
    if (event.key === "Tab" || event.key === "Escape") {
      event.preventDefault();
      this.#close(true);
      return;
    }
    const at = choices.indexOf((this.#menu.getRootNode() as ShadowRoot).activeElement as HTMLElement);
    const step = stepOf(event, at, choices.length - 1);
    if (step === undefined) return;
    event.preventDefault();
    choices.at(step % choices.length)?.focus();
  }

  #snooze(ids: readonly string[], until: Date | null): void {
    this.#feed.client.snooze(ids, until).catch(() => {
      this.#undo.offer(this.#text("notSnoozed"), this.#host.text("retry"), () => this.#snooze(ids, until));
    });
    if (until)
      this.#undo.offer(
        this.#text("until").replace("{time}", this.#time(until)),
        this.#host.text("undo"),
        () => this.#snooze(ids, null),
      );
  }
}
