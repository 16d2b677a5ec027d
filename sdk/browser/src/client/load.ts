/** Loads the modules that few pages need. In the script, `load-script.ts` replaces it. */

export const loadTopics = (): Promise<typeof import("./topics.js")> => import("./topics.js");
export const loadFallback = (): Promise<typeof import("./fallback.js")> => import("./fallback.js");
