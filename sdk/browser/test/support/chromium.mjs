/**
 * The arguments of every Chromium of the tests.
 *
 * `unused` in chromium.json names features that no test needs: for each tab Chromium loads two pages of its address bar
 * and starts a spare process. Without them a tab takes 0.18 instead of 0.37 s of processor time. Chromium uses only the
 * last list of features, so ours repeats Playwright's.
 */
import { readFileSync } from "node:fs";

const KNOWN = JSON.parse(readFileSync(new URL("./chromium.json", import.meta.url), "utf8"));
const without = (features) => `--disable-features=${features.join(",")}`;

export const COMMAND = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** For a browser that Playwright does not launch. */
export const ARGUMENTS = [...KNOWN.arguments, without(KNOWN.unused)];

/** Options of a browser that Playwright launches. */
export const OPTIONS = {
  executablePath: COMMAND,
  args: [...KNOWN.arguments, without([...KNOWN.playwright, ...KNOWN.unused])],
};
