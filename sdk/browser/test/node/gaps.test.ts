import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import type { Tidings } from "../../src/client/index.js";
import { client, Recorder, reaches } from "../support/client.js";
import { Gateway, welcome } from "../support/gateway.js";
import { Application } from "../support/server.js";
import { Kept } from "../support/storage.js";

const application = new Application(inject("ready"));
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

const gap = (log: string, missed: number | null, reason: string) => ({
  type: "gap",
  log,
  from: 1,
  to: 9,
  missed,
  reason,
});

describe("missed", () => {
  test("sums up the gaps of all logs until forgetMissed()", async () => {
    gateway.serve = (peer) => {
      const gaps = [gap("user", 7, "expired"), gap("all", 2, "trimmed")];
      peer.send(welcome({ resume: "gap" }), ...gaps, { type: "caught_up", positions: {} });
    };
    tidings = gateway.client();
    expect(tidings.missed).toBeUndefined();
    tidings.connect();

    await expect.poll(() => tidings.missed).toBe(9);
    tidings.forgetMissed();
    expect(tidings.missed).toBeUndefined();
  });

  test("is null after a gap of another epoch, whatever other gaps there are", async () => {
    gateway.serve = (peer) => {
      const gaps = [gap("user", 1, "expired"), gap("all", null, "epoch"), gap("group:g", 1, "expired")];
      peer.send(welcome({ resume: "gap" }), ...gaps, { type: "caught_up", positions: {} });
    };
    tidings = gateway.client();
    const gaps = new Recorder(tidings, "gap");
    tidings.connect();

    await gaps.find(({ log }) => log === "group:g");
    expect(tidings.missed).toBeNull();
  });

  test("does not include expired notifications, which have their own event with times and categories", async () => {
    const user = application.user();
    const storage = new Kept();
    const first = client(application, user, { storage });
    first.connect();
    await reaches(first, "connected");
    await first.close();
    await application.send(user, "Gone by then", { category: "offers", expires_in: 1 });
    const id = await application.send(user, "Still there");
    tidings = client(application, user, { storage });
    await expect.poll(async () => (await tidings.list()).items.length, { timeout: 5_000 }).toBe(1);
    const [expired, arrivals] = [new Recorder(tidings, "expired"), new Recorder(tidings, "notification")];
    tidings.connect();

    const told = await expired.find(() => true);
    expect(told).toMatchObject({ count: 1, categories: { offers: 1 } });
    expect(Date.parse(told.oldest)).toBe(Date.parse(told.newest));
    expect(arrivals.all.map(({ item }) => item.notification.id)).toEqual([id]);
    expect(tidings.missed).toBeUndefined();
  });
});
