/** The package in another application, installed as docs/browser.md says. */

import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const PACKAGE = new URL("../..", import.meta.url).pathname;
const TOOLS = join(PACKAGE, "node_modules");
const run = promisify(execFile);

let folder: string;
let shop: string;

const npm = (...command: string[]) =>
  run("npm", [...command, "--offline", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: shop });

/** The commands of the documentation after those that build the package. */
async function documented(): Promise<string[]> {
  const text = await readFile(join(PACKAGE, "../../docs/browser.md"), "utf8");
  const [, commands = ""] = /Or pack it from a checkout.*?```sh\n(.*?)```/s.exec(text) ?? [];
  return commands.split("\n").filter((line) => line.startsWith("npm "));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tidings-package-"));
  shop = join(folder, "shop");
  // A separate checkout, so that this build does not replace a `dist` in use.
  const checkout = join(folder, "tidings/sdk/browser");
  await mkdir(checkout, { recursive: true });
  for (const name of ["package.json", "tsconfig.json", "README.md", "LICENSE", "src", "scripts"])
    await cp(join(PACKAGE, name), join(checkout, name), { recursive: true });
  await symlink(TOOLS, join(checkout, "node_modules"));
  await run("node", ["scripts/build.mjs"], { cwd: checkout });

  await mkdir(shop);
  await writeFile(
    join(shop, "package.json"),
    JSON.stringify({ name: "shop", private: true, type: "module" }),
  );
  const own = ["react", "react-dom", "scheduler"].map((name) => join(TOOLS, name));
  const { stdout: packed } = await npm("pack", ...own);
  await npm(
    "install",
    ...packed
      .trim()
      .split("\n")
      .map((name) => `./${name}`),
  );
  const commands = await documented();
  expect(commands).toHaveLength(2);
  for (const command of commands) await npm(...command.split(" ").slice(1));
  for (const name of ["vitest", "jsdom", "happy-dom"])
    await symlink(join(TOOLS, name), join(shop, "node_modules", name));
}, 120_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

test("there is one React, and components render on a server as if still loading", async () => {
  await writeFile(
    join(shop, "page.mjs"),
    `import { createElement as e } from "react";
    import { renderToString } from "react-dom/server";
    import { Inbox, TidingsProvider, useInbox } from "tidings/react";
    import { Tidings } from "tidings";
    import { Feed } from "tidings/feed";
    import "tidings/widget";
    const Latest = () => e("p", null, useInbox().phase);
    const token = async () => null;
    const page = e(TidingsProvider, { url: "http://127.0.0.1:9", token }, e(Inbox, { toasts: true }), e(Latest));
    console.log(renderToString(page), typeof Tidings, typeof Feed);`,
  );

  const { stdout } = await run("node", ["page.mjs"], { cwd: shop });

  expect(stdout.trim()).toBe('<tidings-inbox toasts=""></tidings-inbox><p>loading</p> function function');
});

test("The hook brings the list alone: the panel still loads when a reader opens the bell.", async () => {
  const dist = join(shop, "node_modules/tidings/dist");
  for (const name of ["react.mjs", "feed.mjs"]) {
    const code = await readFile(join(dist, name), "utf8");
    expect(code).not.toContain("parts.mjs");
    expect(code.length).toBeLessThan(7_000);
  }
});

test("The package has its custom elements manifest, and the module that the manifest describes.", async () => {
  const installed = join(shop, "node_modules/tidings");
  const read = async (name: string) => JSON.parse(await readFile(join(installed, name), "utf8"));
  const { customElements, exports } = await read("package.json");
  const { modules } = await read(customElements);

  expect(modules.map(({ path }: { path: string }) => `./${path}`)).toEqual([exports["./widget"].default]);
  expect(await readFile(join(installed, modules[0].path), "utf8")).not.toBe("");
});

test("an application's own tests in jsdom and happy-dom render the inbox, open it, and end cleanly", async () => {
  for (const environment of ["jsdom", "happy-dom"])
    await writeFile(
      join(shop, `${environment}.test.jsx`),
      `// @vitest-environment ${environment}
      import { act, createElement as e } from "react";
      import { createRoot } from "react-dom/client";
      import { expect, test, vi } from "vitest";
      import { Inbox, TidingsProvider } from "tidings/react";

      globalThis.IS_REACT_ACT_ENVIRONMENT = true;
      test("the header has a bell", async () => {
        const home = document.body.appendChild(document.createElement("header"));
        const root = createRoot(home);
        const token = (signal) => fetch("http://127.0.0.1:9/my-token", { signal });
        const options = { url: "http://127.0.0.1:9", token };
        await act(() => root.render(e(TidingsProvider, options, e(Inbox, { toasts: true, sound: true, titleBadge: true }))));
        const inbox = home.querySelector("tidings-inbox");
        await vi.waitFor(() => expect(inbox.shadowRoot.querySelector(".bell")).not.toBeNull(), 10_000);
        inbox.shadowRoot.querySelector(".bell").click();
        await vi.waitFor(() => expect(inbox.shadowRoot.textContent).toContain("Notifications"), 10_000);
        await vi.waitFor(() => expect(inbox.client.status).toBe("offline"), 10_000);
        await act(() => root.unmount());
      });`,
    );

  const command = ["run", "--root", shop, "--maxWorkers=1", "--reporter=verbose"];
  const { stdout, stderr } = await run(join(TOOLS, ".bin/vitest"), command, {
    cwd: shop,
    env: { ...process.env, NO_COLOR: "1" },
  });

  expect(stdout).toContain("Tests  2 passed");
  expect(stdout + stderr).not.toContain("Unhandled");
}, 60_000);
