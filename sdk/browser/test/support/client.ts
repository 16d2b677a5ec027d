import { afterEach } from "vitest";
import { WebSocket } from "ws";
import { type Events, type SocketConstructor, Tidings, type TidingsOptions } from "../../src/client/index.js";
import type { Application } from "./server.js";

/** Makes a client in Node, connected as a user of an application. */
export function client(
  application: Application,
  user: string,
  options: Partial<TidingsOptions> = {},
): Tidings {
  return new Tidings({
    url: application.api,
    token: () => application.token(user),
    webSocket: WebSocket as unknown as SocketConstructor,
    ...options,
  });
}

/** The clients of the tests of a file. Each is closed after its test. */
export class Clients {
  readonly #application: Application;
  readonly #open = new Set<Tidings>();

  constructor(application: Application) {
    this.#application = application;
    afterEach(() => this.close());
  }

  make(user: string, options: Partial<TidingsOptions> = {}, from = this.#application): Tidings {
    const tidings = client(from, user, options);
    this.#open.add(tidings);
    return tidings;
  }

  connect(user: string, options: Partial<TidingsOptions> = {}, from = this.#application): Tidings {
    const tidings = this.make(user, options, from);
    tidings.connect();
    return tidings;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((tidings) => tidings.close()));
    this.#open.clear();
  }
}

/** Records all values of an event, and waits for further ones. */
export class Recorder<Name extends keyof Events> {
  readonly all: Events[Name][] = [];
  #woken: (() => void)[] = [];

  constructor(tidings: Tidings, event: Name) {
    tidings.on(event, (value) => {
      this.all.push(value);
      for (const wake of this.#woken.splice(0)) wake();
    });
  }

  /** Resolves with the first value that matches, recorded or future. */
  async find(matches: (value: Events[Name]) => boolean): Promise<Events[Name]> {
    for (;;) {
      const found = this.all.find(matches);
      if (found) return found;
      await new Promise<void>((resolve) => this.#woken.push(resolve));
    }
  }
}

/** Resolves when the client has this status. */
export async function reaches(tidings: Tidings, status: Tidings["status"]): Promise<void> {
  if (tidings.status === status) return;
  await new Promise<void>((resolve) => {
    const stop = tidings.on("status", (change) => {
      if (change.status !== status) return;
      stop();
      resolve();
    });
  });
}
