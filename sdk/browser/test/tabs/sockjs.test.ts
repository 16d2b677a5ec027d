import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { Browsing } from "../support/browsing.js";
import { Application } from "../support/server.js";

/** The parts of the two libraries that this page uses. */
declare const Stomp: {
  over(socket: object): {
    debug: unknown;
    onreceipt: () => void;
    connect(headers: object, connected: () => void, failed: (error: unknown) => void): void;
    subscribe(to: string, handler: (message: { readonly body: string }) => void, headers: object): void;
    disconnect(done: () => void): void;
  };
};
declare const SockJS: new (
  url: string,
  protocols: null,
  options: { transports?: string },
) => { transport: string };
declare global {
  var bodies: string[];
  var transport: string;
  var leave: () => Promise<void>;
}

const ready = inject("ready");
const application = new Application(ready);
const browsing = new Browsing(application);
const endpoint = ready.realtime.replace("ws://", "http://").replace("/v1/realtime", "/ws");

/** A site of another origin. */
const site = createServer((_, response) => {
  response.setHeader("Content-Type", "text/html");
  response.end("<!doctype html><title>A page</title>");
});
const library = (name: string) =>
  readFile(new URL(`../../node_modules/${name}`, import.meta.url).pathname, "utf8");
let scripts: string[] = [];

beforeAll(async () => {
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  scripts = await Promise.all(
    ["sockjs-client-16/dist/sockjs.min.js", "stompjs/lib/stomp.min.js"].map(library),
  );
});
afterAll(async () => {
  site.closeAllConnections();
  await new Promise((resolve) => site.close(resolve));
});

const PAGES = {
  // The greeting of the endpoint.
  "of the same origin": () => endpoint,
  "of another origin": () => `http://localhost:${(site.address() as AddressInfo).port}/`,
};
/** The transport that is asked for, whether the page has WebSockets, and the transport that is used. */
const WAYS: [asked: string | undefined, withSockets: boolean, used: string][] = [
  [undefined, true, "websocket"],
  [undefined, false, "xhr-streaming"],
  ["xhr-polling", false, "xhr-polling"],
  ["eventsource", false, "eventsource"],
];

for (const [where, address] of Object.entries(PAGES)) {
  describe(`a page ${where} with SockJS and stomp.js 2.3.3 gets each message in order`, () => {
    for (const [transports, withSockets, used] of WAYS) {
      test(`${transports ?? "by default"}, ${withSockets ? "with" : "without"} WebSockets`, async () => {
        const user = application.user();
        const { token } = await application.token(user);
        const page = await browsing.empty();
        if (!withSockets) await page.addInitScript(() => Reflect.deleteProperty(globalThis, "WebSocket"));
        await page.goto(address());
        for (const content of scripts) await page.addScriptTag({ content });
        await page.evaluate(connect, { endpoint, token, transports });

        const titles = Array.from({ length: 60 }, (_, n) => `${n} \u2028`);
        await application.sendMany(user, titles.slice(0, 30));
        await application.sendMany(user, titles.slice(30));

        await received(page).toEqual(titles);
        expect(await page.evaluate(() => globalThis.transport)).toBe(used);
        expect(await application.connections(user)).toBe(1);
        await page.evaluate(() => leave());
        // A page that leaves may cancel its own DISCONNECT. Then the server closes the session after a heartbeat.
        await expect.poll(() => application.connections(user), { timeout: 40_000 }).toBe(0);
      }, 60_000);
    }
  });
}

const received = (page: Page) =>
  expect.poll(() => page.evaluate(() => globalThis.bodies.map((body) => JSON.parse(body).title)), {
    timeout: 10_000,
  });

/** Runs in the page: connects, and subscribes to the inbox with a receipt. */
function connect(at: { endpoint: string; token: string; transports: string | undefined }): Promise<void> {
  globalThis.bodies = [];
  const { transports } = at;
  const socket = new SockJS(at.endpoint, null, transports ? { transports } : {});
  const client = Stomp.over(socket);
  client.debug = null;
  globalThis.leave = () => new Promise<void>((done) => client.disconnect(done));
  return new Promise<void>((resolve, reject) => {
    client.onreceipt = resolve;
    const connected = () => {
      globalThis.transport = socket.transport;
      client.subscribe("/user/queue/notifications", ({ body }) => globalThis.bodies.push(body), {
        receipt: "1",
      });
    };
    client.connect({ passcode: at.token }, connected, reject);
  });
}
