/**
 * Builds what is shipped into `dist`: one module per entry of the package, and all in one script.
 *
 * The widget and the React wrapper import the client as `./tidings.mjs`, so that a page which uses
 * several of them loads it once.
 */
import { rm } from "node:fs/promises";
import { build } from "esbuild";
import { styles } from "./styles.mjs";

const root = new URL("..", import.meta.url).pathname;

const common = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
};

/** Imports of another entry's `index` go to the module that is built from it. */
const entries = {
  name: "entries",
  setup({ onResolve }) {
    onResolve({ filter: /\/(client|widget)\/index\.js$/ }, ({ path }) => ({
      path: path.includes("/client/") ? "./tidings.mjs" : "./widget.mjs",
      external: true,
    }));
  },
};

await rm(new URL("../dist", import.meta.url), { recursive: true, force: true });
await build({
  ...common,
  format: "esm",
  entryPoints: [
    { in: "src/client/index.ts", out: "tidings" },
    { in: "src/widget/index.ts", out: "widget" },
    { in: "src/react/index.tsx", out: "react" },
  ],
  outdir: "dist",
  outExtension: { ".js": ".mjs" },
  external: ["react", "react/jsx-runtime"],
  plugins: [entries, styles],
});
await build({
  ...common,
  format: "iife",
  globalName: "tidings",
  entryPoints: ["src/script.ts"],
  outfile: "dist/tidings.js",
  plugins: [styles],
});
