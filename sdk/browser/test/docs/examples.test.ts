import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { Application } from "../support/server.js";

const PACKAGE = new URL("../../", import.meta.url);
const DOCUMENTS = new URL("../../docs/", PACKAGE);
const WORK = new URL(".examples/", PACKAGE);
const SOURCES = {
  tidings: "../src/client/index.ts",
  "tidings/widget": "../src/widget/index.ts",
  "tidings/feed": "../src/widget/parts.ts",
  "tidings/react": "../src/react/index.tsx",
};

beforeAll(() => mkdir(WORK, { recursive: true }));
afterAll(() => rm(WORK, { recursive: true, force: true }));

/** The programs of a document. A block with an import starts one, and the blocks below it continue it. */
async function programs(document: string): Promise<{ language: string; text: string }[]> {
  const text = await readFile(new URL(document, DOCUMENTS), "utf8");
  const found: { language: string; text: string }[] = [];
  for (const [, language = "", code = ""] of text.matchAll(/^```(tsx?)\n(.*?)^```$/gms)) {
    const last = found.at(-1);
    if (last && !code.startsWith("import ")) last.text += code;
    else found.push({ language, text: code });
  }
  return found;
}

test("Every example in TypeScript compiles with the types of the package.", async () => {
  const files = [];
  for (const document of ["javascript.md", "browser.md"])
    for (const [index, { language, text }] of (await programs(document)).entries()) {
      const file = `${document}-${index}.${language}`;
      await writeFile(new URL(file, WORK), text);
      files.push(file);
    }
  const compilerOptions = {
    noUnusedLocals: false,
    paths: Object.fromEntries(Object.entries(SOURCES).map(([name, path]) => [name, [path]])),
  };
  await writeFile(
    new URL("tsconfig.json", WORK),
    JSON.stringify({
      extends: "../tsconfig.json",
      compilerOptions,
      files: [...files, "../src/widget/css.d.ts"],
      include: [],
    }),
  );

  const checked = promisify(execFile)("npx", ["tsc", "--project", "."], { cwd: WORK });

  await expect(checked).resolves.toMatchObject({ stdout: "" });
  expect(files.length).toBeGreaterThan(2);
}, 60_000);

test("The program for Node prints each notification, and exits after it has closed.", async () => {
  const application = new Application(inject("ready"));
  const user = application.user();
  const program = (await programs("javascript.md")).find(({ text }) => text.includes('"ws"'));
  const outfile = new URL("program.mjs", WORK).pathname;
  await build({
    stdin: { contents: program?.text ?? "", resolveDir: PACKAGE.pathname, loader: "ts" },
    alias: { tidings: new URL("src/client/index.ts", PACKAGE).pathname },
    external: ["ws"],
    bundle: true,
    format: "esm",
    platform: "node",
    outfile,
  });

  const child = spawn(process.execPath, [outfile], {
    env: {
      ...process.env,
      API_URL: application.api,
      USER_TOKEN: JSON.stringify(await application.token(user)),
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  child.stdout.on("data", (data) => {
    printed += data;
  });
  const ended = once(child, "exit");
  await expect.poll(() => application.connections(user), { timeout: 10_000 }).toBe(1);
  await application.send(user, "Hello");

  expect(await ended).toEqual([0, null]);
  expect(printed).toBe("Hello\n");
});
