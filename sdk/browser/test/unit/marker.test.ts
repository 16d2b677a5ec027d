import { describe, expect, test } from "vitest";
import { TidingsError } from "../../src/client/errors.js";
import { Marker } from "../../src/client/marker.js";
import type { StatusChange } from "../../src/client/types.js";
import { ManualClock } from "../support/clock.js";

const COUNTS = { unseen: 0, unread: 0, version: 1 };
const READ = { state: "read", ids: ["n1"] } as const;

function marking(connected = true) {
  let change: StatusChange = connected ? { status: "connected", transport: "websocket" } : { status: "idle" };
  const clock = new ManualClock();
  const sent: string[] = [];
  const answers: (() => Promise<never>)[] = [];
  const marker = new Marker({
    clock,
    now: () => change,
    send: (frame) => sent.push(frame),
    post: () => answers.shift()?.() ?? Promise.resolve({ changed: 1, counts: COUNTS }),
  });
  const become = (next: StatusChange) => {
    change = next;
  };
  return { clock, sent, answers, marker, become };
}

const stated = (more: object) => ({ type: "state" as const, counts: COUNTS, state_version: 1, ...more });

describe("a mark", () => {
  test("is answered only by the state frame with its ref", async () => {
    const { marker, sent } = marking();
    const marked = marker.mark("r1", READ, 1);
    expect(JSON.parse(sent[0] ?? "")).toEqual({ type: "mark", ...READ, ref: "r1" });
    marker.answer(stated({ ref: "r2", changes: [] }));
    marker.answer(stated({ changes: [] }));
    marker.answer(stated({ ref: "r1", changes: [{}], unknown: ["n9"] }));
    expect(await marked).toEqual({ changed: 1, counts: COUNTS, unknown: ["n9"] });
  });

  test("is sent again on a new connection until it is answered", async () => {
    const { marker, sent } = marking();
    const marked = marker.mark("r1", READ, 1);
    marker.resend();
    marker.answer(stated({ ref: "r1", changes: [] }));
    marker.resend();
    expect(sent).toHaveLength(2);
    await marked;
  });

  test("fails without an answer in ten seconds", async () => {
    const { marker, clock } = marking();
    const marked = expect(marker.mark("r1", READ, 1)).rejects.toMatchObject({ code: "unanswered" });
    await clock.pass(10_000);
    await marked;
  });

  test("is sent again after a retryable error, and not after another error", async () => {
    const { marker, clock, sent } = marking();
    const marked = expect(marker.mark("r1", READ, 1)).rejects.toMatchObject({ code: "invalid_request" });
    marker.refuse({ type: "error", ref: "r1", code: "storage_unavailable", detail: "" });
    await new Promise((resolve) => setImmediate(resolve));
    await clock.pass(400);
    expect(sent).toHaveLength(2);
    marker.refuse({ type: "error", ref: "r1", code: "invalid_request", detail: "" });
    await marked;
  });

  test("by REST is sent again a few times without an answer", async () => {
    const { marker, clock, answers } = marking(false);
    const fail = () => Promise.reject(new TidingsError("no_answer", ""));
    answers.push(fail, fail, fail, fail);
    const marked = expect(marker.mark("r1", READ, 1)).rejects.toMatchObject({ code: "no_answer" });
    for (let n = 0; n < 4; n++) {
      await new Promise((resolve) => setImmediate(resolve));
      await clock.pass(4_000);
    }
    await marked;
    expect(answers).toEqual([]);
  });

  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const fail = () => Promise.reject(new TidingsError("no_answer", ""));

  test("made offline is sent after a reconnect, in the order of the marks", async () => {
    const { marker, sent, answers, become } = marking();
    become({ status: "offline" });
    answers.push(fail, fail, fail);
    const marks = ["archived", "unarchived", "read"].map((state, n) =>
      marker.mark(`r${n}`, { state: state as "read", ids: ["n1"] }, 1),
    );
    await settled();
    become({ status: "connected", transport: "websocket" });
    marker.resend();
    await settled();
    expect(sent.map((frame) => JSON.parse(frame).state)).toEqual(["archived", "unarchived", "read"]);
    for (const n of [0, 1, 2]) marker.answer(stated({ ref: `r${n}`, changes: [{}] }));
    expect(await Promise.all(marks)).toHaveLength(3);
  });

  test("made before the connection was lost waits for the next one instead of failing", async () => {
    const { marker, sent, answers, become, clock } = marking();
    const marked = marker.mark("r1", READ, 1);
    become({ status: "offline" });
    answers.push(fail);
    await clock.pass(10_000);
    become({ status: "connected", transport: "websocket" });
    marker.resend();
    await settled();
    expect(sent).toHaveLength(2);
    marker.answer(stated({ ref: "r1", changes: [{}] }));
    expect(await marked).toMatchObject({ changed: 1 });
  });

  test("made offline is tried again by REST, with one timer for all marks", async () => {
    const { marker, answers, become, clock } = marking();
    become({ status: "offline" });
    answers.push(fail, fail, fail);
    const marks = ["r1", "r2"].map((ref) => marker.mark(ref, READ, 1));
    await settled();
    expect(answers).toHaveLength(1);
    await clock.pass(30_000);
    expect(answers).toHaveLength(0);
    await clock.pass(30_000);
    expect(await Promise.all(marks)).toHaveLength(2);
  });

  test("made offline fails when the client stops, and a later one is sent by REST", async () => {
    const { marker, answers, become } = marking();
    become({ status: "offline" });
    answers.push(fail);
    const marked = expect(marker.mark("r1", READ, 1)).rejects.toMatchObject({ code: "unanswered" });
    await settled();
    become({ status: "stopped" });
    marker.end();
    await marked;
    expect(await marker.mark("r2", READ, 1)).toMatchObject({ changed: 1 });
  });
});
