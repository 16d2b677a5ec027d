/** A real Chromium with pages of an application that uses the client. */

import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import type { Application } from "./server.js";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

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
      const url = new URL(request.url ?? "/", this.#root);
      if (url.pathname === "/token") {
        response.setHeader("Content-Type", "application/json");
        response.end(JSON.stringify(await application.token(url.searchParams.get("user") ?? "")));
      } else if (url.pathname === "/page.js") {
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

  address(user: string): string {
    return `${this.#root}/?user=${user}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Chromium with an empty profile; its pages share storage, locks and channels as tabs do. */
export class Chromium {
  readonly #profile = mkdtempSync(join(tmpdir(), "chromium-"));
  #context: BrowserContext | undefined;

  async start(): Promise<void> {
    this.#context = await chromium.launchPersistentContext(this.#profile, {
      executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
      headless: true,
      args: FLAGS,
      ignoreDefaultArgs: ["--disable-back-forward-cache"],
    });
  }

  get context(): BrowserContext {
    if (!this.#context) throw new Error("Chromium was not started");
    return this.#context;
  }

  async tab(address: string): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(address);
    return page;
  }

  async stop(): Promise<void> {
    await this.#context?.close();
    await rm(this.#profile, { recursive: true, force: true });
  }
}
