/** Event handlers. */

export class Emitter<Events> {
  readonly #handlers = new Set<{ readonly event: keyof Events; readonly handle: (value: never) => void }>();

  /** Calls the handler with each further event. The returned function removes the handler. */
  on<Name extends keyof Events>(event: Name, handle: (value: Events[Name]) => void): () => void {
    const handler = { event, handle };
    this.#handlers.add(handler);
    return () => void this.#handlers.delete(handler);
  }

  /** An error of a handler is reported as an error of the page. The other handlers and the caller continue. */
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
