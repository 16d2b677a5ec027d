/** Replaces `load.ts` in the script. */

import { beside } from "../client/load-script.js";

/** The hashes of the modules of this script. The build sets them. */
declare const PARTS_VERSION: string;
declare const WORDS_VERSION: string;
declare const STACK_VERSION: string;
declare const ALERTS_VERSION: string;
declare const ADVICE_VERSION: string;
declare const EXTRAS_VERSION: string;
declare const GROUPS_VERSION: string;

export const loadParts = beside<typeof import("./parts.js")>(`parts.mjs?v=${PARTS_VERSION}`);
export const loadWords = beside<typeof import("./words.js")>(`words.mjs?v=${WORDS_VERSION}`);
export const loadStack = beside<typeof import("./stack.js")>(`toasts.mjs?v=${STACK_VERSION}`);
export const loadAlerts = beside<typeof import("./alerts.js")>(`alerts.mjs?v=${ALERTS_VERSION}`);
export const loadAdvice = beside<typeof import("./advice.js")>(`advice.mjs?v=${ADVICE_VERSION}`);
export const loadExtras = beside<typeof import("./extras.js")>(`extras.mjs?v=${EXTRAS_VERSION}`);
export const loadGroups = beside<typeof import("./groups.js")>(`groups.mjs?v=${GROUPS_VERSION}`);
