import { describe, expect, inject, test } from "vitest";
import { Clients, Recorder, reaches } from "../support/client.js";
import { Application } from "../support/server.js";

const application = new Application(inject("ready"));
const clients = new Clients(application);
const actions = [
  { id: "approve", label: "Approve" },
  { id: "reject", label: "Reject" },
];

describe("an action", () => {
  test("is used once, shows on another device, and stays in lists and arrivals", async () => {
    const user = application.user();
    const [here, there] = [clients.connect(user), clients.connect(user)];
    const elsewhere = new Recorder(there, "state");
    const arrivals = [new Recorder(here, "notification"), new Recorder(there, "notification")];
    await Promise.all([reaches(here, "connected"), reaches(there, "connected")]);
    const id = await application.send(user, "May I?", { actions });
    const [arrival] = await Promise.all(
      arrivals.map((each) => each.find(({ item }) => item.notification.id === id)),
    );
    expect(arrival?.item.action).toBeNull();

    const used = await here.act(id, "approve");

    expect(used).toEqual({ id: "approve", at: expect.stringMatching(/Z$/) });
    const change = await elsewhere.find(({ items }) => items[0]?.action?.id === "approve");
    expect(change.items[0]).toMatchObject({ state: "unseen", action: used });
    expect(await there.act(id, "approve")).toEqual(used);
    await expect(there.act(id, "reject")).rejects.toMatchObject({
      name: "TidingsError",
      code: "action_used",
    });
    await expect(there.act(id, "maybe")).rejects.toMatchObject({ code: "unknown_action" });
    await expect(there.act("no-id", "maybe")).rejects.toMatchObject({ code: "not_found" });
    expect((await here.list()).items[0]?.action).toEqual(used);
  });

  test("of two devices at once is one, and both show it", async () => {
    const user = application.user();
    const both = [clients.connect(user), clients.connect(user)];
    const states = both.map((each) => new Recorder(each, "state"));
    await Promise.all(both.map((each) => reaches(each, "connected")));
    const id = await application.send(user, "May I?", { actions });
    await Promise.all(
      both.map((each) => expect.poll(() => each.list().then((page) => page.items.length)).toBe(1)),
    );

    const ends = await Promise.allSettled(
      both.map((each, index) => each.act(id, index ? "reject" : "approve")),
    );

    expect(ends.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const won = ends[0]?.status === "fulfilled" ? "approve" : "reject";
    await Promise.all(states.map((each) => each.find(({ items }) => items[0]?.action?.id === won)));
  });

  test("without a connection is used by REST", async () => {
    const user = application.user();
    const id = await application.send(user, "May I?", { actions });
    const tidings = clients.make(user);
    expect(await tidings.act(id, "reject")).toMatchObject({ id: "reject" });
    await expect(tidings.act(id, "approve")).rejects.toMatchObject({ code: "action_used", status: 409 });
    expect((await tidings.list()).items[0]?.action?.id).toBe("reject");
  });
});

describe("a message", () => {
  test("is answered by the application, whatever its data", async () => {
    const tidings = clients.connect(application.user());
    await reaches(tidings, "connected");
    // The upstream of `dev` echoes the data.
    for (const data of [{ text: "Hi" }, [1, null], "é😀", 0, false]) {
      expect(await tidings.message("chat", data)).toEqual(data);
    }
    await Promise.all([1, 2, 3].map(async (n) => expect(await tidings.message("chat", n)).toBe(n)));
  });

  test("that is not valid rejects with the code of the server, and the connection stays", async () => {
    const tidings = clients.connect(application.user());
    await reaches(tidings, "connected");
    await expect(tidings.message("", {})).rejects.toMatchObject({
      name: "TidingsError",
      code: "invalid_request",
    });
    expect(await tidings.message("chat", 1)).toBe(1);
  });

  test("of a client that is closed before the answer rejects", async () => {
    const tidings = clients.make(application.user());
    await expect(tidings.message("chat", 1)).rejects.toMatchObject({ code: "unanswered" });
  });
});
