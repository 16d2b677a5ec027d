/** In place of `load.ts` in the script: what it loads lies beside it, wherever it came from. */

/** The hashes of the modules that belong to this script; set by the build. */
declare const PARTS_VERSION: string;
declare const STACK_VERSION: string;

const source = (document.currentScript as HTMLScriptElement | null)?.src ?? location.href;

export const load = (): Promise<typeof import("./parts.js")> =>
  import(new URL(`parts.mjs?v=${PARTS_VERSION}`, source).href);
export const loadStack = (): Promise<typeof import("./stack.js")> =>
  import(new URL(`toasts.mjs?v=${STACK_VERSION}`, source).href);
