/** Handlers of events. */

export class Emitter<Events> {
  readonly #handlers = new Set<{ readonly event: keyof Events; readonly handle: (value: never) => void }>();

  /** Calls the handler with each event from now on, until the function that is returned is called. */
  on<Name extends keyof Events>(event: Name, handle: (value: Events[Name]) => void): () => void {
    const handler = { event, handle };
    this.#handlers.add(handler);
    return () => void this.#handlers.delete(handler);
  }

  /** What a handler throws is the page's error, and stops neither the others nor the caller. */
  emit<Name extends keyof Events>(event: Name, value: Events[Name]): void {
    for (const handler of [...this.#handlers]) {
      try {
        if (handler.event === event) (handler.handle as (value: Events[Name]) => void)(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
