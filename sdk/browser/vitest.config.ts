import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.{ts,tsx}"],
    globalSetup: ["test/support/global.ts"],
    // Each has servers and browsers of its own, or users of its own on the one for all.
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // The default of one second is too short for a busy machine.
    expect: { poll: { timeout: 10_000 } },
  },
});
