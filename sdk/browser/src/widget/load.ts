/** Loads the parts that a page does without at first; see `parts.ts`. */
export const load = (): Promise<typeof import("./parts.js")> => import("./parts.js");
