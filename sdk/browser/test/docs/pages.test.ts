/** The examples for pages in the documents, served and used in an application as a reader would. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test, vi } from "vitest";
import { styles } from "../../scripts/styles.mjs";
import { freePorts } from "../support/ports.js";
import { Application } from "../support/server.js";
import { launch } from "../widget/harness.mjs";

const PACKAGE = new URL("../../", import.meta.url).pathname;
const ready = inject("ready");
const application = new Application(ready);
let browser: Awaited<ReturnType<typeof launch>>;
let folder: string;
let route: ChildProcess;
let tokens: string;
let user: string;
let page: Page;
let address: string;
const broken: string[] = [];

/** The code blocks of a document in one language, in order. */
async function blocks(document: string, language: string): Promise<string[]> {
  const text = await readFile(join(PACKAGE, "../../docs", document), "utf8");
  const found = [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))];
  return found.map(([, code = ""]) => code.replaceAll("https://notify.example", ready.api));
}

/** The block that contains these words. */
async function block(document: string, language: string, words: string): Promise<string> {
  const found = (await blocks(document, language)).filter((code) => code.includes(words));
  expect(found, words).toHaveLength(1);
  return found[0] as string;
}

/** The content of the shop's page, and its logged-in user. */
let html = "";
let session = "";
const shop = createServer(async (request, response) => {
  if (request.url === "/my-token") {
    const answer = await fetch(tokens, { headers: { session } });
    response.writeHead(answer.status, { "Content-Type": "application/json" });
    response.end(await answer.text());
  } else {
    response.writeHead(request.url === "/" ? 200 : 404, { "Content-Type": "text/html" });
    response.end(`<!doctype html><html lang="en"><title>Orders</title><body>${html}</body></html>`);
  }
});

/** Listens, and returns the address. */
async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}/`;
}

/** The route of docs/javascript.md as a program. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tidings-docs-"));
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "route.mjs"), await block("javascript.md", "js", "./sessions.mjs"));
  await writeFile(join(folder, "sessions.mjs"), "export const userOf = ({ headers }) => headers.session;");
  const [port] = (await freePorts(1)).map(String);
  tokens = `http://127.0.0.1:${port}/my-token`;
  address = await listening(shop);
  route = spawn(process.execPath, [join(folder, "route.mjs")], {
    env: { ...process.env, TIDINGS_KEY: ready.key, TIDINGS_URL: ready.api, PORT: port },
    stdio: "inherit",
  });
  browser = await launch();
  await vi.waitFor(() => fetch(tokens), { timeout: 10_000 });
});
afterAll(async () => {
  await browser?.close();
  route?.kill();
  shop.closeAllConnections();
  shop.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  user = application.user();
});
afterEach(async () => {
  await page.close();
  expect(broken.splice(0)).toEqual([]);
});

/** Opens the shop with this content. */
async function open(lines: string, whose = user): Promise<void> {
  html = lines;
  session = whose;
  page = await browser.newPage();
  page.on("pageerror", ({ message }) => broken.push(message));
  await page.goto(address);
}

/** Bundles a program of the documents with the package, as a reader's bundler does. */
async function bundled(code: string, loader: "js" | "ts" | "tsx", more = ""): Promise<string> {
  const source = (path: string) => join(PACKAGE, "src", path);
  const { outputFiles } = await build({
    stdin: { contents: code + more, resolveDir: PACKAGE, loader },
    alias: {
      tidings: source("client/index.ts"),
      "tidings/feed": source("widget/parts.ts"),
      "tidings/react": source("react/index.tsx"),
      "tidings/widget": source("widget/index.ts"),
    },
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    ignoreAnnotations: true,
    plugins: [styles],
  });
  return `<script type="module">${outputFiles[0]?.text.replaceAll("</script", "<\\/script")}</script>`;
}

const connected = () =>
  page.waitForFunction(() => document.querySelector("tidings-inbox")?.client?.status === "connected");

test("the two lines show a bell with a badge, for the user that the route in Node names", async () => {
  await open(await block("browser.md", "html", "<script"));
  await connected();
  await application.send(user, "On its way");

  await expect.poll(() => page.locator(".badge").textContent()).toBe("1");
  await page.locator(".bell").click();
  await page.getByText("On its way").first().waitFor();
});

test("the client stops when the route answers that no user is logged in", async () => {
  await open(await block("browser.md", "html", "<script"), "");

  await page.waitForFunction(() => document.querySelector("tidings-inbox")?.client?.status === "stopped");
});

test("the examples for events, texts, styles and slots do what they say", async () => {
  const lines = await block("browser.md", "html", "<script");
  const slots = (await block("browser.md", "html", "slot=")).replace("…", ready.api);
  const css = (await blocks("browser.md", "css")).join("");
  const events = await block("browser.md", "js", "tidings-open");
  const texts = await block("browser.md", "js", "Postvak");
  const [script] = lines.split("\n");
  await open(`${script}<style>${css}</style>${slots}
    <script>
      const pushed = [], approved = [];
      const router = { push: (link) => pushed.push(link) }, approve = (deploy) => approved.push(deploy);
      ${events}
      addEventListener("DOMContentLoaded", () => { ${texts} });
    </script>`);
  await connected();
  await application.send(user, "Deploy 7", {
    link: "/deploys/7",
    data: { deploy: 7 },
    actions: [{ id: "approve", label: "Approve" }],
  });
  await expect.poll(() => page.locator(".badge").textContent()).toBe("1");
  await page.locator(".bell").click();

  const heading = page.locator("[part=heading]");
  await expect.poll(() => heading.textContent()).toBe("Postvak");
  expect(await heading.evaluate((each) => getComputedStyle(each).textTransform)).toBe("uppercase");
  const inbox = page.locator("tidings-inbox");
  expect(await inbox.evaluate((each) => getComputedStyle(each).getPropertyValue("--tidings-radius"))).toBe(
    "6px",
  );
  expect(await page.getByRole("link", { name: "Settings" }).isVisible()).toBe(true);
  await page.getByRole("button", { name: "Approve" }).click();
  await page.locator("[part~=item] a.open").click();
  expect(await page.evaluate("[pushed, approved]")).toEqual([["/deploys/7"], [7]]);
  expect(page.url()).toBe(address);
});

test("the client without a bundler keeps the page's title", async () => {
  await open(await block("javascript.md", "html", "tidings.mjs"));
  await expect.poll(() => page.title()).toBe("(0) Orders");

  await application.send(user, "Hello");

  await expect.poll(() => page.title()).toBe("(1) Orders");
});

test("the client with a bundler receives, lists and marks, by the example of its document", async () => {
  await application.sendMany(user, ["One", "Two"]);
  const program = (await blocks("javascript.md", "ts")).filter((code) => !code.includes('"ws"')).join("");
  const lines: string[] = [];
  await open(await bundled(program, "ts", "\nconsole.log('marked', changed, counts.unread);"));
  page.on("console", (message) => lines.push(message.text()));
  await page.reload();

  const line = (start: string) => lines.find((each) => each.startsWith(start));
  await expect.poll(() => line("marked")).toMatch(/^marked \d \d$/);
  // The document's route gives tokens without topics.
  await expect.poll(() => line("TidingsError")).toContain("allows news/sport");
});

test("the components in React show what is unread, and mark it", async () => {
  await application.send(user, "One");
  const app = await block("browser.md", "tsx", "tidings/react");
  const mount = `
    import { createRoot } from "react-dom/client";
    createRoot(document.body.appendChild(document.createElement("main"))).render(<App />);`;
  await open(await bundled(app, "tsx", mount));

  await page.locator("li", { hasText: "One" }).getByRole("button", { name: "Read" }).click();

  await expect.poll(() => page.locator("li").count()).toBe(0);
  await expect.poll(() => page.locator(".bell").getAttribute("aria-label")).toBe("Notifications");
});

test("the live list without React renders each change", async () => {
  const feed = await block("browser.md", "js", "tidings/feed");
  const render =
    "\nfunction render({ items }) { document.title = items.map((item) => item.notification.title).join(); }";
  await open(await bundled(feed, "js", render));

  await application.send(user, "One");

  await expect.poll(() => page.title()).toBe("One");
});
