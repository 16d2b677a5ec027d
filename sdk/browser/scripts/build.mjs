/**
 * Builds `dist`: one module per entry of the package, and one script with client and widget.
 *
 * The widget and the React wrapper import the client as `./tidings.mjs`, so that a page with several of them loads
 * it once. The other modules load when a page needs them: `parts.mjs` when a reader opens the widget, with `words.mjs`
 * in another language than English; `toasts.mjs` with the first toast; `alerts.mjs` for a sound or a count in the
 * title; `advice.mjs` for the developer of a page that is not set up well; `extras.mjs` for tabs, rows, icons and markup
 * of the page's own; `groups.mjs` for notifications with a `group_key`, and `snoozes.mjs` for the attribute `snooze`; `topics.mjs` with the first subscription to a
 * topic; and `fallback.mjs` after two seconds without a connection.
 */
import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { build } from "esbuild";
import { manifest } from "./manifest.mjs";
import { styles } from "./styles.mjs";
import { texts } from "./texts.mjs";

const root = new URL("..", import.meta.url).pathname;

/** Names of methods and fields that no other module and no application uses: they are shortened. */
const INTERNAL =
  /^(concerns|lived|resend|renew|refuse|welcomed|listed|acks|confirm|arrive|wake|leave|enter|follow|followed|lead|save|another|answer|identity|restore|forget|view|wait|drop|isOpen|probe|ended|apply|handle|emit|post|remaining|since|busy|timer|hide|lost|arrived|recount|revoke|refresh|turned|tokens|offline|urgent|pend|settle|fail|scroller|atTop|toTop|inSight|below|isCut|offer|element|elements|counting|exact|ago|turn|receive|flush|made)$/;

const common = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  mangleProps: INTERNAL,
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
};

const MODULES = {
  "client/index.js": "./tidings.mjs",
  "widget/index.js": "./widget.mjs",
  "parts.js": "./parts.mjs",
  "words.js": "./words.mjs",
  "stack.js": "./toasts.mjs",
  "alerts.js": "./alerts.mjs",
  "advice.js": "./advice.mjs",
  "extras.js": "./extras.mjs",
  "groups.js": "./groups.mjs",
  "snoozes.js": "./snoozes.mjs",
  "topics.js": "./topics.mjs",
  "fallback.js": "./fallback.mjs",
  "rows.js": "./react-rows.mjs",
};

/** An import of another entry becomes an import of its built module. */
const entries = {
  name: "entries",
  setup({ onResolve }) {
    onResolve(
      {
        filter:
          /\/(client\/index|widget\/index|parts|words|stack|alerts|advice|extras|groups|snoozes|topics|fallback|rows)\.js$/,
      },
      ({ path }) => {
        const [, module] = Object.entries(MODULES).find(([end]) => path.endsWith(end));
        return { path: module, external: true };
      },
    );
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
    { in: "src/widget/words.ts", out: "words" },
    { in: "src/widget/stack.ts", out: "toasts" },
    { in: "src/widget/alerts.ts", out: "alerts" },
    { in: "src/widget/advice.ts", out: "advice" },
    { in: "src/widget/extras.ts", out: "extras" },
    { in: "src/widget/groups.ts", out: "groups" },
    { in: "src/widget/snoozes.ts", out: "snoozes" },
    { in: "src/client/topics.ts", out: "topics" },
    { in: "src/client/fallback.ts", out: "fallback" },
    { in: "src/widget/feed.ts", out: "feed" },
    { in: "src/react/index.tsx", out: "react" },
    { in: "src/react/rows.tsx", out: "react-rows" },
  ],
  outdir: "dist",
  outExtension: { ".js": ".mjs" },
  external: ["react", "react/jsx-runtime", "react-dom"],
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
  entryPoints: ["src/script.ts"],
  outfile: "dist/tidings.js",
  define: {
    PARTS_VERSION: await version("parts.mjs"),
    WORDS_VERSION: await version("words.mjs"),
    ALERTS_VERSION: await version("alerts.mjs"),
    ADVICE_VERSION: await version("advice.mjs"),
    EXTRAS_VERSION: await version("extras.mjs"),
    GROUPS_VERSION: await version("groups.mjs"),
    STACK_VERSION: await version("toasts.mjs"),
    TOPICS_VERSION: await version("topics.mjs"),
    FALLBACK_VERSION: await version("fallback.mjs"),
  },
  plugins: [besideTheScript, styles, texts],
});

await writeFile(
  new URL("../custom-elements.json", import.meta.url),
  `${JSON.stringify(await manifest(), null, 2)}\n`,
);
