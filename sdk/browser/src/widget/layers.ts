/** The bells and open lists of a page. */

/** The bells of this page. Toasts do not cover them. */
export const bells = new Set<HTMLElement>();
const openLists = new Set<HTMLElement>();
const watchers = new Set<() => void>();

/** Records that a list was opened or closed. */
export function setOpen(list: HTMLElement, open: boolean): void {
  if (!open) openLists.delete(list);
  else if (!openLists.has(list)) {
    openLists.add(list);
    for (const watcher of watchers) watcher();
  }
}

/** Whether the reader sees an open list. A notification that shows in a list needs no toast. */
export function isListInSight(): boolean {
  return [...openLists].some((list) => {
    const { width, top, bottom } = list.getBoundingClientRect();
    return width && bottom > 0 && top < innerHeight;
  });
}

/** Calls `watcher` after a list was opened. The returned function removes the watcher. */
export function watchLists(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}
