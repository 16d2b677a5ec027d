/** What happens to the page itself: network, sleep, and the back/forward cache. */

export interface PageHooks {
  /** Awake, visible or online again. */
  wake(): void;
  /** Out of sight: it may never come back. */
  hide(): void;
  /** The browser says that there is no network. */
  offline(): void;
  /** About to be frozen or put away: nothing runs until `enter`, if that ever comes. */
  leave(): void;
  enter(): void;
}

/** Watches the page until the function that is returned is called. Without a page nothing happens. */
export function watchPage(hooks: PageHooks): () => void {
  if (typeof document === "undefined") return () => undefined;
  const watching = new AbortController();
  const on = (target: EventTarget, event: string, run: (event: Event) => void) =>
    target.addEventListener(event, run, { signal: watching.signal });
  on(window, "online", hooks.wake);
  on(window, "offline", hooks.offline);
  on(document, "visibilitychange", () => (document.hidden ? hooks.hide() : hooks.wake()));
  on(window, "pagehide", hooks.leave);
  on(window, "pageshow", (event) => (event as PageTransitionEvent).persisted && hooks.enter());
  on(document, "freeze", hooks.leave);
  on(document, "resume", hooks.enter);
  return () => watching.abort();
}
