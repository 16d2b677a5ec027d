/** Loads the modules that a page does not need at first. In the script, `load-script.ts` replaces it. */

import { CLOCK, within } from "../client/clock.js";

/** Milliseconds. An import cannot be aborted, but after this time the reader can try again. */
const LOADED_WITHIN = 20_000;

const limited = <Module>(run: () => Promise<Module>) => within(CLOCK, LOADED_WITHIN, "no_answer", run);

export const loadParts = (): Promise<typeof import("./parts.js")> => limited(() => import("./parts.js"));
export const loadWords = (): Promise<typeof import("./words.js")> => limited(() => import("./words.js"));
export const loadStack = (): Promise<typeof import("./stack.js")> => limited(() => import("./stack.js"));
export const loadAlerts = (): Promise<typeof import("./alerts.js")> => limited(() => import("./alerts.js"));
export const loadAdvice = (): Promise<typeof import("./advice.js")> => limited(() => import("./advice.js"));
export const loadGroups = (): Promise<typeof import("./groups.js")> => limited(() => import("./groups.js"));
export const loadExtras = (): Promise<typeof import("./extras.js")> => limited(() => import("./extras.js"));
