import { afterEach, expect, test, vi } from "vitest";

const now = Date.now;

afterEach(() => {
  Date.now = now;
});

test("the clock keeps running forward when the system time is set back", async () => {
  let back = 0;
  Date.now = () => now() - back;
  vi.resetModules();
  const { CLOCK } = await import("../../src/client/clock.js");
  const before = CLOCK.now();

  back = 3_600_000;

  expect(CLOCK.now() - before).toBeGreaterThanOrEqual(0);
  expect(CLOCK.now() - now()).toBeLessThan(60_000);
});
