/** Loads what a page does without at first: the panel (`parts.ts`), and toasts (`stack.ts`). */

import { CLOCK, within } from "../client/clock.js";

/** Milliseconds. Nothing ends an import, but the reader is offered another try. */
const LOADED_WITHIN = 20_000;

const limited = <Module>(run: () => Promise<Module>) => within(CLOCK, LOADED_WITHIN, "no_answer", run);

export const load = (): Promise<typeof import("./parts.js")> => limited(() => import("./parts.js"));
export const loadStack = (): Promise<typeof import("./stack.js")> => limited(() => import("./stack.js"));
