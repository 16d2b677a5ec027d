/** Loads the modules that a page does not need at first: the panel (`parts.ts`) and the toasts (`stack.ts`). */

import { CLOCK, within } from "../client/clock.js";

/** Milliseconds. An import cannot be aborted, but after this time the reader can try again. */
const LOADED_WITHIN = 20_000;

const limited = <Module>(run: () => Promise<Module>) => within(CLOCK, LOADED_WITHIN, "no_answer", run);

export const load = (): Promise<typeof import("./parts.js")> => limited(() => import("./parts.js"));
export const loadStack = (): Promise<typeof import("./stack.js")> => limited(() => import("./stack.js"));
