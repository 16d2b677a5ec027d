/** A page of an application that embeds the widget by attributes only, and the application's tokens. */

import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { build } from "esbuild";
import { styles } from "../../scripts/styles.mjs";
import type { Application } from "../support/server.js";

/** Serves with a policy that allows no inline style or script. The page's address has the element's attributes. */
export class WidgetSite {
  /** Answers a request for a token. */
  answer: (response: ServerResponse, user: string) => void = (response, user) =>
    void this.#token(response, user);
  readonly #application: Application;
  #script: string | undefined;
  readonly #server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    const user = searchParams.get("user") ?? "";
    response.setHeader("content-security-policy", "default-src 'none'; script-src 'self'; connect-src *");
    if (pathname === "/token") return this.answer(response, user);
    const script = pathname === "/widget.js";
    response.setHeader("content-type", script ? "text/javascript" : "text/html");
    const attributes = ["url", "realtime-url"].map((name) => `${name}="${searchParams.get(name)}"`).join(" ");
    response.end(
      script
        ? this.#script
        : `<!doctype html><html lang="en"><title>Shop</title><script type="module" src="/widget.js"></script>
<tidings-inbox ${attributes} token-url="/token?user=${user}" title-badge toasts sound
 tabs='["all", "unread", {"category": "orders."}, {"category": "news"}, "archived"]'></tidings-inbox>`,
    );
  });

  constructor(application: Application) {
    this.#application = application;
  }

  async start(): Promise<void> {
    const { outputFiles } = await build({
      absWorkingDir: new URL("../..", import.meta.url).pathname,
      entryPoints: ["src/widget/index.ts"],
      bundle: true,
      write: false,
      format: "esm",
      target: "es2022",
      ignoreAnnotations: true,
      plugins: [styles],
    });
    this.#script = outputFiles[0]?.text;
    await new Promise<void>((ready) => this.#server.listen(0, "127.0.0.1", ready));
  }

  address(user: string, url: string, realtimeUrl: string): string {
    const query = new URLSearchParams({ user, url, "realtime-url": realtimeUrl });
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/?${query}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #token(response: ServerResponse, user: string): Promise<void> {
    response.setHeader("content-type", "application/json");
    const { token } = await this.#application.token(user);
    response.end(JSON.stringify({ token }));
  }
}
