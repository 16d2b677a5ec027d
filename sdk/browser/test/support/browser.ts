/** A real Chromium with pages of an application that uses the client. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { ARGUMENTS, COMMAND } from "./chromium.mjs";
import type { Application } from "./server.js";

const FLAGS = ["--headless", "--remote-debugging-port=0", ...ARGUMENTS];

/** The application's own site: a page per user with the client, and its token endpoint. */
export class Site {
  readonly #server: HttpServer;
  #root = "";

  constructor(application: Application) {
    const script = build({
      entryPoints: [new URL("./page.ts", import.meta.url).pathname],
      bundle: true,
      write: false,
      format: "esm",
      target: "es2022",
    }).then(({ outputFiles }) => outputFiles[0]?.text ?? "");
    this.#server = createServer(async (request, response) => {
      const { pathname, searchParams: asked } = new URL(request.url ?? "/", this.#root);
      // A sandboxed page has no origin.
      response.setHeader("Access-Control-Allow-Origin", "*");
      if (asked.has("sandboxed")) response.setHeader("Content-Security-Policy", "sandbox allow-scripts");
      if (pathname === "/token") {
        response.setHeader("Content-Type", "application/json");
        const seconds = Number(asked.get("seconds") ?? 3_600);
        const token = await application.token(asked.get("user") ?? "", seconds);
        const realtime = asked.get("realtime");
        response.end(JSON.stringify({ ...token, ...(realtime && { realtime_url: realtime }) }));
      } else if (pathname === "/page.js") {
        response.setHeader("Content-Type", "text/javascript");
        response.end(`const API = ${JSON.stringify(application.api)};\n${await script}`);
      } else {
        response.setHeader("Content-Type", "text/html");
        response.end('<!doctype html><script type="module" src="/page.js"></script>');
      }
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.#root = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** `sandboxed`: without site data and locks. `seconds`: the lifetime of tokens. `realtime`: the gateway's address. */
  address(
    user: string,
    how: { readonly sandboxed?: true; readonly seconds?: number; readonly realtime?: string } = {},
  ): string {
    const asked = Object.entries(how).map(([name, value]) => `&${name}=${encodeURIComponent(value)}`);
    return `${this.#root}/?user=${user}${asked.join("")}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/**
 * Chromium with an empty profile; its pages share storage, locks and channels as tabs do.
 *
 * Playwright does not launch it: it would keep each tab visible and out of the back/forward cache.
 */
export class Chromium {
  readonly #profile = mkdtempSync(join(tmpdir(), "chromium-"));
  #process: ChildProcess | undefined;
  #browser: Browser | undefined;

  async start(): Promise<void> {
    const child = spawn(COMMAND, [...FLAGS, `--user-data-dir=${this.#profile}`, "about:blank"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#process = child;
    for await (const line of createInterface({ input: child.stderr })) {
      const [, address] = /DevTools listening on (ws:.*)/.exec(line) ?? [];
      if (!address) continue;
      this.#browser = await chromium.connectOverCDP(address, { noDefaults: true });
      return;
    }
    throw new Error("Chromium did not come up");
  }

  get context(): BrowserContext {
    const [context] = this.#browser?.contexts() ?? [];
    if (!context) throw new Error("Chromium was not started");
    return context;
  }

  async tab(address: string): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(address);
    return page;
  }

  async stop(): Promise<void> {
    await this.#browser?.close();
    const child = this.#process;
    if (child && child.exitCode === null) {
      const ended = once(child, "exit");
      child.kill();
      await ended;
    }
    // The browser's helper processes end a moment later, and may still write there.
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 10 });
  }
}
