import { readFileSync } from "node:fs";
import { EventSource, type EventSourceFetchInit } from "eventsource";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { Application, Server } from "../support/server.js";

const ready = inject("ready");
const application = new Application(ready);

const streamUrl = (realtime: string) =>
  realtime.replace("ws://", "http://").replace("/v1/realtime", "/v1/realtime/events");

/** A page's list of what it got, by EventSource. */
class Page {
  readonly titles: string[] = [];
  readonly closes: { code: number; reason: string }[] = [];
  readonly welcomes: string[] = [];
  readonly source: EventSource;
  lastId = "";

  constructor(url: string, token?: string) {
    const withToken = (input: string | URL, init: EventSourceFetchInit) =>
      fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } });
    this.source = new EventSource(url, token ? { fetch: withToken } : {});
    this.source.addEventListener("welcome", (event) => {
      this.welcomes.push((JSON.parse(event.data) as { resume: string }).resume);
    });
    this.source.addEventListener("notification", (event) => {
      this.lastId = event.lastEventId;
      this.titles.push((JSON.parse(event.data) as { notification: { title: string } }).notification.title);
    });
    this.source.addEventListener("close", (event) => {
      this.closes.push(JSON.parse(event.data) as { code: number; reason: string });
    });
  }
}

async function ticket(api: string, token: string): Promise<string> {
  const answer = await fetch(`${api}/v1/realtime/tickets`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: "{}",
  });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { ticket: string }).ticket;
}

describe("EventSource", () => {
  test("gets the inbox by a ticket, and continues with a new ticket after its last id", async () => {
    const user = application.user();
    const { token } = await application.token(user);
    const url = streamUrl(ready.realtime);
    const first = new Page(`${url}?ticket=${await ticket(ready.api, token)}`);
    await expect.poll(() => first.welcomes).toEqual(["none"]);
    await application.sendMany(user, ["1", "2", "3 \u2028 \u00e9"]);
    await expect.poll(() => first.titles).toEqual(["1", "2", "3 \u2028 \u00e9"]);
    first.source.close();
    await application.sendMany(user, ["4", "5"]);
    const query = new URLSearchParams({
      ticket: await ticket(ready.api, token),
      last_event_id: first.lastId,
    });
    const second = new Page(`${url}?${query}`);
    await expect.poll(() => second.titles).toEqual(["4", "5"]);
    expect(second.welcomes).toEqual(["complete"]);
    second.source.close();
  });

  test("gives up after a wrong token, and gets the status", async () => {
    const page = new Page(streamUrl(ready.realtime), "wrong");
    const code = await new Promise((resolve) => {
      page.source.onerror = (event) => resolve(event.code);
    });
    expect(code).toBe(401);
    expect(page.source.readyState).toBe(page.source.CLOSED);
  });

  test("gets 4005 when the application disconnects the user", async () => {
    const user = application.user();
    const { token } = await application.token(user);
    const page = new Page(streamUrl(ready.realtime), token);
    await expect.poll(() => page.welcomes.length).toBe(1);
    await application.request("DELETE", `/v1/users/${user}/connections`);
    await expect.poll(() => page.closes.map(({ code }) => code)).toEqual([4005]);
    await expect.poll(() => page.source.readyState).toBe(page.source.CONNECTING);
    expect(await application.connections(user)).toBe(0);
    page.source.close();
  });
});

describe("the example of docs/sse.md", () => {
  const server = new Server();
  beforeAll(() => server.start());
  afterAll(() => server.remove());

  test("shows each notification once, also after a restart", async () => {
    const at = (await server.ready) as typeof ready;
    const document = readFileSync(new URL("../../../../docs/sse.md", import.meta.url), "utf8");
    const code = (/```js\n([\s\S]*?)```/.exec(document) as RegExpExecArray)[1] as string;
    const here = code
      .replace("http://127.0.0.1:8000", at.api)
      .replace("http://127.0.0.1:8001/v1/realtime/events", streamUrl(at.realtime));
    const titles: string[] = [];
    const opened: EventSource[] = [];
    class Counted extends EventSource {
      constructor(url: string) {
        super(url);
        opened.push(this);
      }
    }
    const listen = new Function("EventSource", "show", `${here}; return listen`)(
      Counted,
      ({ title }: { title: string }) => titles.push(title),
    ) as (token: string) => Promise<void>;
    const own = new Application(at);
    const user = own.user();
    await listen((await own.token(user)).token);
    await expect.poll(() => own.connections(user)).toBe(1);
    await own.sendMany(user, ["1", "2"]);
    await expect.poll(() => titles).toEqual(["1", "2"]);
    await server.stop();
    await server.start();
    await own.sendMany(user, ["3"]);
    await expect.poll(() => titles, { timeout: 30_000 }).toEqual(["1", "2", "3"]);
    for (const source of opened) source.close();
  }, 60_000);
});

describe("a server that restarts", () => {
  const server = new Server();
  beforeAll(() => server.start());
  afterAll(() => server.remove());

  test("loses and repeats nothing: EventSource reconnects with its last id", async () => {
    const own = new Application((await server.ready) as typeof ready);
    const user = own.user();
    const { token } = await own.token(user);
    const page = new Page(streamUrl((server.ready as typeof ready).realtime), token);
    await expect.poll(() => page.welcomes).toEqual(["none"]);
    await own.sendMany(user, ["1", "2"]);
    await expect.poll(() => page.titles.length).toBe(2);
    await server.stop();
    await server.start();
    await own.sendMany(user, ["3", "4"]);
    await expect.poll(() => page.titles, { timeout: 20_000 }).toEqual(["1", "2", "3", "4"]);
    expect(page.closes.map(({ code }) => code)).toEqual([1012]);
    expect(page.welcomes).toEqual(["none", "complete"]);
    page.source.close();
  }, 60_000);
});
