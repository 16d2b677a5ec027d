import { afterEach, expect, test, vi } from "vitest";

const now = Date.now;

afterEach(() => {
  Date.now = now;
});

test("time goes on where the machine's clock is set back, so that nothing waits for the hours to come again", async () => {
  let back = 0;
  Date.now = () => now() - back;
  vi.resetModules();
  const { CLOCK } = await import("../../src/client/clock.js");
  const before = CLOCK.now();

  back = 3_600_000;

  expect(CLOCK.now() - before).toBeGreaterThanOrEqual(0);
  expect(CLOCK.now() - now()).toBeLessThan(60_000);
});
