import { expect, test } from "vitest";
import { Emitter } from "../../src/client/emitter.js";
import { TidingsError } from "../../src/client/errors.js";
import type { Frames } from "../../src/client/link.js";
import { subscribe, type TopicOptions } from "../../src/client/topics.js";
import type { ServerFrame } from "../../src/protocol.js";

const TOPIC = "news/sport";
const LOG = `topic:${TOPIC}`;

/** A subscription on a connection whose server is the test. `sent` leaves out the random `ref`. */
function subscribed(options: TopicOptions = {}) {
  const events = new Emitter<Frames>();
  const server = { epoch: "e1", sent: [] as Record<string, unknown>[], ref: "" };
  const link = {
    session: { point: () => ({ epoch: server.epoch }) },
    send: (frame: string) => {
      const { ref, ...rest } = JSON.parse(frame);
      if (ref) server.ref = ref;
      server.sent.push(rest);
    },
  };
  const got: number[] = [];
  const receive = (frame: object) => events.emit("frame", frame as ServerFrame);
  const end = subscribe(events, link, TidingsError, TOPIC, (_, { position }) => got.push(position), options);
  return {
    ...{ server, got, receive, end },
    connect: () => events.emit("status", { status: "connected" }),
    start: (position: number, ref = server.ref) =>
      receive({ type: "subscribed", topic: TOPIC, log: LOG, position, ref }),
    deliver: (position: number) => receive({ type: "notification", log: LOG, position, notification: {} }),
  };
}

test("what another subscription's start skipped is requested again", () => {
  const { server, got, receive, start, deliver } = subscribed();
  start(4);
  receive({ type: "unsubscribed", topic: TOPIC });
  start(6, "of another tab");
  deliver(7);
  start(7);
  expect(got).toEqual([]);
  expect(server.sent.slice(2)).toEqual([
    { type: "unsubscribe", topic: TOPIC },
    { type: "subscribe", topic: TOPIC, after: 4 },
  ]);
  start(4);
  for (const position of [5, 6, 7]) deliver(position);
  expect(got).toEqual([5, 6, 7]);
});

test("a start before the position needs no further request, and gives nothing twice", () => {
  const { server, got, receive, start, deliver } = subscribed();
  start(4);
  deliver(5);
  receive({ type: "unsubscribed", topic: TOPIC });
  start(2, "of another tab");
  for (const position of [3, 4, 5, 6]) deliver(position);
  start(6);
  expect(got).toEqual([5, 6]);
  expect(server.sent.length).toBe(2);
});

test("the start of another tab is not the start of this one", () => {
  const { got, start, deliver } = subscribed({ rewind: 5 });
  start(9, "of another tab");
  deliver(10);
  start(5);
  for (const position of [6, 7, 8, 9, 10]) deliver(position);
  expect(got).toEqual([6, 7, 8, 9, 10]);
});

test("a loss is reported, and what follows it arrives", () => {
  const gaps: string[] = [];
  const { server, got, receive, connect, start, deliver } = subscribed({
    onGap: ({ reason, to }) => gaps.push(`${reason} ${to}`),
  });
  start(4);
  receive({ type: "gap", log: LOG, from: 5, to: 8, missed: 2, reason: "expired" });
  deliver(9);
  server.epoch = "e2";
  connect();
  expect(server.sent.at(-1)).toEqual({ type: "subscribe", topic: TOPIC });
  start(1);
  deliver(2);
  expect(gaps).toEqual(["expired 8", "epoch 9"]);
  expect(got).toEqual([9, 2]);
});

test.each([
  [{ type: "unsubscribed", topic: TOPIC, reason: "forbidden" }, "forbidden_topic"],
  [{ type: "error", code: "too_many_topics", detail: "A connection may have 100." }, "too_many_topics"],
])("a refusal ends it, also on the next connection", (frame, code) => {
  const errors: Error[] = [];
  const { server, receive, connect } = subscribed({ onEnd: (error) => errors.push(error) });
  receive({ ref: server.ref, ...frame });
  connect();
  expect(errors).toMatchObject([{ code }]);
  expect(server.sent.length).toBe(1);
});
