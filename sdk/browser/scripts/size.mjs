/** Prints the sizes of the built files, minified and gzipped, and fails above the limits. */
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

const LIMITS = {
  "tidings.mjs": 8_500,
  "tidings.js": 15_000,
  "parts.mjs": 13_000,
  "words.mjs": 3_000,
  "toasts.mjs": 4_000,
  "alerts.mjs": 1_000,
  "advice.mjs": 4_000,
  "extras.mjs": 5_500,
  "groups.mjs": 2_000,
  "snoozes.mjs": 4_000,
  "topics.mjs": 2_000,
  "fallback.mjs": 3_000,
};

for (const [name, limit] of Object.entries(LIMITS)) {
  const text = await readFile(new URL(`../dist/${name}`, import.meta.url));
  const size = gzipSync(text, { level: 9 }).length;
  process.stdout.write(`${name}: ${size} of ${limit} bytes gzipped\n`);
  if (size > limit) process.exitCode = 1;
}
