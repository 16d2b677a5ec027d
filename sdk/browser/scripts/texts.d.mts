import type { Plugin } from "esbuild";

export const texts: Plugin;
