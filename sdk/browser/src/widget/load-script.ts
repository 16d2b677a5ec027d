/** In place of `load.ts` in the script: what it loads lies beside it, wherever it came from. */

import { CLOCK, within } from "../client/clock.js";

/** As in `load.ts`. */
const LOADED_WITHIN = 20_000;

/** The hashes of the modules that belong to this script; set by the build. */
declare const PARTS_VERSION: string;
declare const STACK_VERSION: string;

const source = (document.currentScript as HTMLScriptElement | null)?.src ?? location.href;

/** Some browsers remember that an address failed: it is asked for under another one then. */
function beside<Module>(name: string): () => Promise<Module> {
  let failures = 0;
  return () =>
    within(
      CLOCK,
      LOADED_WITHIN,
      "no_answer",
      () => import(new URL(name + (failures ? `&try=${failures}` : ""), source).href),
    ).catch((error) => {
      failures++;
      throw error;
    });
}

export const load = beside<typeof import("./parts.js")>(`parts.mjs?v=${PARTS_VERSION}`);
export const loadStack = beside<typeof import("./stack.js")>(`toasts.mjs?v=${STACK_VERSION}`);
