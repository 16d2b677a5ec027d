import { describe, expect, inject, test } from "vitest";
import { Clients, client, Recorder, reaches } from "../support/client.js";
import { Application } from "../support/server.js";

const application = new Application(inject("ready"));
const clients = new Clients(application);

describe("marks", () => {
  test("show at once, stay, and reach another device", async () => {
    const user = application.user();
    const [here, there] = [clients.connect(user), clients.connect(user)];
    const elsewhere = new Recorder(there, "state");
    const states = new Recorder(here, "state");
    await Promise.all([reaches(here, "connected"), reaches(there, "connected")]);
    const arrivals = [new Recorder(here, "notification"), new Recorder(there, "notification")];
    const id = await application.send(user, "Read me");
    await Promise.all(arrivals.map((each) => each.find(({ item }) => item.notification.id === id)));

    const marking = here.markRead(id);

    expect(states.all).toMatchObject([{ optimistic: true, items: [{ state: "read" }] }]);
    expect(here.counts?.unread).toBe(0);
    expect(await marking).toMatchObject({ changed: 1, counts: { unread: 0 } });
    expect(states.all).toHaveLength(1);
    await elsewhere.find(({ items, optimistic }) => items[0]?.state === "read" && !optimistic);
    expect(there.counts?.unread).toBe(0);
  });

  test("of all reset the counts, and later arrivals count", async () => {
    const user = application.user();
    await application.sendMany(user, ["1", "2", "3"]);
    const tidings = clients.connect(user);
    await reaches(tidings, "connected");
    await expect.poll(() => tidings.list().then(() => tidings.counts?.unread)).toBe(3);

    const marking = tidings.mark("read", { all: true });

    expect(tidings.counts).toMatchObject({ unseen: 0, unread: 0 });
    await marking;
    await application.send(user, "4");
    await expect.poll(() => tidings.counts?.unread).toBe(1);
  });

  test("that are refused are taken back", async () => {
    const user = application.user();
    const id = await application.send(user, "Stays unread");
    const tidings = clients.connect(user);
    await reaches(tidings, "connected");
    await expect.poll(() => tidings.list().then((page) => page.items.length)).toBe(1);
    const states = new Recorder(tidings, "state");

    const refused = tidings.mark("read", { ids: [id, 7 as unknown as string] });

    expect(tidings.counts?.unread).toBe(0);
    await expect(refused).rejects.toMatchObject({ name: "TidingsError" });
    expect(tidings.counts?.unread).toBe(1);
    expect(states.all.map(({ items }) => items[0]?.state)).toEqual(["read", "unseen"]);
  });

  test("with too many ids are refused, and those above the size of a frame are sent by REST", async () => {
    const user = application.user();
    const tidings = clients.connect(user);
    const changes = new Recorder(tidings, "status");
    await reaches(tidings, "connected");
    const ids = (count: number, length: number) => Array.from({ length: count }, () => "n".repeat(length));

    await expect(tidings.mark("read", { ids: ids(2_500, 36) })).rejects.toMatchObject({
      code: "invalid_request",
    });
    const { unknown } = await tidings.mark("read", { ids: ids(1, 70_000) });
    expect(unknown).toHaveLength(1);
    expect(changes.all.map(({ status }) => status)).toEqual(["connected"]);
  });

  test("of two devices and REST at the same time never show a wrong count", async () => {
    const user = application.user();
    const [here, there] = [clients.connect(user), clients.connect(user)];
    await Promise.all([reaches(here, "connected"), reaches(there, "connected")]);
    await application.sendMany(
      user,
      Array.from({ length: 20 }, (_, n) => String(n)),
    );
    await expect.poll(() => [here.counts?.unread, there.counts?.unread]).toEqual([20, 20]);
    const ids = (await here.list()).items.map(({ notification }) => notification.id).slice(0, 10);
    const counts = new Recorder(here, "counts");

    await Promise.all([
      ...ids.map((id) => there.markRead(id)),
      application.request("POST", `/v1/users/${user}/notifications/mark`, { ids, state: "read" }),
      ...ids.map((id) => here.markRead(id)),
    ]);

    await expect.poll(() => there.counts?.unread).toBe(10);
    const shown = counts.all.map(({ unread }) => unread);
    expect(shown).toEqual([...shown].sort((one, other) => other - one));
    expect(shown.at(-1)).toBe(10);
  });

  test("are sent by REST while there is no connection", async () => {
    const user = application.user();
    const id = await application.send(user, "Read on the train");
    const tidings = client(application, user);
    await expect.poll(() => tidings.list().then((page) => page.items.length)).toBe(1);

    expect(await tidings.markRead(id)).toMatchObject({ changed: 1, counts: { unread: 0 } });
    expect(tidings.counts?.unread).toBe(0);
    await tidings.close();
  });
});
