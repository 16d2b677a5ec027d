import { beforeEach, describe, expect, test } from "vitest";
import { Connector } from "../../src/client/connector.js";
import type { StatusChange } from "../../src/client/index.js";
import { Session } from "../../src/client/session.js";
import { Tokens } from "../../src/client/tokens.js";
import type { Welcome } from "../../src/protocol.js";
import { ManualClock } from "../support/clock.js";
import { TestSocket } from "../support/socket.js";

let clock: ManualClock;
let sockets: TestSocket[];
let changes: StatusChange[];
let connector: Connector;

beforeEach(() => {
  clock = new ManualClock();
  sockets = [];
  changes = [];
  connector = new Connector({
    tokens: new Tokens(async () => "token", clock),
    session: new Session(),
    clock,
    device: undefined,
    open: () => {
      const socket = new TestSocket();
      sockets.push(socket);
      return socket;
    },
    receive: () => connector.welcomed({ heartbeat: 25 } as Welcome),
    turned: (change) => changes.push(change),
    save: () => undefined,
  });
});

/** Connects, and stays connected for some milliseconds. */
async function stands(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  sockets.at(-1)?.open();
  sockets.at(-1)?.receive({ type: "welcome" });
  await clock.pass(milliseconds);
}

describe("a connection that the browser reports as lost", () => {
  test("is retried as early as any other, for any number of earlier losses", async () => {
    void connector.start();
    for (let n = 0; n < 8; n++) {
      await stands(20_000);
      connector.lost();
      connector.wake();
    }
    expect(changes.flatMap(({ retryIn }) => retryIn ?? [])).toEqual(Array(8).fill(500));
    expect(sockets).toHaveLength(8);
  });
});

describe("waking up", () => {
  test("does not shorten the wait that the server asked for", async () => {
    void connector.start();
    await stands(20_000);
    sockets[0]?.end(4102);
    connector.wake();
    await clock.pass(1_999);
    expect(sockets).toHaveLength(1);
    await clock.pass(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(sockets).toHaveLength(2);
  });

  test("reconnects immediately, and only once", async () => {
    void connector.start();
    await stands(20_000);
    sockets[0]?.end(1006);
    connector.wake();
    connector.wake();
    await new Promise((resolve) => setImmediate(resolve));
    await clock.pass(1_000);
    expect(sockets).toHaveLength(2);
  });
});
