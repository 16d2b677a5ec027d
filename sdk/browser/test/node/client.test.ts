import { describe, expect, inject, test } from "vitest";
import { WebSocket } from "ws";
import { CLOCK } from "../../src/client/clock.js";
import type { ResumeStorage, SocketConstructor } from "../../src/client/index.js";
import { Clients, client, Recorder, reaches } from "../support/client.js";
import { Application, Server } from "../support/server.js";
import { Kept } from "../support/storage.js";

const application = new Application(inject("ready"));
const clients = new Clients(application);

describe("notifications", () => {
  test("arrive on a connected client, and count", async () => {
    const user = application.user();
    const tidings = clients.connect(user);
    const arrivals = new Recorder(tidings, "notification");
    await reaches(tidings, "connected");

    const id = await application.send(user, "Hello", { category: "orders" });

    const { item, replayed } = await arrivals.find((each) => each.item.notification.id === id);
    expect(item).toMatchObject({ log: "user", position: 1, state: "unseen" });
    expect(replayed).toBe(false);
    expect(tidings.user).toBe(user);
    expect(tidings.counts).toMatchObject({ unseen: 1, unread: 1 });
  });

  test("that were missed are replayed on the next visit, each once and in order", async () => {
    const user = application.user();
    const storage = new Kept();
    const first = clients.connect(user, { storage });
    await reaches(first, "connected");
    await application.send(user, "1");
    await expect.poll(() => first.counts?.unread).toBe(1);
    await first.close();
    await application.sendMany(user, ["2", "3", "4"]);

    const second = clients.connect(user, { storage });
    const arrivals = new Recorder(second, "notification");
    await application.send(user, "5");

    await arrivals.find(({ item }) => item.notification.title === "5");
    expect(arrivals.all.map(({ item }) => item.notification.title)).toEqual(["2", "3", "4", "5"]);
    expect(second.counts?.unread).toBe(5);
  });

  test("that are recalled are removed, and no longer counted", async () => {
    const user = application.user();
    const tidings = clients.connect(user);
    const recalled = new Recorder(tidings, "recalled");
    const arrivals = new Recorder(tidings, "notification");
    await reaches(tidings, "connected");
    const id = await application.send(user, "A mistake");
    await arrivals.find(({ item }) => item.notification.id === id);

    await application.request("DELETE", `/v1/notifications/${id}`);

    await recalled.find((each) => each.id === id);
    expect(tidings.counts?.unread).toBe(0);
  });

  test("are acknowledged after their arrival", async () => {
    const user = application.user();
    const tidings = clients.connect(user);
    await reaches(tidings, "connected");
    const id = await application.send(user, "Signed for");

    await expect
      .poll(() => application.request("GET", `/v1/notifications/${id}`), { timeout: 5_000 })
      .toMatchObject({ receipts: { delivered: 1 } });
  });
});

describe("a gap", () => {
  test("of another epoch asks for one reload of all lists", async () => {
    const user = application.user();
    await application.send(user, "1");
    const get = async () => ({ epoch: "before the fire", positions: { user: 90, all: 7 }, state_version: 3 });
    const storage: ResumeStorage = { get, set: async () => undefined, delete: async () => undefined };
    const tidings = clients.make(user, { storage });
    const [gaps, states] = [new Recorder(tidings, "gap"), new Recorder(tidings, "state")];
    const arrivals = new Recorder(tidings, "notification");
    tidings.connect();

    await states.find(({ reload }) => reload);
    expect(gaps.all).toMatchObject([
      { log: "user", reason: "epoch", missed: null },
      { log: "all", reason: "epoch", missed: null },
    ]);
    expect(states.all).toHaveLength(1);
    await application.send(user, "2");
    await arrivals.find(({ item }) => item.notification.title === "2");
  });
});

describe("pages", () => {
  test("continue by cursor, newest first, and match the connection without a hole", async () => {
    const user = application.user();
    await application.sendMany(user, ["1", "2", "3"]);
    const tidings = clients.connect(user);
    await expect.poll(async () => (await tidings.list()).items.length).toBe(3);

    const newest = await tidings.list({ limit: 2 });
    const oldest = await tidings.list({ limit: 2, cursor: newest.next ?? "" });

    const titles = [...newest.items, ...oldest.items].map((item) => item.notification.title);
    expect(titles).toEqual(["3", "2", "1"]);
    expect(oldest.next).toBeNull();
    expect(tidings.counts).toMatchObject({ unseen: 3, unread: 3 });
  });

  test("from before the first connection are reloaded if a notification was sent in between", async () => {
    const user = application.user();
    const tidings = clients.make(user);
    const states = new Recorder(tidings, "state");
    await tidings.list();
    const id = await application.send(user, "Between");
    await expect
      .poll(() => application.request("GET", `/v1/notifications/${id}`))
      .toMatchObject({ status: "stored" });

    tidings.connect();

    await states.find(({ reload }) => reload);
    expect((await tidings.list()).items).toHaveLength(1);
  });

  test("that fail throw an error with the reason", async () => {
    const tidings = clients.connect(application.user());

    await expect(tidings.list({ cursor: "none of ours" })).rejects.toMatchObject({
      name: "TidingsError",
      code: "invalid_cursor",
      status: 400,
    });
  });
});

describe("a reconnect", () => {
  test("after a restart of the server replays everything that was sent in between", async () => {
    const server = new Server();
    const own = new Application(await server.start());
    try {
      const user = own.user();
      const tidings = clients.connect(user, {}, own);
      const arrivals = new Recorder(tidings, "notification");
      const changes = new Recorder(tidings, "status");
      await reaches(tidings, "connected");
      await own.send(user, "before");
      await arrivals.find(({ item }) => item.notification.title === "before");
      await server.stop();
      await changes.find(({ status }) => status === "offline");

      await server.start();
      await own.sendMany(user, ["meanwhile 1", "meanwhile 2"]);
      await reaches(tidings, "connected");
      await own.send(user, "after");

      await arrivals.find(({ item }) => item.notification.title === "after");
      const titles = arrivals.all.map(({ item }) => item.notification.title);
      expect(titles).toEqual(["before", "meanwhile 1", "meanwhile 2", "after"]);
    } finally {
      await clients.close();
      await server.remove();
    }
  }, 60_000);

  test("is not needed when a token is refreshed before it expires", async () => {
    const user = application.user();
    const lives = [56, 3_600];
    const sent: string[] = [];
    class Watched extends WebSocket {
      override send(text: string): void {
        sent.push(JSON.parse(text).type);
        super.send(text);
      }
    }
    const tidings = clients.connect(user, {
      token: () => application.token(user, lives.shift()),
      webSocket: Watched as unknown as SocketConstructor,
      clock: { ...CLOCK, random: () => 0 },
    });
    const changes = new Recorder(tidings, "status");

    await expect.poll(() => sent, { timeout: 18_000 }).toContain("refresh");
    expect(sent.filter((type) => type === "connect")).toHaveLength(1);
    expect(changes.all.map(({ status }) => status)).toEqual(["connected"]);
    expect(lives).toEqual([]);
  });

  test("uses a new token if the old one expired while offline, also by REST", async () => {
    const user = application.user();
    const expired = () => {
      const tokens = [application.expiredToken(user)];
      return async () => tokens.shift() ?? application.token(user);
    };
    const tidings = clients.connect(user, { token: expired(), realtimeUrl: inject("ready").realtime });
    const changes = new Recorder(tidings, "status");

    await reaches(tidings, "connected");
    expect(changes.all).toContainEqual(expect.objectContaining({ status: "offline", code: 4200 }));
    expect((await client(application, user, { token: expired() }).list()).items).toEqual([]);
  });

  test("does not happen if the server refuses the user for good", async () => {
    const user = application.user();
    const tidings = clients.connect(user);
    const changes = new Recorder(tidings, "status");
    await reaches(tidings, "connected");

    await application.request("DELETE", `/v1/users/${user}/connections`);

    expect(await changes.find(({ status }) => status === "stopped")).toMatchObject({ code: 4005 });
    await expect.poll(() => application.connections(user)).toBe(0);
  });

  test("does not happen if no user is logged in", async () => {
    const tidings = clients.connect(application.user(), {
      token: async () => new Response(null, { status: 401 }),
    });

    await reaches(tidings, "stopped");
  });

  test("happens after a failure of the token endpoint", async () => {
    const user = application.user();
    let calls = 0;
    const tidings = clients.connect(user, {
      token: async () => (++calls === 1 ? new Response(null, { status: 502 }) : application.token(user)),
    });
    const changes = new Recorder(tidings, "status");

    await reaches(tidings, "connected");
    expect(changes.all.map(({ status }) => status)).toContain("offline");
  });
});
