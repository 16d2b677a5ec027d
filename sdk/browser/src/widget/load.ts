/** Loads what a page does without at first: the panel (`parts.ts`), and toasts (`stack.ts`). */
export const load = (): Promise<typeof import("./parts.js")> => import("./parts.js");
export const loadStack = (): Promise<typeof import("./stack.js")> => import("./stack.js");
