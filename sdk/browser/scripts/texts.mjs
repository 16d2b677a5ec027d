/**
 * Runs the modules that pack the widget's texts, and ships their value: the sources have each key once per
 * language, and the bundles are too small for that.
 */
import { build } from "esbuild";

export const texts = {
  name: "texts",
  setup({ onLoad }) {
    onLoad(
      { filter: /\/widget\/texts\/(bell|panel|others|grouping|snoozed|snoozing)\.ts$/ },
      async ({ path }) => {
        const { outputFiles } = await build({
          entryPoints: [path],
          bundle: true,
          write: false,
          format: "esm",
          charset: "utf8",
        });
        const [{ text }] = outputFiles;
        const { texts } = await import(`data:text/javascript,${encodeURIComponent(text)}`);
        return { contents: `export const texts = ${JSON.stringify(texts)};`, loader: "js" };
      },
    );
  },
};
