/**
 * Builds `dist`: one module per entry of the package, and one script with client and widget.
 *
 * The widget and the React wrapper import the client as `./tidings.mjs`, so that a page with several of them loads
 * it once. `parts.mjs` loads when a reader opens the widget, and `toasts.mjs` with the first toast.
 */
import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { build } from "esbuild";
import { manifest } from "./manifest.mjs";
import { styles } from "./styles.mjs";
import { texts } from "./texts.mjs";

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

const MODULES = {
  "client/index.js": "./tidings.mjs",
  "widget/index.js": "./widget.mjs",
  "parts.js": "./parts.mjs",
  "stack.js": "./toasts.mjs",
};

/** An import of another entry becomes an import of its built module. */
const entries = {
  name: "entries",
  setup({ onResolve }) {
    onResolve({ filter: /\/(client\/index|widget\/index|parts|stack)\.js$/ }, ({ path }) => {
      const [, module] = Object.entries(MODULES).find(([end]) => path.endsWith(end));
      return { path: module, external: true };
    });
  },
};

/** A script cannot import by relative address. It loads the other files from its own address. */
const besideTheScript = {
  name: "beside-the-script",
  setup({ onResolve, resolve }) {
    onResolve({ filter: /\/load\.js$/ }, ({ resolveDir }) =>
      resolve("./load-script.ts", { resolveDir, kind: "import-statement" }),
    );
  },
};

await rm(new URL("../dist", import.meta.url), { recursive: true, force: true });
await build({
  ...common,
  format: "esm",
  entryPoints: [
    { in: "src/client/index.ts", out: "tidings" },
    { in: "src/widget/index.ts", out: "widget" },
    { in: "src/widget/parts.ts", out: "parts" },
    { in: "src/widget/stack.ts", out: "toasts" },
    { in: "src/react/index.tsx", out: "react" },
  ],
  outdir: "dist",
  outExtension: { ".js": ".mjs" },
  external: ["react", "react/jsx-runtime"],
  plugins: [entries, styles, texts],
});

/** The hash of a built module, as a JavaScript string. */
async function version(name) {
  const module = await readFile(new URL(`../dist/${name}`, import.meta.url));
  return JSON.stringify(createHash("sha256").update(module).digest("hex").slice(0, 12));
}

await build({
  ...common,
  format: "iife",
  globalName: "tidings",
  entryPoints: ["src/script.ts"],
  outfile: "dist/tidings.js",
  define: { PARTS_VERSION: await version("parts.mjs"), STACK_VERSION: await version("toasts.mjs") },
  plugins: [besideTheScript, styles, texts],
});

await writeFile(
  new URL("../custom-elements.json", import.meta.url),
  `${JSON.stringify(await manifest(), null, 2)}\n`,
);
