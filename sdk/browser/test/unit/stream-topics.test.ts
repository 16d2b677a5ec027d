import { expect, test } from "vitest";
import { blocks } from "../../src/client/blocks.js";
import { StreamTopics } from "../../src/client/stream-topics.js";
import type { ServerFrame } from "../../src/protocol.js";

const LOG = "topic:a";
const subscribed = (topic: string, position: number) =>
  ({ type: "subscribed", topic, log: `topic:${topic}`, position }) as ServerFrame;
const delivered = (position: number) => ({ type: "notification", log: LOG, position }) as ServerFrame;

test("topics that start at different places are asked for by one stream after the other", () => {
  const topics = new StreamTopics();
  topics.send({ type: "subscribe", topic: "a", ref: 1 });
  topics.send({ type: "subscribe", topic: "b", rewind: 5, ref: 2 });
  topics.send({ type: "subscribe", topic: "c", after: 7, ref: 3 });
  expect(topics.ask()).toEqual({ topics: ["a", "c"], rewind: undefined, positions: { "topic:c": 7 } });
  expect(topics.receive(subscribed("a", 3))).toMatchObject([{ topic: "a", ref: 1 }]);
  expect(topics.waits).toBe(false);
  expect(topics.receive(subscribed("c", 7))).toMatchObject([{ topic: "c", ref: 3 }]);
  expect(topics.waits).toBe(true);
  expect(topics.ask()).toEqual({
    topics: ["a", "b", "c"],
    rewind: 5,
    positions: { "topic:a": 3, "topic:c": 7 },
  });
  topics.receive(subscribed("b", 1));
  expect(topics.waits).toBe(false);
});

test("a topic that is ended and requested again gets no position from the old stream", () => {
  const topics = new StreamTopics();
  topics.send({ type: "subscribe", topic: "a", ref: 1 });
  topics.ask();
  topics.receive(subscribed("a", 3));
  topics.receive(delivered(4));
  // A second subscription starts at once where the stream is.
  expect(topics.send({ type: "subscribe", topic: "a", after: 0, ref: 2 })).toMatchObject([
    { position: 4, ref: 2 },
  ]);
  expect(topics.send({ type: "unsubscribe", topic: "a" })).toMatchObject([{ type: "unsubscribed" }]);
  topics.send({ type: "subscribe", topic: "a", after: 0, ref: 3 });
  topics.receive(delivered(5));
  topics.receive({ type: "caught_up", positions: { [LOG]: 5 } } as ServerFrame);
  expect(topics.receive(subscribed("a", 5))).toEqual([]);
  expect(topics.ask().positions).toEqual({ [LOG]: 0 });
  expect(topics.receive(subscribed("a", 0))).toMatchObject([{ ref: 3 }]);
  topics.receive(delivered(1));
  expect(topics.ask().positions).toEqual({ [LOG]: 1 });
});

test("requests without an answer are answered by the start of a later one", () => {
  const topics = new StreamTopics();
  topics.send({ type: "subscribe", topic: "a", ref: 1 });
  topics.ask();
  expect(topics.send({ type: "unsubscribe", topic: "a" })).toEqual([]);
  topics.send({ type: "subscribe", topic: "a", rewind: 2, ref: 2 });
  expect(topics.receive(subscribed("a", 9))).toEqual([]);
  expect(topics.ask()).toMatchObject({ topics: ["a"], rewind: 2 });
  expect(topics.receive(subscribed("a", 7))).toMatchObject([{ ref: 1 }, { ref: 2 }]);
});

test("a refused topic is an answer to each of its requests, and is asked for no more", () => {
  const topics = new StreamTopics();
  for (const ref of [1, 2]) topics.send({ type: "subscribe", topic: "a", ref });
  topics.ask();
  const refused = { type: "error", code: "forbidden_topic", detail: "", ref: LOG } as ServerFrame;
  expect(topics.receive(refused)).toMatchObject([{ ref: 1 }, { ref: 2 }]);
  expect(topics.ask().topics).toEqual([]);
});

test("events are the same for every slicing of the bytes", async () => {
  const text =
    'retry: 3000\n\nid: 1\nevent: welcome\ndata: {"a":"\u00e9\u2028"}\n\n:\n\nevent: close\ndata: x\ndata: y\n\n';
  const bytes = new TextEncoder().encode(text);
  for (let size = 1; size <= bytes.length; size += 3) {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
        controller.close();
      },
    });
    let chunks = 0;
    const found = [];
    for await (const block of blocks(body, () => chunks++)) found.push(block);
    expect(found).toEqual([
      { event: "welcome", data: '{"a":"\u00e9\u2028"}' },
      { event: "close", data: "x\ny" },
    ]);
    expect(chunks).toBe(Math.ceil(bytes.length / size));
  }
});
