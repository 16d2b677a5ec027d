import { expect, inject, test } from "vitest";
import { WebSocket } from "ws";
import type { SocketConstructor, Tidings, TopicOptions } from "../../src/client/index.js";
import { Clients, reaches } from "../support/client.js";
import { Application } from "../support/server.js";

const application = new Application(inject("ready"));
const clients = new Clients(application);

/** A subscription and everything that it got: titles, with `+` before replayed ones. */
function subscription(tidings: Tidings, topic: string, options: TopicOptions = {}) {
  const got: string[] = [];
  const end = tidings.subscribe(
    topic,
    ({ title }, { replayed }) => got.push(`${replayed ? "+" : ""}${title}`),
    options,
  );
  return { got, end };
}

const subscribers = async (topic: string) => {
  const page = await application.request("GET", `/v1/topics/${encodeURIComponent(topic)}`);
  return (page as { subscribers: number }).subscribers;
};

test("a subscription gets the later sends, in order, and the inbox does not", async () => {
  const [user, topic] = [application.user(), application.topic()];
  await application.publish(topic, "before");
  const tidings = clients.connect(user);
  const inbox: string[] = [];
  tidings.on("notification", ({ item }) => inbox.push(item.notification.id));
  const { got } = subscription(tidings, topic);
  await expect.poll(() => subscribers(topic)).toBe(1);

  const id = await application.publish(topic, "1");
  await application.publish(topic, "2");

  await expect.poll(() => got).toEqual(["1", "2"]);
  expect(inbox).toEqual([]);
  expect(tidings.counts).toMatchObject({ unseen: 0, unread: 0 });
  await expect
    .poll(() => application.request("GET", `/v1/notifications/${id}`), { timeout: 5_000 })
    .toMatchObject({ receipts: { delivered: 1 } });
});

test("a subscription starts where its options say, beside others to the same topic", async () => {
  const [user, topic] = [application.user(), application.topic()];
  for (const title of ["1", "2", "3"]) await application.publish(topic, title);
  const tidings = clients.connect(user);
  await reaches(tidings, "connected");
  const end = subscription(tidings, topic);
  await expect.poll(() => subscribers(topic)).toBe(1);
  const rewound = subscription(tidings, topic, { rewind: 2 });
  const after = subscription(tidings, topic, { after: 0 });
  await expect.poll(() => rewound.got).toEqual(["+2", "+3"]);
  await expect.poll(() => after.got).toEqual(["+1", "+2", "+3"]);

  await application.publish(topic, "4");

  await expect.poll(() => after.got).toEqual(["+1", "+2", "+3", "4"]);
  await expect.poll(() => rewound.got).toEqual(["+2", "+3", "4"]);
  await expect.poll(() => end.got).toEqual(["4"]);
});

test("after a broken connection a subscription goes on, with what it missed", async () => {
  const [user, topic] = [application.user(), application.topic()];
  const sockets: WebSocket[] = [];
  class Breakable extends WebSocket {
    constructor(...given: ConstructorParameters<typeof WebSocket>) {
      super(...given);
      sockets.push(this);
    }
  }
  const tidings = clients.connect(user, { webSocket: Breakable as unknown as SocketConstructor });
  await reaches(tidings, "connected");
  const { got } = subscription(tidings, topic, { rewind: 200 });
  await application.publish(topic, "1");
  await expect.poll(() => got.length).toBe(1);

  const lost = reaches(tidings, "offline");
  sockets.at(-1)?.terminate();
  await lost;
  await application.publish(topic, "2");
  await reaches(tidings, "connected");
  await expect.poll(() => got.slice(1)).toEqual(["+2"]);
  await application.publish(topic, "3");

  await expect.poll(() => got.slice(1)).toEqual(["+2", "3"]);
});

test("an ended subscription gets nothing more, and another one to the topic goes on", async () => {
  const [user, topic] = [application.user(), application.topic()];
  const tidings = clients.connect(user);
  const [first, second] = [subscription(tidings, topic), subscription(tidings, topic)];
  await expect.poll(() => subscribers(topic)).toBe(1);
  await application.publish(topic, "1");
  await expect.poll(() => [first.got, second.got]).toEqual([["1"], ["1"]]);

  first.end();
  await application.publish(topic, "2");

  await expect.poll(() => second.got.length).toBe(2);
  expect(first.got).toEqual(["1"]);
  second.end();
  await expect.poll(() => subscribers(topic)).toBe(0);
});

test.each([
  ["sport/1", "forbidden_topic"],
  ["news//1", "invalid_topic"],
])("a subscription to %s ends with the server's error", async (topic, code) => {
  const tidings = clients.connect(application.user());
  const error = await new Promise<Error>((onEnd) => subscription(tidings, topic, { onEnd }));

  expect(error).toMatchObject({ name: "TidingsError", code });
});

test("a recall reaches the subscription", async () => {
  const [user, topic] = [application.user(), application.topic()];
  const tidings = clients.connect(user);
  const recalled: string[] = [];
  const { got } = subscription(tidings, topic, { onRecalled: ({ id }) => recalled.push(id) });
  await expect.poll(() => subscribers(topic)).toBe(1);
  const id = await application.publish(topic, "A mistake");
  await expect.poll(() => got).toEqual(["A mistake"]);

  await application.request("DELETE", `/v1/notifications/${id}`);

  await expect.poll(() => recalled).toEqual([id]);
});
