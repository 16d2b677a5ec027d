/** What lies over a page, for toasts to keep clear of; and what closes it. */

/** The bells of this page. */
export const bells = new Set<HTMLElement>();
/** The lists that are open on it: what a reader sees come in there needs no toast. */
export const openLists = new Set<HTMLElement>();
const watchers = new Set<() => void>();

/** Says that a list was opened or closed. */
export function setOpen(list: HTMLElement, open: boolean): void {
  if (open === openLists.has(list)) return;
  if (open) openLists.add(list);
  else openLists.delete(list);
  for (const watcher of watchers) watcher();
}

/** Calls `watcher` after a list was opened or closed, until the function that is returned is called. */
export function watchLists(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** A close request as the platform understands it, such as a phone's way back; not in all browsers yet. */
interface CloseWatcher extends EventTarget {
  destroy(): void;
}

export interface Leaving {
  /** Whether something that happens at the end of this path happens in what is open. */
  isInside(path: readonly EventTarget[]): boolean;
  /** Whether what is at the end of this path does something of its own with Escape. */
  ownsEscape(path: readonly EventTarget[]): boolean;
  close(): void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Calls `close` when the reader points or goes elsewhere, or asks to close: Escape closes this and nothing
 * else of the page.
 */
export function closeOnLeave({ isInside, ownsEscape, close, signal }: Leaving): void {
  const on = (name: string, run: (event: Event) => void) =>
    window.addEventListener(name, run, { capture: true, signal });
  const leave = (event: Event) => isInside(event.composedPath()) || close();
  on("pointerdown", leave);
  on("focusin", leave);
  on("keydown", (event) => {
    if ((event as KeyboardEvent).key !== "Escape" || ownsEscape(event.composedPath())) return;
    event.preventDefault();
    event.stopPropagation();
    close();
  });
  const { CloseWatcher } = window as { CloseWatcher?: new () => CloseWatcher };
  const watcher = CloseWatcher && new CloseWatcher();
  watcher?.addEventListener("close", close);
  signal.addEventListener("abort", () => watcher?.destroy());
}
