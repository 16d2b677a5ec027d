/** Event handlers. */

export class Emitter<Events> {
  readonly #handlers = new Set<readonly [keyof Events, (value: never) => void]>();

  /** Calls the handler with each further event. The returned function removes the handler. */
  on<Name extends keyof Events>(event: Name, handle: (value: Events[Name]) => void): () => void {
    const handler = [event, handle] as const;
    this.#handlers.add(handler);
    return () => void this.#handlers.delete(handler);
  }

  /** An error of a handler is reported as an error of the page. The other handlers and the caller continue. */
  emit<Name extends keyof Events>(event: Name, value: Events[Name]): void {
    for (const [name, handle] of [...this.#handlers]) {
      try {
        if (name === event) (handle as (value: Events[Name]) => void)(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
