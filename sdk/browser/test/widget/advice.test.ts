/** The console tells the developer of a page each mistake once, with its cure, and the page itself shows none of it. */

import { createHmac } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, inject, test } from "vitest";
import { Application, Server } from "../support/server.js";
import { launch } from "./harness.mjs";

const ready = inject("ready");
const application = new Application(ready);
const user = application.user();
let browser: Awaited<ReturnType<typeof launch>>;

/** The application of the current test. */
let current: Case = {};
const site = createServer(async (request, response) => {
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  const { token = right, policy } = current;
  if (pathname === "/my-token") return token(response);
  if (pathname === "/login") return text("<h1>Log in</h1>", "text/html")(response);
  if (/m?js$/.test(pathname)) {
    const answer = await fetch(API + pathname);
    return text(await answer.text(), "text/javascript", answer.status)(response);
  }
  if (policy) response.setHeader("content-security-policy", policy);
  return text(page(), "text/html")(response);
});

beforeAll(async () => {
  browser = await launch();
  await new Promise<void>((listening) => site.listen(0, "127.0.0.1", listening));
});
afterAll(async () => {
  await browser?.close();
  site.closeAllConnections();
  site.close();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});

type Answer = (response: ServerResponse) => unknown;

interface Case {
  /** The attributes of the element. Default: all that are right. */
  readonly attributes?: string;
  /** The application's answer to a request for a token. Default: a token. */
  readonly token?: Answer;
  readonly policy?: string;
  readonly origin?: string;
}

const API = ready.api;
const GIVEN = `url="${API}" token-url="/my-token"`;
/** Also for tokens without the address of the gateway. */
const WHOLE = `${GIVEN} realtime-url="${ready.realtime}"`;
const text = (body: string, contentType: string, status = 200): Answer => {
  return (response) => response.writeHead(status, { "content-type": contentType }).end(body);
};
const json = (body: unknown, status = 200) => text(JSON.stringify(body), "application/json", status);
const toLogin: Answer = (response) => response.writeHead(302, { location: "/login" }).end();
const right: Answer = async (response) => json(await application.token(user))(response);
/** A token without the address of the gateway. */
const bare: Answer = async (response) => json({ token: (await application.token(user)).token })(response);
const page = () =>
  `<!doctype html><script src="/widget.js"></script><tidings-inbox ${current.attributes ?? GIVEN}></tidings-inbox>`;

/** Opens the page of an application. Returns it with the texts that its console gets from the widget. */
async function open(given: Case) {
  current = given;
  const page = await browser.newPage();
  const said: string[] = [];
  page.on("console", (message) => {
    if (message.text().startsWith("[tidings]")) said.push(message.text());
  });
  const address = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  if (given.origin)
    await page.route(`${given.origin}/**`, async (route) => {
      const response = await fetch(address + new URL(route.request().url()).pathname);
      await route.fulfill({
        contentType: response.headers.get("content-type") ?? "",
        body: await response.text(),
      });
    });
  await page.goto(given.origin ?? address);
  return { page, said };
}

/** A token with other claims than the server's own. */
function signed(claims: object, [tenant, kid, secret] = ready.key.split(".")): string {
  const now = Math.floor(Date.now() / 1000);
  const all = {
    iss: tenant,
    sub: user,
    aud: "tidings",
    iat: now - 900,
    exp: now + 600,
    scope: "inbox",
    ...claims,
  };
  const head = [{ alg: "HS256", kid, typ: "JWT" }, all]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${head}.${createHmac("sha256", secret ?? "")
    .update(head)
    .digest("base64url")}`;
}

const LOGIN = /is that the login page\? .* Answer 401 instead/;

const CASES: readonly (readonly [name: string, given: Case, expected: RegExp])[] = [
  ["no url", { attributes: 'token-url="/my-token"' }, /no attribute url.*Write url="https/],
  ["no token-url", { attributes: `url="${API}"` }, /no attribute token-url.*Write token-url="/],
  ["token_url", { attributes: `url="${API}" token_url="/my-token"` }, /token_url\. Do you mean token-url\?/],
  ["tokenUrl", { attributes: `url="${API}" tokenUrl="/my-token"` }, /tokenurl\. Do you mean token-url\?/],
  ["titlebadge", { attributes: `${GIVEN} titlebadge` }, /titlebadge\. Do you mean title-badge\?/],
  ["toast", { attributes: `${GIVEN} toast` }, /toast\. Do you mean toasts\?/],
  [
    "an url without a scheme",
    { attributes: 'url="notify.example" token-url="/my-token"', token: bare },
    /Write it with https:\/\//,
  ],
  [
    "an url without a server",
    { attributes: 'url="http://127.0.0.1:9" token-url="/my-token"', token: bare },
    /No server answers at/,
  ],
  [
    "an url of something else",
    { attributes: 'url="/shop" token-url="/my-token"', token: bare },
    /answers 404: it is no Tidings API/,
  ],
  [
    "a wrong realtime-url",
    { attributes: `${GIVEN} realtime-url="ws://127.0.0.1:9/v1/realtime"` },
    /API answers, but no WebSocket opens at ws:\/\/127/,
  ],
  [
    "a policy without the API",
    { policy: "connect-src 'self'" },
    /Content-Security-Policy of this page forbids .*connect-src/,
  ],
  [
    "an insecure API on a secure page",
    { attributes: 'url="http://notify.example" token-url="/my-token"', origin: "https://shop.test" },
    /This page is https, and the browser forbids/,
  ],
  ["a page of HTML", { token: text("<!doctype html><p>Hello", "text/html") }, LOGIN],
  ["a redirect to the login", { token: toLogin }, LOGIN],
  [
    "plain text that is no token",
    { token: text("hello", "text/plain") },
    /answers text\/plain, and no token/,
  ],
  ["an empty answer", { token: text("", "text/plain") }, /answers nothing/],
  ["JSON without a token", { token: json({ jwt: "x", user: 1 }) }, /answers without a token|but jwt, user/],
  ["404", { token: text("", "text/plain", 404) }, /answers 404\. Add the route/],
  ["405", { token: json({}, 405) }, /answers 405\. The widget sends GET/],
  ["500", { token: text("", "text/html", 500) }, /answers 500\. The log of your application/],
  ["a broken connection", { token: (response) => response.destroy() }, /cannot be requested/],
  [
    "an address without CORS",
    { attributes: `url="${API}" token-url="http://127.0.0.1:9/my-token"` },
    /cannot be requested/,
  ],
  [
    "an expired token",
    { attributes: WHOLE, token: json({ token: application.expiredToken(user) }) },
    /is expired when the widget gets it\. Make a new one/,
  ],
  [
    "a key of another tenant",
    {
      attributes: WHOLE,
      token: async (response) => json({ token: signed({}, ["demo", "k1", "0".repeat(43)]) })(response),
    },
    /signed with a key of another tenant or server/,
  ],
  [
    "a token without the scope inbox",
    { attributes: WHOLE, token: async (response) => json({ token: signed({ scope: "send" }) })(response) },
    /lacks the scope "inbox"/,
  ],
  [
    "an API key instead of a token",
    { attributes: WHOLE, token: json({ token: ready.key }) },
    /not with an API key itself/,
  ],
];

test.each(CASES)(
  "The console names the cause and the cure: %s.",
  async (_, given, expected) => {
    const { page, said } = await open(given);
    await expect.poll(() => said.join("\n"), { timeout: 15_000 }).toMatch(expected);
    expect(said.filter((line) => expected.test(line))).toHaveLength(1);
    expect(await page.locator("body").textContent()).not.toContain("tidings");
  },
  30_000,
);

test("A request for a token that hangs is named after ten seconds.", async () => {
  const { said } = await open({ token: async () => undefined });
  await expect.poll(() => said.join(), { timeout: 16_000 }).toMatch(/did not answer within 10 seconds/);
}, 30_000);

test("An origin that the tenant does not list is named with the command that lists it.", async () => {
  const server = new Server();
  try {
    const own = await server.start();
    await server.operate("tenants", "update", "demo", "--origin", "https://other.example");
    const { said } = await open({
      attributes: `url="${own.api}" realtime-url="${own.realtime}" token-url="/my-token"`,
      token: async (response) => json(await new Application(own).token("ana"))(response),
    });
    await expect
      .poll(() => said.join(), { timeout: 15_000 })
      .toMatch(/does not list the origin of this page.*tenants update TENANT --origin http:\/\/127\.0\.0\.1/);
  } finally {
    await server.remove();
  }
}, 60_000);

test("A page without a mistake has no line in its console and loads no texts for the developer.", async () => {
  const loaded: string[] = [];
  const { page, said } = await open({ attributes: `${GIVEN} class="url" data-token="1" id="toast" toasts` });
  page.on("request", (request) => loaded.push(request.url()));
  const connected = () => document.querySelector("tidings-inbox")?.client?.status === "connected";
  await page.waitForFunction(connected);
  await page.locator(".bell").click();
  await page.locator(".tab").first().waitFor();
  expect(said).toEqual([]);
  expect(loaded.filter((url) => url.includes("advice"))).toEqual([]);
});

/** A page whose user can log out, with something to show to a visitor. */
async function visitor(token: Answer): Promise<Page> {
  const { page } = await open({ token });
  await page.evaluate(() => {
    const link = document.createElement("a");
    link.slot = "signed-out";
    link.textContent = "Log in";
    document.querySelector("tidings-inbox")?.append(link);
  });
  return page;
}

test.each([
  ["401", json({}, 401)],
  ["403", json({}, 403)],
  ["a redirect to the login page", toLogin as Answer],
  ["the login page", text("<!doctype html><h1>Log in", "text/html")],
])("A visitor who is not logged in sees the slot for that and no bell: %s.", async (_, token) => {
  let asked = 0;
  const page = await visitor((response) => {
    asked += 1;
    return token(response);
  });
  await page.locator("tidings-inbox[signed-out]").waitFor();
  expect(await page.locator(".bell").isVisible()).toBe(false);
  expect(await page.locator("[slot=signed-out]").isVisible()).toBe(true);
  await page.waitForTimeout(1_500);
  expect(asked).toBe(1);
});

test("After a logout the bell and the list of the last user are gone, and the next user has both again.", async () => {
  const users = [application.user(), application.user()] as const;
  await application.send(users[0], "For the first");
  await application.send(users[1], "For the second");
  let current = 0;
  const page = await visitor(async (response) =>
    json(await application.token(users[current] as string))(response),
  );
  await page.locator(".bell").click();
  await page.locator(".item .title", { hasText: "For the first" }).waitFor();

  await page.evaluate(() => document.querySelector("tidings-inbox")?.client?.logout());
  await page.locator("tidings-inbox[signed-out]").waitFor();
  expect(await page.locator(".panel, .bell").filter({ visible: true }).count()).toBe(0);
  expect(await page.locator(".item").count()).toBe(0);

  current = 1;
  await page.evaluate(() => document.querySelector("tidings-inbox")?.client?.connect());
  await page.locator("tidings-inbox:not([signed-out])").waitFor();
  await page.locator(".bell").click();
  await expect.poll(() => page.locator(".item .title").allTextContents()).toEqual(["For the second"]);
});

test("A token as plain text connects, with and without the type of its content.", async () => {
  const { page, said } = await open({
    token: async (response) => text(`${(await application.token(user)).token}\n`, "text/plain")(response),
    attributes: `${GIVEN} realtime-url="${ready.realtime}"`,
  });
  await page.waitForFunction(() => document.querySelector("tidings-inbox")?.client?.status === "connected");
  expect(said).toEqual([]);
});
