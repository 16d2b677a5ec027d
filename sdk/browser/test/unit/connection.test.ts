import { beforeEach, describe, expect, test } from "vitest";
import type { Ending } from "../../src/client/backoff.js";
import { Connection } from "../../src/client/connection.js";
import { ManualClock } from "../support/clock.js";
import { TestSocket } from "../support/socket.js";

let clock: ManualClock;
let socket: TestSocket;
let endings: Partial<Ending>[];
let connection: Connection;

beforeEach(() => {
  clock = new ManualClock();
  socket = new TestSocket();
  endings = [];
  connection = new Connection(
    socket,
    {
      connect: () => JSON.stringify({ type: "connect" }),
      receive: (text) => void JSON.parse(text),
      ended: (ending) => endings.push(ending),
    },
    clock,
  );
});

function welcomed(): void {
  socket.open();
  connection.welcomed(25);
}

describe("a connection", () => {
  test("is dropped without a welcome", async () => {
    socket.open();
    expect(socket.types).toEqual(["connect"]);
    await clock.pass(10_000);
    expect(endings).toEqual([{ lived: 0 }]);
    expect(socket.closed).toBe(true);
  });

  test("sends a ping after two silent heartbeats, and ends without an answer", async () => {
    welcomed();
    await clock.pass(50_000);
    expect(socket.types).toEqual(["connect", "ping"]);
    await clock.pass(5_000);
    expect(endings).toEqual([{ lived: 55_000 }]);
  });

  test("continues after an answer to its ping", async () => {
    welcomed();
    await clock.pass(50_000);
    socket.receive({ type: "pong" });
    await clock.pass(49_000);
    expect(endings).toEqual([]);
  });

  test("sends no ping while frames arrive", async () => {
    welcomed();
    for (let n = 0; n < 5; n++) {
      await clock.pass(40_000);
      socket.receive({ type: "notification" });
    }
    expect(socket.types).toEqual(["connect"]);
  });

  test("detects its loss early after the page was asleep", async () => {
    welcomed();
    connection.probe();
    await clock.pass(2_000);
    expect(endings).toHaveLength(1);
  });

  test("ends when the server sends a text that is not a frame", () => {
    welcomed();
    socket.onmessage?.({ data: "no JSON" } as never);
    expect(endings[0]?.error).toBeInstanceOf(SyntaxError);
  });

  test.each([
    [4005, 4005],
    [1006, undefined],
  ])("that was closed with %i ends with the code %s", (code, told) => {
    welcomed();
    socket.end(code);
    expect(endings.map((ending) => ending.code)).toEqual([told]);
  });

  test.each([
    [5_000, undefined],
    [4_000, 4006],
  ])("of a page that sent its first frame after %i ms ends on 4006 with the code %s", async (busy, told) => {
    await clock.pass(busy);
    socket.open();
    socket.end(4006);
    expect(endings.map((ending) => ending.code)).toEqual([told]);
  });

  test("reports its lifetime when it is dropped", async () => {
    welcomed();
    await clock.pass(12_000);
    connection.drop();
    expect(endings).toEqual([{ lived: 12_000 }]);
    expect(socket.closed).toBe(true);
  });

  test("reports its end once, and not after close()", async () => {
    welcomed();
    const left = connection.close();
    socket.end(1000);
    await left;
    await clock.pass(100_000);
    expect(endings).toEqual([]);
  });

  test("sends frames no faster than the server allows", async () => {
    welcomed();
    for (let n = 0; n < 300; n++) connection.send("{}");
    const atOnce = socket.sent.length;
    await clock.pass(1_000);
    const inSecond = socket.sent.length - atOnce;
    expect(atOnce).toBeLessThanOrEqual(200);
    expect(inSecond).toBeLessThanOrEqual(100);
    expect(inSecond).toBeGreaterThan(80);
  });
});
