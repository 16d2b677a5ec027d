/** The widget in a network that blocks the socket or the application's tokens. */

import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, inject, test } from "vitest";
import { BlockingProxy } from "../support/proxy.js";
import { Application } from "../support/server.js";
import { launch } from "./harness.mjs";
import { WidgetSite } from "./site.js";

const ready = inject("ready");
const application = new Application(ready);
const site = new WidgetSite(application);
let browser: Awaited<ReturnType<typeof launch>>;

beforeAll(async () => {
  [browser] = await Promise.all([launch(), site.start()]);
});
afterAll(async () => {
  await browser?.close();
  site.stop();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});

/** A proxy between the page and the gateway. It passes no data until it is `open`. */
class Firewall {
  open = false;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => {
    this.#keep(socket);
    if (!this.open) return socket.destroy();
    const { hostname, port } = new URL(ready.realtime);
    const gateway = this.#keep(connect(Number(port), hostname));
    socket.pipe(gateway).pipe(socket);
    return;
  });

  async start(): Promise<string> {
    await new Promise<void>((listening) => this.#server.listen(0, "127.0.0.1", listening));
    const { port } = this.#server.address() as AddressInfo;
    return `ws://127.0.0.1:${port}/v1/realtime`;
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    return socket.on("error", () => undefined);
  }
}

const status = (page: Page) => page.evaluate(() => document.querySelector("tidings-inbox")?.client?.status);
const badge = (page: Page) => page.locator(".badge").textContent();

test("without a socket the badge and new notifications show, and the socket is used when it works", async () => {
  const firewall = new Firewall();
  const realtime = await firewall.start();
  const user = application.user();
  await application.send(user, "Before");
  const page = await browser.newPage();
  await page.goto(site.address(user, ready.api, realtime));

  // The panel was never opened.
  await expect.poll(() => badge(page), { timeout: 8_000 }).toBe("1");
  await page.locator(".bell").click();
  await expect.poll(() => page.locator(".strip").first().textContent()).toContain("Reconnecting");
  await application.send(user, "While blocked");
  const titles = () => page.locator(".item .title").allTextContents();
  await expect.poll(titles, { timeout: 15_000 }).toEqual(["While blocked", "Before"]);
  expect(await badge(page)).toBe("2");

  firewall.open = true;
  await expect.poll(() => status(page), { timeout: 20_000 }).toBe("connected");
  await application.send(user, "Live");
  await expect.poll(titles).toEqual(["Live", "While blocked", "Before"]);
  expect(await badge(page)).toBe("3");
  firewall.stop();
}, 60_000);

test("behind a proxy that refuses WebSockets the widget is live, and marks", async () => {
  const proxy = new BlockingProxy(ready.realtime);
  proxy.mode = "refuse";
  await proxy.start();
  const user = application.user();
  const page = await browser.newPage();
  await page.goto(site.address(user, ready.api, proxy.url));
  await expect.poll(() => status(page), { timeout: 20_000 }).toBe("connected");
  await page.locator(".bell").click();

  await application.send(user, "Live");
  await expect
    .poll(() => page.locator(".item .title").allTextContents(), { timeout: 5_000 })
    .toEqual(["Live"]);
  expect(await badge(page)).toBe("1");
  await page.locator(".item").first().click();

  await expect
    .poll(async () => {
      const path = `/v1/users/${user}/notifications?state=read`;
      return ((await application.request("GET", path)) as { items: unknown[] }).items.length;
    })
    .toBe(1);
  expect(proxy.streams).toBeGreaterThan(0);
  await proxy.stop();
}, 60_000);

test("a hanging request for a token is aborted, and the next one is answered at once", async () => {
  const { answer } = site;
  let ended = 0;
  site.answer = (response, user) => {
    if (ended) return answer(response, user);
    response.on("close", () => ended++);
  };
  const page = await browser.newPage();
  await page.goto(site.address(application.user(), ready.api, ready.realtime));

  // Ten seconds, a random wait, and the connection itself.
  await expect.poll(() => status(page), { timeout: 14_000 }).toBe("connected");
  expect(ended).toBe(1);
  site.answer = answer;
}, 30_000);

test("a panel that does not load in time offers a retry, which loads it", async () => {
  const page = await browser.newPage();
  await page.clock.install();
  const asked: string[] = [];
  await page.route("http://shop.test/**", async (route) => {
    const { pathname, search } = new URL(route.request().url());
    if (pathname === "/")
      return route.fulfill({
        contentType: "text/html",
        body: `<script src="/widget.js"></script><tidings-inbox url="/api" token-url="/token"></tidings-inbox>`,
      });
    if (pathname === "/parts.mjs" && asked.push(search) === 1) return;
    if (!/m?js$/.test(pathname)) return route.fulfill({ status: 503 });
    return route.fulfill({ response: await route.fetch({ url: ready.api + pathname }) });
  });
  await page.goto("http://shop.test/");
  await page.locator(".bell").focus();
  await page.keyboard.press("Enter");
  await expect.poll(() => asked.length).toBe(1);

  await page.clock.fastForward(20_000);
  await page.locator(".retry").click();

  await page.locator(".tab").first().waitFor();
  // The retry has another address, since the browser still waits for the first.
  expect(asked[1]).toBe(`${asked[0]}&again`);
});
