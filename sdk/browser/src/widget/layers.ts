/** The open layers of a page, which toasts must not cover, and the events that close a layer. */

/** The bells of this page. */
export const bells = new Set<HTMLElement>();
/** The open lists of this page. A notification that shows in a list needs no toast. */
export const openLists = new Set<HTMLElement>();
const watchers = new Set<() => void>();

/** Records that a list was opened or closed. */
export function setOpen(list: HTMLElement, open: boolean): void {
  if (open === openLists.has(list)) return;
  if (open) openLists.add(list);
  else openLists.delete(list);
  for (const watcher of watchers) watcher();
}

/** Calls `watcher` after each open or close of a list. The returned function removes the watcher. */
export function watchLists(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** Receives the close requests of the platform, such as the back gesture of a phone. Not all browsers have it. */
interface CloseWatcher extends EventTarget {
  destroy(): void;
}

export interface Leaving {
  /** Whether an event with this path is inside the open layer. */
  isInside(path: readonly EventTarget[]): boolean;
  /** Whether the target of an event with this path handles Escape itself. */
  ownsEscape(path: readonly EventTarget[]): boolean;
  close(): void;
  /** Removes all listeners. */
  readonly signal: AbortSignal;
}

/**
 * Calls `close` when the reader presses outside, moves focus outside, or requests a close. Escape closes only this
 * layer, and nothing else of the page.
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
