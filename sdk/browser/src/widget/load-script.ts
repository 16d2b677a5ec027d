/** In place of `load.ts` in the script: the parts lie beside it, wherever it came from. */

/** The hash of the parts that belong to this script; set by the build. */
declare const PARTS_VERSION: string;

const source = (document.currentScript as HTMLScriptElement | null)?.src ?? location.href;

export const load = (): Promise<typeof import("./parts.js")> =>
  import(new URL(`parts.mjs?v=${PARTS_VERSION}`, source).href);
