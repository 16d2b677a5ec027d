/**
 * One row for consecutive notifications with the same `group_key`. Only a list that has some loads this module.
 *
 * The panel shows the rows of this view of its feed. Everything else of the feed is that of single notifications.
 */

import type { Item, State } from "../client/types.js";
import { button } from "./dom.js";
import css from "./groups.css";
import type { Localizer } from "./localizer.js";
import type { Panel } from "./panel.js";
import type { Snapshot } from "./snapshot.js";

export { texts } from "./texts/grouping.js";

/** The number of notifications that one mark may name. */
const MARKED_AT_MOST = 1_000;

interface Group {
  /** Newest first. */
  readonly ids: readonly string[];
  readonly open: boolean;
}

export class Groups {
  static readonly css: readonly string[] = [css];
  readonly #panel: Panel;
  readonly #localizer: Localizer;
  readonly #list: HTMLElement;
  /** By the id of the newest notification, which the row of the group has. */
  readonly #groups = new Map<string, Group>();
  /** The other notifications of expanded groups. */
  readonly #inner = new Set<string>();
  /** A group is expanded while one of its notifications is here: it may grow at both ends. */
  readonly #open = new Set<string>();
  /** The groups that were archived as one, so that they are restored as one. */
  readonly #archived = new Map<string, readonly string[]>();
  #items: readonly Item[] | undefined;
  #rows: readonly Item[] = [];

  /** `shell` is the box that the panel fills. */
  constructor(panel: Panel, shell: HTMLElement, localizer: Localizer) {
    this.#panel = panel;
    this.#localizer = localizer;
    this.#list = shell.querySelector(".items") as HTMLElement;
    const { feed } = panel;
    const whole = (): Snapshot => Reflect.get(Object.getPrototypeOf(feed), "snapshot", feed);
    Object.defineProperty(feed, "snapshot", { get: () => this.#view(whole()) });
    feed.members = (id) => this.#members(id, "seen");
    const mark = feed.mark.bind(feed);
    feed.mark = (state, ids) => {
      const all = ids.flatMap((id) => this.#members(id, state));
      for (let at = 0; at < all.length; at += MARKED_AT_MOST) mark(state, all.slice(at, at + MARKED_AT_MOST));
    };
    // The reader opens the newest, and has read all of them.
    for (const name of ["click", "auxclick"])
      this.#list.addEventListener(name, ({ target }) => {
        const control = (target as Element).closest(".open,.action");
        const id = control?.closest("article")?.querySelector(".open")?.id ?? "";
        if (this.#groups.get(id)?.open === false) feed.mark("read", [id]);
      });
    // Scrolling makes further rows.
    new MutationObserver(() => this.update()).observe(this.#list, { childList: true });
    panel.render();
    this.update();
  }

  /** Adds what groups need to the rows, after the panel has rendered. */
  update(): void {
    for (const row of this.#list.children) {
      const opener = row.querySelector<HTMLElement>(".open");
      if (!opener) continue;
      const group = this.#groups.get(opener.id);
      let control = row.querySelector<HTMLButtonElement>(".group");
      row.classList.toggle("inner", this.#inner.has(opener.id));
      if (!group) {
        control?.remove();
        continue;
      }
      if (!control) {
        control = button("group", () => this.#turn(opener.id));
        control.setAttribute("aria-describedby", opener.id);
        row.append(control);
      }
      const text = this.#localizer.text(group.open ? "less" : "grouped");
      const count = (group.ids.length - 1).toLocaleString(this.#localizer.language);
      const label = text.replace("{count}", count);
      if (control.textContent !== label) control.textContent = label;
      control.ariaExpanded = String(group.open);
      control.tabIndex = opener.tabIndex;
    }
  }

  #turn(id: string): void {
    const group = this.#groups.get(id);
    for (const each of group?.ids ?? [])
      if (group?.open) this.#open.delete(each);
      else this.#open.add(each);
    this.#items = undefined;
    this.#panel.render();
    this.update();
  }

  /** The notifications that a mark of a row concerns. */
  #members(id: string, state: State): readonly string[] {
    const group = this.#groups.get(id);
    const ids = group && !group.open ? group.ids : undefined;
    if (state === "archived" && ids) this.#archived.set(id, ids);
    return ids ?? (state === "unarchived" ? this.#archived.get(id) : undefined) ?? [id];
  }

  /** The snapshot with one item per row. The same items have the same rows. */
  #view(snapshot: Snapshot): Snapshot {
    if (this.#items !== snapshot.items) {
      this.#items = snapshot.items;
      this.#rows = this.#grouped(snapshot.items);
    }
    return { ...snapshot, items: this.#rows };
  }

  #grouped(items: readonly Item[]): readonly Item[] {
    this.#groups.clear();
    this.#inner.clear();
    const rows: Item[] = [];
    for (let at = 0; at < items.length; ) {
      const first = items[at] as Item;
      const start = at;
      do at += 1;
      while (isSame(first, items[at]));
      const members = items.slice(start, at);
      const ids = members.map(({ notification }) => notification.id);
      const open = ids.some((id) => this.#open.has(id));
      if (members.length > 1) this.#groups.set(ids[0] as string, { ids, open });
      if (members.length > 1 && open) for (const id of ids.slice(1)) this.#inner.add(id);
      rows.push(...(members.length > 1 && !open ? [summary(first, members)] : members));
    }
    return rows;
  }
}

/** Whether two neighbours are of one group: of one key in one log, and of one category. */
function isSame(one: Item, other: Item | undefined): boolean {
  const { group_key, category } = one.notification;
  return (
    !!group_key &&
    other?.log === one.log &&
    other.notification.group_key === group_key &&
    other.notification.category === category
  );
}

/** The newest item, with the state of the one that is furthest behind. */
function summary(first: Item, members: readonly Item[]): Item {
  const read_at = members.some((item) => item.read_at === null) ? null : first.read_at;
  const seen_at = members.some((item) => item.seen_at === null) ? null : first.seen_at;
  const state = first.archived_at ? "archived" : read_at ? "read" : seen_at ? "seen" : "unseen";
  return { ...first, read_at, seen_at, state };
}
