import { describe, expect, test } from "vitest";
import { Backoff, verdictOf } from "../../src/client/backoff.js";

const broke = { lived: 0, fresh: true };
const always = (chance: number) => new Backoff(() => chance);

describe("a verdict", () => {
  test.each([
    ["stay_away", [1000, 1003, 1007, 1009, 4000, 4001, 4002, 4003, 4004, 4005, 4006, 4007]],
    ["later", [1012, 4100, 4101, 4102, 4103]],
    ["refresh", [4200]],
    ["now", [4201]],
  ])("is %s of the codes %j", (verdict, codes) => {
    for (const code of codes) expect(verdictOf(code)).toBe(verdict);
  });

  test.each([
    [4099, "stay_away"],
    [4199, "later"],
    [4299, "now"],
    [4999, "later"],
    [undefined, "later"],
  ])("of the unknown code %s is %s by its range", (code, verdict) => {
    expect(verdictOf(code)).toBe(verdict);
  });
});

describe("a reconnect", () => {
  test("waits a random time up to a bound that doubles, up to 15 seconds", () => {
    const backoff = always(1);
    const waits = Array.from({ length: 8 }, () => backoff.after(broke)?.wait);
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
    expect(always(0.5).after(broke)?.wait).toBe(250);
  });

  test("has the first bound again after a stable connection", () => {
    const backoff = always(1);
    backoff.after(broke);
    backoff.after(broke);
    expect(backoff.after({ ...broke, lived: 10_000 })?.wait).toBe(500);
  });

  test("has a higher bound if the server asked for a later reconnect", () => {
    expect(always(1).after({ ...broke, code: 1012 })?.wait).toBe(2_000);
  });

  test("is immediate if the server says so, but never in a tight loop", () => {
    const backoff = always(1);
    expect(backoff.after({ ...broke, code: 4201 })?.wait).toBe(0);
    expect(backoff.after({ ...broke, code: 4201 })?.wait).toBe(1_000);
  });

  test("is immediate also after many failed attempts", () => {
    const backoff = always(1);
    for (let tries = 0; tries < 9; tries++) backoff.after(broke);
    expect(backoff.after({ ...broke, code: 4001, fresh: false })?.wait).toBe(0);
    expect(backoff.after({ ...broke, code: 4200 })?.wait).toBe(1_000);
    expect(backoff.after(broke)?.wait).toBe(15_000);
  });

  test("uses a new token if the old one has expired", () => {
    expect(always(1).after({ ...broke, code: 4200 })).toEqual({ wait: 0, renew: true, another: false });
  });

  test.each([4001, 4002, 4007])(
    "after %i uses another token if the server accepted the old one before",
    (code) => {
      const another = { wait: 0, renew: true, another: true };
      expect(always(1).after({ code, lived: 0, fresh: false })).toEqual(another);
      expect(always(1).after({ code, lived: 1, fresh: true })).toEqual(another);
      expect(always(1).after({ code, lived: 0, fresh: true })).toBeUndefined();
    },
  );
});
