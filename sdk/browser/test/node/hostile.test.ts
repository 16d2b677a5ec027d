import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CLOCK } from "../../src/client/clock.js";
import { type Clock, type ResumeStorage, type Tidings, TidingsError } from "../../src/client/index.js";
import { Recorder, reaches } from "../support/client.js";
import { hurried } from "../support/clock.js";
import { delivered, Gateway, token, welcome } from "../support/gateway.js";

let gateway: Gateway;
let tidings: Tidings;

beforeEach(async () => {
  gateway = new Gateway();
  await gateway.start();
});

afterEach(async () => {
  await tidings.close();
  await gateway.stop();
});

/** Returns a token source that uses one of these per request, and then the last one for all further requests. */
function tokens(...sources: (() => Promise<never | string | Response>)[]) {
  return () => (sources.length > 1 ? sources.shift() : sources[0])?.() ?? Promise.reject();
}

describe("a token source", () => {
  test("that never answers is called again", async () => {
    const never = () => new Promise<never>(() => undefined);
    tidings = gateway.client({ clock: hurried(10), token: tokens(never, async () => token()) });
    const changes = new Recorder(tidings, "status");
    tidings.connect();

    await reaches(tidings, "connected");
    const { error } = await changes.find(({ status }) => status === "offline");
    expect(error).toMatchObject({ code: "no_token" });
  });

  test("whose answer never ends is called again", async () => {
    const endless = async () => new Response(new ReadableStream());
    tidings = gateway.client({ clock: hurried(10), token: tokens(endless, async () => token()) });
    tidings.connect();

    await reaches(tidings, "connected");
  });

  test.each([
    ["a page to log in on", () => new Response("<!doctype html><title>Log in</title>")],
    ["an object without a token", () => Response.json({ error: "try later" })],
    ["an empty token", () => Response.json({ token: "" })],
    ["a number", () => Response.json(5)],
    ["no content", () => new Response(null, { status: 204 })],
    ["a 500", () => new Response(null, { status: 500 })],
  ])("that answers %s is called again, and nothing is sent to the server", async (_, answer) => {
    tidings = gateway.client({
      clock: hurried(10),
      token: tokens(
        async () => answer(),
        async () => token(),
      ),
    });
    tidings.connect();

    await reaches(tidings, "connected");
    expect(gateway.handshakes).toBe(1);
    await expect.poll(() => gateway.peers[0]?.received[0]?.["token"]).toMatch(/^head\./);
  });
});

describe("a storage", () => {
  const refusal = () => {
    throw new DOMException("no site data", "SecurityError");
  };

  test.each([
    ["never answers", () => new Promise<never>(() => undefined)],
    ["refuses", async () => refusal()],
    ["refuses at once", refusal],
  ])("that %s does not prevent a connection and a logout", async (_, answer) => {
    const storage: ResumeStorage = { get: answer, set: answer, delete: answer };
    tidings = gateway.client({ clock: hurried(10), storage });
    tidings.connect();

    await reaches(tidings, "connected");
    await tidings.logout();
    expect(tidings.status).toBe("stopped");
  });
});

describe("a server", () => {
  test("that accepts and never sends a welcome is dropped, and the client reconnects", async () => {
    gateway.serve = () => {
      gateway.serve = (peer) => peer.send(welcome());
    };
    tidings = gateway.client({ clock: hurried(10) });
    tidings.connect();

    await reaches(tidings, "connected");
    expect(gateway.handshakes).toBe(2);
  });

  test.each([
    ["no JSON", "{"],
    ["JSON that is not a frame", "null"],
    ["a binary frame", Buffer.from([1, 2, 3])],
    ["a notification of nothing", { type: "notification" }],
  ])("that sends %s is dropped, and the client reconnects", async (_, garbage) => {
    gateway.serve = (peer) => {
      peer.send(welcome(), garbage);
      gateway.serve = (next) => next.send(welcome(), delivered(1));
    };
    tidings = gateway.client({ clock: hurried(10) });
    const arrivals = new Recorder(tidings, "notification");
    tidings.connect();

    await arrivals.find(() => true);
    expect(gateway.handshakes).toBe(2);
  });

  test("of a later version is understood as far as the client knows its frames", async () => {
    gateway.serve = (peer) =>
      peer.send(
        { type: "greeting", of: "tomorrow" },
        { ...welcome(), mood: "good" },
        { type: "poke", log: "user", position: 7 },
        delivered(1, { colour: "red" }),
        {
          type: "state",
          state_version: 1,
          counts: { unseen: 1, unread: 1, version: 1 },
          changes: [],
          why: [],
        },
      );
    tidings = gateway.client();
    const arrivals = new Recorder(tidings, "notification");
    tidings.connect();

    await arrivals.find(({ item }) => item.position === 1);
    await expect.poll(() => tidings.counts?.unread).toBe(1);
    expect(tidings.status).toBe("connected");
    expect(gateway.handshakes).toBe(1);
  });

  test.each([403, 503, 404])(
    "that answers the handshake with %i is retried with growing waits",
    async (status) => {
      gateway.refuse = status;
      tidings = gateway.client({ clock: { ...hurried(200), random: () => 1 } });
      const changes = new Recorder(tidings, "status");
      tidings.connect();

      await expect.poll(() => gateway.handshakes).toBeGreaterThan(7);
      const waits = changes.all.flatMap(({ retryIn }) => retryIn ?? []);
      expect(waits.slice(0, 7)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    },
  );

  test.each([4001, 4002, 4007])("that ends a connection with %i gets another token, once", async (code) => {
    let made = 0;
    gateway.serve = (peer) => {
      peer.send(welcome());
      gateway.serve = (next) => next.close(code);
      setTimeout(() => peer.close(code), 20);
    };
    tidings = gateway.client({ token: async () => token("ana", 3_600 + made++) });
    tidings.connect();

    await reaches(tidings, "stopped");
    expect(gateway.peers.map(({ received }) => received[0]?.["token"])).toHaveLength(2);
    expect(made).toBe(2);
  });

  test.each([4001, 4002, 4007])(
    "that ends a connection with %i does not get the same token again",
    async (code) => {
      const same = token();
      gateway.serve = (peer) => {
        peer.send(welcome());
        setTimeout(() => peer.close(code), 20);
      };
      tidings = gateway.client({ token: async () => same });
      const changes = new Recorder(tidings, "status");
      tidings.connect();

      expect(await changes.find(({ status }) => status === "stopped")).toMatchObject({ code });
      expect(gateway.handshakes).toBe(1);
    },
  );

  test.each([1000, 1003, 1007, 1009, 4000, 4003, 4004, 4005, 4006])(
    "that ends a connection with %i is not retried",
    async (code) => {
      gateway.serve = (peer) => {
        peer.send(welcome());
        setTimeout(() => peer.close(code), 20);
      };
      tidings = gateway.client();
      const changes = new Recorder(tidings, "status");
      tidings.connect();

      expect(await changes.find(({ status }) => status === "stopped")).toMatchObject({ code });
      expect(gateway.handshakes).toBe(1);
    },
  );
});

describe("another user who logs in", () => {
  test("does not get the token that was requested for the previous user", async () => {
    let answer: (token: string) => void = () => undefined;
    const slow = () => new Promise<string>((resolve) => (answer = resolve));
    // Another call makes another token, if a second ends in between.
    const bobs = token("bob");
    tidings = gateway.client({ token: tokens(slow, async () => bobs) });
    gateway.serve = (peer) => peer.send(welcome({ user: "bob" }));
    tidings.connect();
    await tidings.logout();

    tidings.connect();
    answer(token("ana"));

    await reaches(tidings, "connected");
    await expect.poll(() => gateway.peers[0]?.received[0]).toMatchObject({ token: bobs });
  });
});

test("a late page of the previous user changes nothing for the new user", async () => {
  let answer: () => void = () => undefined;
  const api = createServer((_, response) => {
    answer = () => response.end(JSON.stringify(page));
  });
  await once(api.listen(0, "127.0.0.1"), "listening");
  const counts = { unseen: 9, unread: 9, version: 90 };
  const page = {
    items: [],
    next: null,
    previous: null,
    counts,
    epoch: "e1",
    positions: {},
    state_version: 90,
  };
  const users = ["ana", "bob"];
  tidings = gateway.client({
    url: `http://127.0.0.1:${(api.address() as AddressInfo).port}`,
    token: async () => token(users.length > 1 ? users.shift() : users[0]),
  });
  tidings.connect();
  await reaches(tidings, "connected");
  const listing = tidings.list();
  await once(api, "request");
  await tidings.logout();
  tidings.connect();
  await reaches(tidings, "connected");

  answer();
  await listing;

  expect(tidings.counts).toMatchObject({ unseen: 0, unread: 0 });
  api.closeAllConnections();
  api.close();
});

describe("a request that the API never answers", () => {
  let api: HttpServer;
  let given: Promise<unknown>;
  const begin = async (clock: Clock) => {
    api = createServer((request, response) => {
      // Headers without an end of the body are not an answer.
      if (request.url?.includes("limit=2")) response.writeHead(200).flushHeaders();
    });
    await once(api.listen(0, "127.0.0.1"), "listening");
    given = once(api, "request").then(([, response]) => once(response, "close"));
    const url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
    tidings = gateway.client({ clock, url });
  };
  afterEach(() => {
    api.closeAllConnections();
    api.close();
  });

  test.each([1, 2])("times out: a request for a list (limit %i) is aborted", async (limit) => {
    await begin(hurried(100));

    await expect(tidings.list({ limit })).rejects.toMatchObject({ code: "no_answer" });
    await given;
  });

  test("times out: a mark fails", async () => {
    await begin(hurried(400));

    await expect(tidings.markRead("n1")).rejects.toMatchObject({ code: "no_answer" });
    await given;
  });

  test.each([1, 2])("is aborted at once by the application's signal (limit %i)", async (limit) => {
    await begin(CLOCK);
    const stop = new AbortController();
    const listing = expect(tidings.list({ limit, signal: stop.signal })).rejects.toBe("enough");
    await once(api, "request");

    stop.abort("enough");

    await listing;
    await given;
  });
});

test("a list from before the first connection is used by the connection", async () => {
  const item = {
    ...{ log: "user", position: 1, state: "unseen", seen_at: null, read_at: null, archived_at: null },
    notification: { id: "n1", priority: "normal", created_at: "2026-11-22T07:00:00.000Z" },
  };
  const counts = { unseen: 1, unread: 1, version: 1 };
  const page = { items: [item], next: null, previous: null, counts, epoch: "e1", positions: { user: 1 } };
  const api = createServer((_, response) => response.end(JSON.stringify({ ...page, state_version: 0 })));
  await once(api.listen(0, "127.0.0.1"), "listening");
  gateway.serve = (peer) => peer.send(welcome({ positions: { user: 1, all: 0 }, counts }));
  tidings = gateway.client({ url: `http://127.0.0.1:${(api.address() as AddressInfo).port}` });
  await tidings.list();
  tidings.connect();
  await reaches(tidings, "connected");

  tidings.markRead("n1").catch(() => undefined);

  expect(tidings.counts?.unread).toBe(0);
  api.closeAllConnections();
  api.close();
});

test("a failed mark throws an error with a code", async () => {
  gateway.serve = (peer) => peer.send(welcome());
  tidings = gateway.client();
  tidings.connect();
  await reaches(tidings, "connected");

  const refused = expect(tidings.markRead("n1")).rejects.toBeInstanceOf(TidingsError);
  await tidings.close();

  await refused;
});
