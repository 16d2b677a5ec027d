import { describe, expect, inject, test } from "vitest";
import { Clients, Recorder, reaches } from "../support/client.js";
import { Application } from "../support/server.js";

const application = new Application(inject("ready"));
const clients = new Clients(application);

const soon = (milliseconds: number) => new Date(Date.now() + milliseconds);

describe("a snooze", () => {
  test("shows at once, reaches another device, and returns as unseen on both", async () => {
    const user = application.user();
    const [here, there] = [clients.connect(user), clients.connect(user)];
    const states = new Recorder(here, "state");
    const elsewhere = new Recorder(there, "state");
    await Promise.all([reaches(here, "connected"), reaches(there, "connected")]);
    const arrivals = [new Recorder(here, "notification"), new Recorder(there, "notification")];
    const id = await application.send(user, "Later");
    await Promise.all(arrivals.map((each) => each.find(({ item }) => item.notification.id === id)));
    await here.markRead(id);
    await elsewhere.find(({ items }) => items[0]?.state === "read");
    const until = soon(1_500);

    const snoozing = here.snooze([id], until);

    const hidden = { items: [{ snoozed_until: until.toISOString(), state: "read" }] };
    expect(states.all.at(-1)).toMatchObject({ optimistic: true, ...hidden });
    expect(await snoozing).toMatchObject({ changed: 1, counts: { unread: 0 } });
    await elsewhere.find(({ items }) => items[0]?.snoozed_until === until.toISOString());
    expect((await there.list()).items).toEqual([]);
    expect((await there.list({ state: "snoozed" })).items).toMatchObject(hidden.items);
    for (const each of [states, elsewhere])
      await each.find(({ items }) => items[0]?.snoozed_until === null && items[0].state === "unseen");
    expect([here.counts?.unseen, there.counts?.unseen]).toEqual([1, 1]);
    expect((await here.list()).items).toMatchObject([{ state: "unseen", snoozed_until: null }]);
  });

  test("that the user ends leaves the notification as it was", async () => {
    const user = application.user();
    const tidings = clients.connect(user);
    await reaches(tidings, "connected");
    const id = await application.send(user, "Later");
    await expect.poll(() => tidings.list().then(({ items }) => items.length)).toBe(1);
    await tidings.markRead(id);
    await tidings.snooze([id], soon(3_600_000));
    expect(await tidings.snooze([id], null)).toMatchObject({ changed: 1 });
    expect((await tidings.list()).items).toMatchObject([{ state: "read", snoozed_until: null }]);
  });

  test("that is refused is taken back", async () => {
    const user = application.user();
    const tidings = clients.connect(user);
    await reaches(tidings, "connected");
    const id = await application.send(user, "Stays");
    await expect.poll(() => tidings.list().then(({ items }) => items.length)).toBe(1);
    const states = new Recorder(tidings, "state");

    const refused = tidings.snooze([id], soon(-1_000));

    expect(tidings.counts?.unread).toBe(0);
    await expect(refused).rejects.toMatchObject({ code: "invalid_request", status: 422 });
    expect(tidings.counts?.unread).toBe(1);
    expect(states.all.map(({ items }) => items[0]?.snoozed_until === null)).toEqual([false, true]);
  });

  test("of a notification that this client does not have makes it list again at the return", async () => {
    const user = application.user();
    const id = await application.send(user, "Unknown here");
    const [here, there] = [clients.connect(user), clients.connect(user)];
    await Promise.all([reaches(here, "connected"), reaches(there, "connected")]);
    const states = new Recorder(there, "state");
    await here.snooze([id], soon(500));
    await states.find(({ reload }) => reload);
    expect(there.counts?.unseen).toBe(1);
  });
});
