/** Imports style sheets as minified text: the widget makes constructed sheets, so that no page needs inline styles. */
import { readFile } from "node:fs/promises";
import { transform } from "esbuild";

export const styles = {
  name: "styles",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), {
        loader: "css",
        minify: true,
        charset: "utf8",
      });
      return { contents: code.trim(), loader: "text" };
    });
  },
};
