/** Replaces `load.ts` in the script. It loads modules from the address of the script itself. */

import { CLOCK, within } from "../client/clock.js";

/** Milliseconds, as in `load.ts`. */
const LOADED_WITHIN = 20_000;

/** The hashes of the modules of this script. The build sets them. */
declare const PARTS_VERSION: string;
declare const STACK_VERSION: string;

const source = (document.currentScript as HTMLScriptElement | null)?.src ?? location.href;

/** Some browsers cache the failure of an import. So each retry has another address. */
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
