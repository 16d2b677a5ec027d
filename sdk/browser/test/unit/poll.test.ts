import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { poll } from "../../src/client/poll.js";
import { ManualClock } from "../support/clock.js";

let clock: ManualClock;
let asked: number;
let turn: (on: boolean) => void;

beforeEach(() => {
  clock = new ManualClock();
  asked = 0;
  turn = poll(clock, async () => {
    asked++;
    throw new Error("what fails is asked again");
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
});

/** The number of polls in each of these spans. */
async function counts(...spans: number[]): Promise<number[]> {
  const found = [];
  for (const span of spans) {
    const before = asked;
    await clock.pass(span);
    found.push(asked - before);
  }
  return found;
}

describe("without a connection", () => {
  test("the inbox is polled after a moment, then with growing waits", async () => {
    turn(true);
    expect(await counts(1_999, 1, 9_999, 1, 19_999, 1, 39_999, 1, 60_000, 60_000)).toEqual([
      0, 1, 0, 1, 0, 1, 0, 1, 1, 1,
    ]);
  });

  test("polling stops with the connection, and later starts with the first wait again", async () => {
    turn(true);
    await clock.pass(12_000);
    turn(false);
    expect(await counts(600_000)).toEqual([0]);
    turn(true);
    turn(true);
    expect(await counts(2_000, 10_000, 19_999)).toEqual([1, 1, 0]);
  });

  test("a hidden page does not poll, and a visible one polls soon", async () => {
    vi.stubGlobal("document", { hidden: true });
    turn(true);
    expect(await counts(600_000)).toEqual([0]);
    vi.stubGlobal("document", { hidden: false });
    expect(await counts(2_000, 9_999, 1)).toEqual([1, 0, 1]);
  });
});
