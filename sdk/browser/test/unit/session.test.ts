import { describe, expect, test } from "vitest";
import { Session } from "../../src/client/session.js";
import type { Connect, InboxPage } from "../../src/protocol.js";
import { FRAME_BYTES } from "../../src/protocol.js";

const counts = (unread: number, version: number) => ({ unseen: unread, unread, version });

function welcome(more: object = {}): object {
  return {
    type: "welcome",
    connection: "c",
    user: "ana",
    epoch: "e1",
    positions: { user: 3, all: 0 },
    counts: counts(3, 3),
    heartbeat: 25,
    expires_at: "2026-11-22T08:00:00.000Z",
    resume: "none",
    state_version: 5,
    ...more,
  };
}

function delivered(position: number, more: object = {}): object {
  return { type: "notification", log: "user", position, notification: { id: `n${position}` }, ...more };
}

function stated(version: number, more: object = {}): object {
  return { type: "state", counts: counts(0, version), state_version: version, changes: [], ...more };
}

function receive(session: Session, ...frames: object[]): ReturnType<Session["receive"]>[] {
  return frames.map((frame) => session.receive(JSON.stringify(frame)));
}

function connect(session: Session): Connect {
  return JSON.parse(session.connect("token", undefined, "test")) as Connect;
}

function welcomed(): Session {
  const session = new Session();
  receive(session, welcome());
  return session;
}

describe("a session", () => {
  test("starts without a resume, and then resumes after all received frames", () => {
    const session = new Session();
    expect(connect(session)).not.toHaveProperty("resume");

    receive(session, welcome(), delivered(4), stated(6));

    expect(connect(session).resume).toEqual({
      epoch: "e1",
      positions: { user: 4, all: 0 },
      state_version: 6,
    });
  });

  test("returns each position once", () => {
    const session = welcomed();
    const told = receive(session, delivered(4), delivered(4), delivered(3), delivered(6), delivered(5));
    expect(told.map((frame) => frame?.type)).toEqual([
      "notification",
      undefined,
      undefined,
      "notification",
      undefined,
    ]);
  });

  test("counts new notifications, but not replayed ones, which the welcome's counts include", () => {
    const session = welcomed();
    receive(session, delivered(4, { replayed: true }));
    expect(session.counts).toEqual(counts(3, 3));
    receive(session, delivered(5));
    expect(session.counts).toEqual(counts(4, 4));
  });

  test("does not count a notification that the counts of a page include already", () => {
    const session = welcomed();
    session.listed({ epoch: "e1", counts: counts(4, 4), positions: { user: 4 }, state_version: 5 } as never);
    receive(session, delivered(4));
    expect(session.counts?.unread).toBe(4);
    receive(session, delivered(5));
    expect(session.counts?.unread).toBe(5);
  });

  test("keeps the counts with the higher version", () => {
    const session = welcomed();
    receive(session, stated(9, { counts: counts(1, 9) }), stated(8, { counts: counts(7, 8) }));
    expect(session.counts).toEqual(counts(1, 9));
  });

  test("reports a page that is older than a state frame", () => {
    const session = welcomed();
    const page = {
      epoch: "e1",
      counts: counts(3, 3),
      positions: {},
      state_version: 5,
    } as unknown as InboxPage;
    expect(session.listed(page)).toBe(true);
    receive(session, stated(6));
    expect(session.listed(page)).toBe(false);
  });

  test("resumes before the missed changes of state, also if a mark was answered before caught_up", () => {
    const session = welcomed();
    connect(session);
    receive(session, welcome({ resume: "complete", state_version: 9 }), stated(10));
    expect(connect(session).resume?.state_version).toBe(5);
    receive(session, { type: "caught_up", positions: { user: 3 } }, stated(9), stated(10));
    expect(connect(session).resume?.state_version).toBe(10);
  });

  test("drops its positions and counts in another epoch", () => {
    const session = welcomed();
    receive(
      session,
      welcome({ epoch: "e2", positions: { user: 1 }, counts: counts(1, 1), state_version: 0, resume: "gap" }),
      { type: "gap", log: "user", from: 0, to: 1, missed: null, reason: "epoch" },
      delivered(2),
    );
    expect(session.counts).toEqual(counts(2, 2));
    expect(connect(session).resume).toEqual({ epoch: "e2", positions: { user: 2 }, state_version: 0 });
  });

  test("continues after a gap", () => {
    const session = welcomed();
    receive(session, { type: "gap", log: "user", from: 4, to: 9, missed: 6, reason: "expired" });
    expect(connect(session).resume?.positions).toMatchObject({ user: 9 });
  });

  test("acknowledges each position once per connection", () => {
    const session = welcomed();
    session.acks();
    receive(session, delivered(4), delivered(5));
    expect(session.acks().map((ack) => JSON.parse(ack))).toEqual([{ type: "ack", positions: { user: 5 } }]);
    expect(session.acks()).toEqual([]);
    connect(session);
    expect(session.acks()).toHaveLength(1);
  });

  test("acknowledges any number of logs, in frames within the server's limit", () => {
    const session = new Session();
    const name = (n: number) => `group:${"g".repeat(120)}${n}`;
    const logs = Object.fromEntries(Array.from({ length: 450 }, (_, n) => [name(n), n + 1]));
    receive(session, welcome({ positions: logs }));
    const acks = session.acks();
    for (const ack of acks) expect(ack.length).toBeLessThanOrEqual(FRAME_BYTES);
    expect(Object.assign({}, ...acks.map((ack) => JSON.parse(ack).positions))).toEqual(logs);
    expect(session.acks()).toEqual([]);
  });

  test("leaves out the logs with the least to replay if the frame has no room for all", () => {
    const session = new Session();
    const logs = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, n) => [`group:${"g".repeat(120)}${n}`, n]),
    );
    receive(session, welcome({ positions: logs }));
    const text = session.connect("token", undefined, "test");
    expect(text.length).toBeLessThanOrEqual(FRAME_BYTES);
    const named = Object.values((JSON.parse(text) as Connect).resume?.positions ?? {});
    expect(Math.max(...named)).toBe(999);
    expect(named.length).toBeGreaterThan(300);
  });

  test("throws for a text that is not a frame, and accepts unknown types", () => {
    const session = welcomed();
    expect(() => session.receive("no JSON")).toThrow();
    expect(receive(session, { type: "of tomorrow" })).toHaveLength(1);
  });
});

describe("a following tab", () => {
  test("takes the leader's state, and reports whether it missed frames", () => {
    const leader = welcomed();
    const follower = new Session();
    const snapshot = () => JSON.parse(JSON.stringify(leader.snapshot()));
    expect(follower.follow(snapshot())).toBe(false);
    expect(follower.counts).toEqual(leader.counts);

    receive(leader, delivered(4));
    expect(follower.follow(snapshot())).toBe(true);
    expect(connect(follower).resume).toEqual(connect(leader).resume);
  });

  test("that takes the lead before the leader has caught up still requests the missed marks", () => {
    const [leader, follower] = [new Session(), new Session()];
    leader.restore({ epoch: "e1", positions: { user: 1 }, state_version: 2 });
    follower.follow(JSON.parse(JSON.stringify(leader.snapshot())));
    const frames = [welcome({ resume: "complete", positions: { user: 1, all: 0 } }), delivered(2)];
    receive(leader, ...frames);
    receive(follower, ...frames);
    expect(follower.point()).toMatchObject({ positions: { user: 2 }, state_version: 2 });
  });

  test("keeps its user if the leader has no welcome yet", () => {
    const [leader, follower] = [new Session(), welcomed()];
    leader.restore({ epoch: "e1", positions: { user: 3 }, state_version: 5 });
    follower.follow(JSON.parse(JSON.stringify(leader.snapshot())));
    expect(follower.user).toBe("ana");
    expect(follower.counts).toEqual(counts(3, 3));
  });

  test("has the leader's state version while the leader catches up", () => {
    const [leader, follower] = [welcomed(), new Session()];
    follower.follow(leader.snapshot() ?? ({} as never));
    connect(leader);
    const frames = [welcome({ resume: "complete", state_version: 9 }), stated(10)];
    receive(leader, ...frames);
    receive(follower, ...frames);
    expect(follower.point()).toEqual(leader.point());
  });
});
