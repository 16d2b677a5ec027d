import { beforeEach, describe, expect, test } from "vitest";
import { Connector } from "../../src/client/connector.js";
import type { StatusChange } from "../../src/client/index.js";
import { Session } from "../../src/client/session.js";
import { Tokens } from "../../src/client/tokens.js";
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
    webSocket: class extends TestSocket {
      constructor() {
        super();
        sockets.push(this);
      }
    },
    address: () => "ws://gateway",
    receive: () => connector.welcomed(25),
    changed: (change) => changes.push(change),
    save: () => undefined,
  });
});

/** Connects, and stays for so long. */
async function stands(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  sockets.at(-1)?.open();
  sockets.at(-1)?.say({ type: "welcome" });
  await clock.pass(milliseconds);
}

describe("a connection that the browser says is lost", () => {
  test("is tried again as soon as any other, however often that was so before", async () => {
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
  test("does not hurry where the server asked to come later", async () => {
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

  test("tries at once, and once", async () => {
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
