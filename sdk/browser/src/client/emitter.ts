/** Handlers of events. */

export class Emitter<Events> {
  readonly #handlers = new Map<keyof Events, Set<(value: never) => void>>();

  /** Calls the handler with each event from now on, until the function that is returned is called. */
  on<Name extends keyof Events>(event: Name, handler: (value: Events[Name]) => void): () => void {
    const handlers = this.#handlers.get(event) ?? new Set();
    this.#handlers.set(event, handlers.add(handler));
    return () => {
      handlers.delete(handler);
    };
  }

  /** What a handler throws is the page's error, and stops neither the others nor the caller. */
  emit<Name extends keyof Events>(event: Name, value: Events[Name]): void {
    for (const handler of [...(this.#handlers.get(event) ?? [])]) {
      try {
        (handler as (value: Events[Name]) => void)(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
