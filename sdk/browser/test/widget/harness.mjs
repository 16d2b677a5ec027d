/**
 * Serves the page of `page.ts`, under a policy that allows no inline style and no inline script, and
 * opens Chromium on it.
 */
import { createServer } from "node:http";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { styles } from "../../scripts/styles.mjs";
import { OPTIONS } from "../support/chromium.mjs";

const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'";

const HTML = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Acme</title>
<link rel="stylesheet" href="/page.css"><script type="module" src="/page.js"></script></head>
<body><header><h1>Acme</h1><div id="home"></div></header><main><p>The page that the widget is part of.</p>
<button id="after" type="button">After it</button></main></body>
</html>`;

const CSS = `:root{color-scheme:light dark}
body{margin:0;font:15px/1.5 system-ui,sans-serif;background:light-dark(#f3f4f6,#111216);color:light-dark(#16181d,#eceef2);min-height:100vh}
header{display:flex;align-items:center;justify-content:space-between;padding:8px 16px;background:light-dark(#fff,#1b1d23);border-bottom:1px solid light-dark(#e5e7eb,#2d3038)}
.at-the-bottom{position:fixed;inset:auto 0 0}
h1{margin:0;font-size:17px} main{padding:24px 16px}
header:has([mode=page]){display:block;padding:0;border:0} header:has([mode=page]) h1, header:has([mode=page])+main{position:absolute;clip-path:inset(50%)}
#home:has([mode=page]){width:var(--width,100%);height:100vh}`;

function portrait(from, to) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 36 36"><linearGradient id="g" y2="1"><stop stop-color="${from}"/><stop offset="1" stop-color="${to}"/></linearGradient><path fill="url(#g)" d="M0 0h36v36H0z"/><circle cx="18" cy="14" r="6.5" fill="#fff" opacity=".9"/><path d="M5 36c0-8 5.5-12.5 13-12.5S31 28 31 36" fill="#fff" opacity=".9"/></svg>`;
}

const FILES = {
  "/": ["text/html", HTML],
  "/c/1": ["text/html", "<!doctype html><title>A comment</title>"],
  "/page.css": ["text/css", CSS],
  "/ana.svg": ["image/svg+xml", portrait("#f59e0b", "#db2777")],
  "/bob.svg": ["image/svg+xml", portrait("#06b6d4", "#4f46e5")],
  "/parcel.svg": [
    "image/svg+xml",
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 36 36"><path fill="#14915f" d="M0 0h36v36H0z"/><path d="m18 8 9 5v10l-9 5-9-5V13zm0 10v10m0-10 9-5m-9 5-9-5" fill="none" stroke="#fff" stroke-width="1.8" stroke-linejoin="round"/></svg>',
  ],
};

/** Debian's Chromium, or the one that CHROMIUM names. */
export function launch() {
  return chromium.launch(OPTIONS);
}

/** Returns the address of the page, the browser, and a function that stops both. */
export async function start() {
  const root = new URL("../..", import.meta.url).pathname;
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: ["test/widget/page.ts", "test/widget/react-page.tsx"],
    outdir: "/",
    bundle: true,
    write: false,
    jsx: "automatic",
    format: "esm",
    target: "es2022",
    ignoreAnnotations: true,
    plugins: [styles],
  });
  const files = {
    ...FILES,
    "/react": ["text/html", HTML.replace("page.js", "react-page.js")],
    ...Object.fromEntries(outputFiles.map(({ path, text }) => [path, ["text/javascript", text]])),
  };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname === "/never.png") return;
    const [type, body] = files[pathname] ?? [];
    response.writeHead(body ? 200 : 404, {
      "content-type": type ?? "text/plain",
      "content-security-policy": POLICY,
    });
    response.end(body ?? "");
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const browser = await launch();
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    browser,
    async stop() {
      await browser.close();
      server.closeAllConnections();
      server.close();
    },
  };
}
