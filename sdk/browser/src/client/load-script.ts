/** Replaces `load.ts` in the script. It loads modules from the address of the script itself. */

import { CLOCK, within } from "./clock.js";

/** Milliseconds, as in the widget's `load.ts`. */
const LOADED_WITHIN = 20_000;

/** The hashes of the modules of this script. The build sets them. */
declare const TOPICS_VERSION: string;
declare const FALLBACK_VERSION: string;

const source = (document.currentScript as HTMLScriptElement | null)?.src ?? location.href;

/** Some browsers cache the failure of an import. So each retry has another address, which is longer. */
export function beside<Module>(name: string): () => Promise<Module> {
  let address = name;
  return () =>
    within(CLOCK, LOADED_WITHIN, "no_answer", () => import(new URL(address, source).href)).catch((error) => {
      address += "&again";
      throw error;
    });
}

export const loadTopics = beside<typeof import("./topics.js")>(`topics.mjs?v=${TOPICS_VERSION}`);
export const loadFallback = beside<typeof import("./fallback.js")>(`fallback.mjs?v=${FALLBACK_VERSION}`);
