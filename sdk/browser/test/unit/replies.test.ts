import { expect, test } from "vitest";
import { Emitter } from "../../src/client/emitter.js";
import { TidingsError } from "../../src/client/errors.js";
import type { Frames } from "../../src/client/link.js";
import { message } from "../../src/client/replies.js";
import type { StatusChange } from "../../src/client/types.js";
import type { ServerFrame } from "../../src/protocol.js";

const CONNECTED: StatusChange = { status: "connected", transport: "websocket" };

/** A message on a connection whose server is the test. */
function sending(now: StatusChange) {
  const events = new Emitter<Frames>();
  const sent: { ref: string; idempotency_key: string }[] = [];
  const link = {
    session: { point: () => undefined },
    send: (text: string) => void sent.push(JSON.parse(text)),
  };
  const reply = message(events, link, TidingsError, now, "chat", { text: "Hi" });
  const receive = (frame: object) => events.emit("frame", frame as ServerFrame);
  return { reply, sent, receive, change: (change: StatusChange) => events.emit("status", change) };
}

test("A message is sent again after a reconnect with the same ref and key, and gets its own reply.", async () => {
  const { reply, sent, receive, change } = sending(CONNECTED);
  change({ status: "offline" });
  change(CONNECTED);
  expect(sent).toHaveLength(2);
  expect(sent[1]).toEqual(sent[0]);
  expect(sent[0]).toMatchObject({ type: "message", event: "chat", data: { text: "Hi" } });
  expect(sent[0]?.idempotency_key).toBe(sent[0]?.ref);
  receive({ type: "reply", ref: "another", data: 1 });
  receive({ type: "reply", ref: sent[0]?.ref, data: { text: "Hello" } });
  expect(await reply).toEqual({ text: "Hello" });
  change(CONNECTED);
  expect(sent).toHaveLength(2);
});

test("A message before the connection is sent when it opens; a reply may have no data.", async () => {
  const { reply, sent, receive, change } = sending({ status: "connecting" });
  expect(sent).toEqual([]);
  change(CONNECTED);
  receive({ type: "reply", ref: sent[0]?.ref });
  expect(await reply).toBeUndefined();
});

test("An error of the server rejects with its code, and so does a client that stops or has only a stream.", async () => {
  const refused = sending(CONNECTED);
  refused.receive({ type: "error", ref: refused.sent[0]?.ref, code: "no_upstream", detail: "None" });
  await expect(refused.reply).rejects.toMatchObject({
    name: "TidingsError",
    code: "no_upstream",
    message: "None",
  });

  const streaming = sending({ status: "connected", transport: "sse" });
  await expect(streaming.reply).rejects.toMatchObject({ code: "no_websocket" });
  expect(streaming.sent).toEqual([]);

  for (const status of ["idle", "stopped"] as const) {
    const stopping = sending(CONNECTED);
    stopping.change({ status });
    await expect(stopping.reply).rejects.toMatchObject({ code: "unanswered" });
  }
});
