/** Events of the page: network, sleep, and the back/forward cache. */

export interface PageHooks {
  /** Awake, visible or online again. */
  wake(): void;
  /** Hidden. The browser may end the page without a further event. */
  hide(): void;
  /** The browser reports that there is no network. */
  offline(): void;
  /** About to be frozen or put into the cache: no code runs until `enter`, which may never happen. */
  leave(): void;
  enter(): void;
}

/** Watches the page until the returned function is called. Without a document it does nothing. */
export function watchPage(hooks: PageHooks): () => void {
  if (!globalThis.document) return () => undefined;
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
