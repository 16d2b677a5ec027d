/** The controls for all notifications of the list: mark as read, archive. Both can be undone, or ask before. */

import { ARCHIVE, CHECKS, h, tool } from "./dom.js";
import type { Feed } from "./feed.js";
import type { Localizer } from "./localizer.js";
import type { Snapshot } from "./snapshot.js";
import type { MessageKey } from "./texts-types.js";
import type { Undo } from "./undo.js";

/** The number of notifications that one mark may name. */
const MARKED_AT_MOST = 1_000;

export class WholeList {
  readonly elements: readonly [read: HTMLButtonElement, archive: HTMLButtonElement];
  readonly #localizer: Localizer;
  readonly #feed: Feed;
  readonly #undo: Undo;

  constructor(localizer: Localizer, feed: Feed, undo: Undo) {
    this.#localizer = localizer;
    this.#feed = feed;
    this.#undo = undo;
    const text = (key: MessageKey) => localizer.text(key);
    const read = tool("mark-all", text("markAll"), CHECKS, () => {
      const ids = feed.markAllRead();
      if (ids) this.offer(text("emptyUnread"), "unread", ids);
    });
    read.append(h("span", {}, text("markAll")));
    this.elements = [read, tool("archive-all", text("archiveAll"), ARCHIVE, () => this.#archive())];
  }

  /** Shows the controls that change something. */
  show({ filter, items }: Snapshot, unread: number): void {
    const [read, archive] = this.elements;
    read.hidden = filter === "archived" || !unread;
    archive.hidden = filter !== "all" || !items.length;
  }

  /** Offers to take a mark back, if one mark can name all ids. */
  offer(text: string, back: "unread" | "unarchived", ids: readonly string[]): void {
    if (ids.length <= MARKED_AT_MOST)
      this.#undo.offer(text, this.#localizer.text("undo"), () => this.#feed.mark(back, ids));
  }

  /** Archives the list. A list that is not loaded as a whole could not be restored: asks before. */
  #archive(): void {
    const { items, more } = this.#feed.snapshot;
    const { length } = items;
    const run = () => this.#feed.archiveAll() ?? [];
    const text = (key: MessageKey) => this.#localizer.text(key);
    if (more || length > MARKED_AT_MOST)
      this.#undo.offer(text("archiveAllAsk"), text("archiveAll"), run, true);
    else {
      // More than rows, if some are groups.
      const ids = run();
      const count = ids.length.toLocaleString(this.#localizer.language);
      this.offer(`${text("archived")}: ${count}`, "unarchived", ids);
    }
  }
}
